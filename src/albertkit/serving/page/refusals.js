/** What is said where there is no answer. */

import { el } from './elements.js';
import { has, say } from './words.js';

const AGAIN = new Set([0, 408, 429, 500, 502, 503, 504]);

/** A box with the reason, the server's own sentence, and a button that asks again where that may help. */
export function refusal({ status, detail, retryAfter }, again) {
  const key = has(`refused.${status}`) ? `refused.${status}` : 'refused';
  const told = el('p', { class: 'what' }, say(key, { status: String(status) }));
  // The server speaks English alone.
  const own = detail ? el('p', { class: 'quiet', lang: 'en' }, detail) : null;
  const wait = retryAfter ? el('p', {}, say('retry', { n: retryAfter })) : null;
  const button = AGAIN.has(status) ? el('button', { type: 'button', class: 'plain', onclick: again }, say('again')) : null;
  return el('div', { class: 'refused', role: 'alert' }, told, own, wait, button);
}
