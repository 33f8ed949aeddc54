/** Elements that several views are made of. Texts become text, never markup. */

import { number, say } from './words.js';

/** An element with attributes, listeners (`onclick`) and children; those that are null are left out. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** Something that a person wrote or a model said, in the direction of its own script. */
export const said = (tag, attributes, text) => el(tag, { dir: 'auto', ...attributes }, text);

const SHOWN = 12;

/**
 * A list of bars, best first. A row has a `name`, a `share` from 0 to 1, what is `shown` of it, and perhaps a `note`
 * and `chosen` (what the model says) or `press`, what happens when it is pressed, with `pressed`.
 */
export function bars(rows, label) {
  const list = (some, attributes) => el('ol', { class: 'bars', ...attributes }, some.map(bar));
  const all = list(rows.slice(0, SHOWN), { 'aria-label': label });
  if (rows.length <= SHOWN) return all;
  const rest = list(rows.slice(SHOWN), { start: SHOWN + 1 });
  const more = el('summary', {}, say('more', { n: rows.length - SHOWN }));
  return el('div', {}, all, el('details', {}, more, rest));
}

function bar(row) {
  const fill = el('span', { class: 'fill' });
  fill.style.setProperty('--share', String(Math.min(Math.max(row.share, 0), 1)));
  const inside = [
    said('span', { class: 'name' }, row.name),
    row.note ? el('span', { class: 'note' }, row.note) : null,
    el('span', { class: 'number' }, row.shown),
    el('span', { class: 'track', 'aria-hidden': 'true' }, fill),
  ];
  if (!row.press) return el('li', { class: row.chosen ? 'bar chosen' : 'bar' }, inside);
  const button = el('button', { type: 'button', class: 'bar', 'aria-pressed': String(row.pressed) }, inside);
  button.addEventListener('click', () => row.press(button));
  return el('li', {}, button);
}

/** Numbers with their names. */
export function figures(rows) {
  const one = ([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value === null ? '–' : number(value)));
  return el('dl', { class: 'figures' }, rows.map(one));
}
