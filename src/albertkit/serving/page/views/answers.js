/** Question answering: the best answers, each shown in its context when it is chosen. */

import { cut } from '../characters.js';
import { bars, el, said } from '../elements.js';
import { percent, say } from '../words.js';

const BEST = 5;
const LONG = 48;
const listed = (answer) => (Array.isArray(answer) ? answer : [answer]);
const isNone = (one) => one.end <= one.start;
const name = (one) => (isNone(one) ? say('no.answer') : one.answer);

export default {
  fields: () => [
    { name: 'question', kind: 'line' },
    { name: 'context', kind: 'text', rows: 9 },
    { name: 'none', kind: 'check' },
  ],

  example: () => 'question-answering',

  question({ question, context, none }) {
    return { inputs: { question, context }, parameters: { top_k: BEST, handle_impossible_answer: Boolean(none) } };
  },

  show({ answer, values }) {
    const found = listed(answer);
    const reading = said('p', { class: 'reading', tabindex: '0', role: 'group', 'aria-label': say('context') }, '');
    const choose = (one) => {
      const parts = cut(values.context, isNone(one) ? [] : [one]);
      reading.replaceChildren(...parts.map(({ text, span }) => (span ? el('mark', { 'data-hue': '0' }, text) : text)));
      const mark = reading.querySelector('mark');
      if (mark) reading.scrollTop = mark.offsetTop - reading.clientHeight / 2;
    };
    const rows = found.map((one, place) => ({
      name: name(one),
      share: one.score,
      shown: percent(one.score),
      pressed: place === 0,
      press(button) {
        for (const other of list.querySelectorAll('button')) other.setAttribute('aria-pressed', String(other === button));
        choose(one);
      },
    }));
    const list = bars(rows, say('answers'));
    choose(found[0]);
    requestAnimationFrame(() => choose(found[0])); // once it has a place on the page, to which it scrolls
    return el('div', {}, headline(found[0]), reading, el('h3', {}, say('answers')), list);
  },

  spoken(answer) {
    const [best] = listed(answer);
    return best.abstained ? say('unsure') : say('scored', { name: name(best), score: percent(best.score) });
  },
};

function headline(best) {
  return el(
    'p',
    { class: name(best).length > LONG ? 'result long' : 'result' },
    el('strong', { dir: 'auto' }, name(best)),
    best.abstained ? el('span', { class: 'unsure' }, say('unsure')) : el('span', {}, percent(best.score)),
  );
}
