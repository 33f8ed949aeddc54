/** Multiple choice: the options as bars. */

import { bars, el } from '../elements.js';
import { percent, say } from '../words.js';
import { lines } from './lines.js';

export default {
  fields: () => [
    { name: 'question', kind: 'line' },
    { name: 'choices', kind: 'lines', rows: 5 },
    { name: 'context', kind: 'text', rows: 4, optional: true },
  ],

  example: () => 'multiple-choice',

  check: ({ choices }) => (lines(choices).length < 2 ? { choices: say('two.choices') } : {}),

  question({ question, choices, context }) {
    return { inputs: { question, choices: lines(choices), ...(context?.trim() ? { context } : {}) } };
  },

  show({ answer, values }) {
    const listed = lines(values.choices);
    const order = answer.scores.map((_, place) => place).sort((one, other) => answer.scores[other] - answer.scores[one]);
    const rows = order.map((place) => ({
      name: listed[place],
      share: answer.scores[place],
      shown: percent(answer.scores[place]),
      chosen: place === answer.label && !answer.abstained,
    }));
    const sure = answer.abstained ? el('span', { class: 'unsure' }, say('unsure')) : el('span', {}, percent(answer.score));
    const best = el('p', { class: 'result' }, el('strong', { dir: 'auto' }, answer.choice), sure);
    return el('div', {}, best, bars(rows, say('choices')));
  },

  spoken: (answer) =>
    answer.abstained ? say('unsure') : say('scored', { name: answer.choice, score: percent(answer.score) }),
};
