/** Token classification: entities marked in the text, and a list of them. */

import { cut } from '../characters.js';
import { el, said } from '../elements.js';
import { percent, say } from '../words.js';

const LISTED = 100;
const HUES = 6;

/** The colour of each type, the same whatever a text holds: by its place among the model's labels. */
function hues(model) {
  const types = [...new Set(model.labels.map((label) => label.replace(/^[A-Z]-/, '')).filter((type) => type !== 'O'))];
  return (type) => String(Math.max(types.indexOf(type), 0) % HUES);
}

export default {
  fields: () => [{ name: 'text', kind: 'text', rows: 9 }],

  example: () => 'token-classification',

  question: ({ text }) => ({ inputs: text, parameters: { aggregation_strategy: 'first' } }),

  show({ answer, values, model }) {
    const hue = hues(model);
    const parts = cut(values.text, answer).map(({ text, span }) => (span ? marked(text, span, hue) : text));
    const rows = answer.slice(0, LISTED).map((one) => row(one, hue));
    const rest = answer.length - rows.length;
    return el(
      'div',
      {},
      said('p', { class: 'reading' }, parts),
      answer.length ? table(rows) : el('p', { class: 'quiet' }, say('no.entities')),
      rest > 0 ? el('p', { class: 'quiet' }, say('not.listed', { n: rest })) : null,
    );
  },

  spoken: (answer) => say('entities.found', { n: answer.length }),
};

function marked(text, one, hue) {
  const kind = el('span', { class: 'kind' }, one.entity_group);
  return el('mark', { 'data-hue': hue(one.entity_group), class: one.abstained ? 'unsure' : null }, text, '\u00a0', kind);
}

function table(rows) {
  const names = ['entity', 'type', 'score'].map((name) => el('th', { scope: 'col' }, say(name)));
  const caption = el('caption', { class: 'unseen' }, say('entities'));
  return el('table', { class: 'entities' }, caption, el('thead', {}, el('tr', {}, names)), el('tbody', {}, rows));
}

function row(one, hue) {
  return el(
    'tr',
    {},
    said('th', { scope: 'row' }, one.word),
    el('td', {}, el('span', { class: 'kind', 'data-hue': hue(one.entity_group) }, one.entity_group)),
    el('td', { class: 'number' }, one.abstained ? `${say('unsure')} · ` : null, percent(one.score)),
  );
}
