/** Vectors: how near texts are to each other, as a matrix of cosines. */

import { el, said } from '../elements.js';
import { number, say } from '../words.js';
import { lines } from './lines.js';

const MOST = 16;
const shown = (cosine) => number(cosine, 2);

/** A view of the vectors that `vector` makes of what the server answers for a text. */
const view = (parameters, fields, vector) => ({
  fields: () => [{ name: 'texts', kind: 'lines', rows: 7 }, ...fields],

  example: () => 'sentence-embedding',

  check: ({ texts }) => (lines(texts).length < 2 ? { texts: say('two.texts') } : {}),

  question: (values) => ({ inputs: lines(values.texts).slice(0, MOST), parameters: parameters(values) }),

  show({ answer, values }) {
    const all = lines(values.texts);
    const texts = all.slice(0, MOST);
    const found = cosines(answer.map(vector));
    const left = all.length - texts.length;
    return el(
      'div',
      {},
      el('p', { class: 'result small' }, nearest(found)),
      el('div', { class: 'wide', tabindex: '0', role: 'group', 'aria-label': say('matrix') }, matrix(texts, found)),
      left ? el('p', { class: 'quiet' }, say('not.compared', { n: left, most: MOST })) : null,
    );
  },

  spoken: (answer) => nearest(cosines(answer.map(vector))),
});

export const sentences = view(
  (values) => ({ normalize: true, ...(values.whole ? { long: 'windows' } : {}) }),
  [{ name: 'whole', kind: 'check' }],
  (vector) => vector,
);

/** Of hidden states the mean over all tokens. */
export const states = view(
  () => ({}),
  [],
  ([tokens]) => tokens[0].map((_, column) => tokens.reduce((sum, token) => sum + token[column], 0) / tokens.length),
);

function cosines(vectors) {
  const unit = vectors.map((vector) => {
    const length = Math.hypot(...vector) || 1;
    return vector.map((value) => value / length);
  });
  return unit.map((one) => unit.map((other) => one.reduce((sum, value, place) => sum + value * other[place], 0)));
}

function nearest(found) {
  let best = [0, 1];
  found.forEach((row, one) => row.forEach((cosine, other) => {
    if (one < other && cosine > found[best[0]][best[1]]) best = [one, other];
  }));
  return say('nearest', { one: best[0] + 1, other: best[1] + 1, cosine: shown(found[best[0]][best[1]]) });
}

/** From 0 for the least of the cosines between texts to 1 for the greatest: models differ in how near all texts are. */
function shades(found) {
  const between = found.flatMap((row, one) => row.filter((_, other) => one !== other));
  const least = Math.min(...between);
  const range = Math.max(Math.max(...between) - least, 0.05);
  return (cosine) => Math.min(Math.max((cosine - least) / range, 0), 1);
}

function matrix(texts, found) {
  const shade = shades(found);
  const head = texts.map((_, place) => el('th', { scope: 'col' }, String(place + 1)));
  const rows = found.map((row, place) =>
    el(
      'tr',
      {},
      el('th', { scope: 'row' }, el('span', { class: 'place' }, String(place + 1)), said('span', {}, texts[place])),
      row.map((cosine, other) => {
        const cell = el('td', { class: place === other ? 'same' : null }, shown(cosine));
        cell.style.setProperty('--near', String(shade(cosine)));
        return cell;
      }),
    ),
  );
  const caption = el('caption', { class: 'unseen' }, say('matrix'));
  const corner = el('td', {});
  return el('table', { class: 'matrix' }, caption, el('thead', {}, el('tr', {}, corner, head)), el('tbody', {}, rows));
}
