/** Pseudo-perplexity: how likely a text is, in numbers. */

import { el, figures } from '../elements.js';
import { number, say } from '../words.js';

export default {
  fields: () => [{ name: 'text', kind: 'text' }, { name: 'whole', kind: 'check' }],

  example: () => 'pseudo-perplexity',

  question: ({ text, whole }) => ({ inputs: text, parameters: whole ? { long: 'windows' } : {} }),

  show({ answer }) {
    const perplexity = answer.pseudo_perplexity;
    const best = el('strong', {}, perplexity === null ? '–' : number(perplexity, 1));
    const names = ['pll', 'pll_per_token', 'pll_per_word', 'tokens', 'words', 'windows'];
    const rows = names.filter((name) => name in answer).map((name) => [say(`figure.${name}`), answer[name]]);
    return el('div', {}, el('p', { class: 'result' }, best, el('span', {}, say('figure.pseudo_perplexity'))), figures(rows));
  },

  spoken: (answer) => `${say('figure.pseudo_perplexity')}: ${number(answer.pseudo_perplexity ?? Number.NaN, 1)}`,
};
