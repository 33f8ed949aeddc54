/** Fill-mask: the best words for each gap; a click puts one into the text, and the gaps that are left are asked anew. */

import { bars, el, said } from '../elements.js';
import { percent, say } from '../words.js';

const BEST = 6;
const question = (text) => ({ inputs: text, parameters: { top_k: BEST } });
/** The server gives a list for one mask, and a list of lists for several. */
const perMask = (answer) => (Array.isArray(answer[0]) ? answer : [answer]);

export default {
  fields: () => [{ name: 'text', kind: 'text', insert: 'mask_token' }],

  example: () => 'fill-mask',

  check: ({ text }, model) =>
    text.includes(model.mask_token) ? {} : { text: say('no.mask', { mask: model.mask_token }) },

  question: ({ text }) => question(text),

  show: (given) => new Gaps(given).root,

  spoken(answer) {
    const best = perMask(answer).map((one) => one[0]);
    if (best.length > 1) return say('gaps', { n: best.length });
    return say('scored', { name: best[0].token_str, score: percent(best[0].score) });
  },
};

/** A text with gaps, and which words were put into them. */
class Gaps {
  constructor({ answer, values, model, again, take }) {
    Object.assign(this, { model, again, pieces: values.text.split(model.mask_token) });
    const found = perMask(answer);
    // What is cut off with the end of a long text has no answer.
    this.gaps = this.pieces.slice(1).map((_, place) => ({ best: found[place] ?? [], word: null }));
    this.reading = said('p', { class: 'reading large' }, '');
    this.lists = el('div', { class: 'gaps' });
    const use = el('button', { type: 'button', class: 'plain', onclick: () => take(this.text()) }, say('take'));
    this.root = el('div', {}, this.reading, this.lists, el('p', {}, use));
    this.gaps.forEach((gap, place) => this.lists.append(this.choices(gap, place)));
    this.read();
  }

  /** The text with the words that were put into it. */
  text() {
    return this.pieces[0] + this.gaps.map((gap, place) => (gap.word ?? this.model.mask_token) + this.pieces[place + 1]).join('');
  }

  read() {
    const gap = (one, place) => {
      const shown = one.word ?? (this.gaps.length > 1 ? String(place + 1) : '');
      const name = one.word ?? say('gap', { n: place + 1 });
      return el('span', { class: one.word === null ? 'gap' : 'gap filled' }, el('span', { 'aria-hidden': 'true' }, shown), el('span', { class: 'unseen' }, name));
    };
    this.reading.replaceChildren(
      this.pieces[0],
      ...this.gaps.flatMap((one, place) => [gap(one, place), this.pieces[place + 1]]),
    );
  }

  choices(gap, place) {
    const rows = gap.best.map((one) => ({
      name: one.token_str,
      share: one.score,
      shown: percent(one.score),
      pressed: one.token_str === gap.word,
      press: (button) => this.put(gap, one.token_str, button),
    }));
    const label = say('gap', { n: place + 1 });
    gap.list = rows.length ? bars(rows, label) : el('p', { class: 'quiet' }, say('gap.cut'));
    return el('section', { class: 'choices' }, this.gaps.length > 1 ? el('h3', {}, label) : null, gap.list);
  }

  /** Put a word into a gap, or take it out again; then ask for those that are empty. */
  async put(gap, word, button) {
    gap.word = gap.word === word ? null : word;
    for (const one of gap.list.querySelectorAll('button')) {
      one.setAttribute('aria-pressed', String(one === button && gap.word !== null));
    }
    this.read();
    const empty = this.gaps.filter((one) => one.word === null && one !== gap);
    if (!empty.length) return;
    const asked = gap.word === null ? this.gaps.filter((one) => one.word === null) : empty;
    const answer = await this.again(question(this.text()));
    if (!answer) return;
    const found = perMask(answer);
    asked.forEach((one, place) => {
      if (one === gap) return; // its words stay, for the focus is on one of them
      one.best = found[place] ?? [];
      const section = one.list.closest('section');
      section.replaceWith(this.choices(one, this.gaps.indexOf(one)));
    });
  }
}
