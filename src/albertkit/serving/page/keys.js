/** The form that asks for a key. */

import { el } from './elements.js';
import { say } from './words.js';
import { useKey } from './server.js';

/** `was` says whether a key was refused; `done` is called once there is another. */
export function keyForm(was, done) {
  const wrong = el('p', { class: 'wrong', id: 'key-wrong', role: 'alert' }, was ? say('key.wrong') : '');
  const input = el('input', {
    type: 'password', id: 'key', autocomplete: 'off', spellcheck: 'false', 'aria-describedby': 'key-about key-wrong',
  });
  const tell = (sentence) => {
    wrong.textContent = sentence;
    input.setAttribute('aria-invalid', 'true');
    input.focus();
  };
  const submit = (event) => {
    event.preventDefault();
    if (!input.value.trim()) tell(say('missing'));
    else if (!useKey(input.value)) tell(say('key.signs'));
    else done();
  };
  return el(
    'form',
    { class: 'key', novalidate: true, onsubmit: submit },
    el('h1', {}, say('key.title')),
    el('p', { id: 'key-about' }, say('key.about')),
    el('div', { class: 'field' }, el('label', { for: 'key' }, say('key')), input, wrong),
    el('div', { class: 'buttons' }, el('button', { type: 'submit', class: 'main' }, say('key.use'))),
  );
}
