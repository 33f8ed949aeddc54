/** Text classification: classes as bars, several at once with their bounds, or a number. */

import { bars, el } from '../elements.js';
import { number, percent, say } from '../words.js';

const isNumber = (model) => model.problem_type === 'regression';
const isMulti = (model) => model.problem_type === 'multi_label_classification';
const given = (one, model) => one.score > model.thresholds[model.labels.indexOf(one.label)];

export default {
  fields: (model) => [
    { name: 'text', kind: 'text' },
    model.is_pair === false ? null : { name: 'second', kind: 'text', rows: 3, optional: model.is_pair !== true },
    { name: 'whole', kind: 'check' },
  ],

  example: (model) => (model.is_pair ? 'text-pair' : 'text-classification'),

  question(values) {
    const { text, second } = values;
    const long = values.whole ? { long: 'windows' } : {};
    return { inputs: second?.trim() ? { text, text_pair: second } : { text }, parameters: { top_k: null, ...long } };
  },

  show({ answer, model }) {
    if (isNumber(model)) return el('p', { class: 'result' }, el('strong', {}, number(answer[0].score)));
    const rows = answer.map((one, place) => ({
      name: one.label,
      share: one.score,
      shown: percent(one.score),
      chosen: isMulti(model) ? given(one, model) : place === 0 && !one.abstained,
      note: isMulti(model) && given(one, model) ? say('given') : null,
    }));
    return el('div', {}, headline(answer, model), bars(rows, say('classes')));
  },

  spoken(answer, model) {
    if (isNumber(model)) return number(answer[0].score);
    if (isMulti(model)) return named(answer, model);
    return answer[0].abstained ? say('unsure') : say('scored', { name: answer[0].label, score: percent(answer[0].score) });
  },
};

function named(answer, model) {
  const names = answer.filter((one) => given(one, model)).map((one) => one.label);
  return names.length ? names.join(', ') : say('none.given');
}

function headline(answer, model) {
  const [best] = answer;
  if (isMulti(model)) return el('p', { class: 'result' }, el('strong', { dir: 'auto' }, named(answer, model)));
  return el(
    'p',
    { class: 'result' },
    el('strong', { dir: 'auto' }, best.label),
    best.abstained ? el('span', { class: 'unsure' }, say('unsure')) : el('span', {}, percent(best.score)),
  );
}
