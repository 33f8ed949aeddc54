/** What a person fills in for a model: the fields of its view, examples, and the button that asks. */

import { el } from './elements.js';
import { LANGUAGES, example, say } from './words.js';

/**
 * A form for a model. `values` are those of its fields by name, kept as they are typed; `ask(values)` is called with
 * them once none is missing.
 */
export function form(view, model, values, { ask, stop }) {
  const fields = view.fields(model).filter(Boolean);
  const rows = fields.map((field) => (field.kind === 'check' ? check(field, values) : text(field, values, model)));
  const buttons = el(
    'div',
    { class: 'buttons' },
    el('button', { type: 'submit', class: 'main' }, say('ask')),
    el('button', { type: 'button', class: 'plain stop', onclick: stop }, say('stop')),
    el('span', { class: 'keys', 'aria-hidden': 'true' }, say('keys')),
  );
  const root = el('form', { novalidate: true, 'aria-label': say('input') }, examples(view, model, values, fields), rows, buttons);
  const submit = () => {
    const wrong = missing(fields, values) ?? view.check?.(values, model) ?? {};
    if (!tell(root, wrong)) ask();
  };
  root.addEventListener('submit', (event) => {
    event.preventDefault();
    submit();
  });
  root.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  return root;
}

/** Put values into a form's fields. */
export function put(root, values) {
  for (const one of root.querySelectorAll('[name]')) {
    if (one.type === 'checkbox') one.checked = Boolean(values[one.name]);
    else one.value = values[one.name] ?? '';
  }
  tell(root, {});
}

function examples(view, model, values, fields) {
  const one = (language) => {
    const fill = () => {
      const found = example(view.example(model), language);
      for (const { name, kind } of fields.filter((field) => field.kind !== 'check')) {
        values[name] = (found[name] ?? '').replaceAll('{mask}', model.mask_token ?? '');
      }
      const root = document.querySelector('form');
      put(root, values);
      root.querySelector('.main').focus();
    };
    const name = say('language.name', {}, language);
    return el('button', { type: 'button', class: 'plain', lang: language, onclick: fill }, name);
  };
  return el('div', { class: 'examples', role: 'group', 'aria-label': say('example') }, el('span', { 'aria-hidden': 'true' }, say('example')), LANGUAGES.map(one));
}

function check(field, values) {
  const box = el('input', { type: 'checkbox', name: field.name, checked: Boolean(values[field.name]) });
  box.addEventListener('change', () => (values[field.name] = box.checked));
  return el('label', { class: 'check' }, box, el('span', {}, say(`field.${field.name}`)));
}

function text(field, values, model) {
  const id = `field-${field.name}`;
  const shared = { id, name: field.name, dir: 'auto', autocomplete: 'off', 'aria-describedby': `${id}-wrong` };
  const input =
    field.kind === 'line' ? el('input', { type: 'text', ...shared }) : el('textarea', { rows: field.rows ?? 6, ...shared });
  input.value = values[field.name] ?? '';
  input.addEventListener('input', () => (values[field.name] = input.value));
  const label = el(
    'label',
    { for: id },
    say(`field.${field.name}`),
    field.optional ? el('span', { class: 'quiet' }, ` ${say('optional')}`) : null,
  );
  const insert = field.insert ? inserter(model[field.insert], input, values) : null;
  const wrong = el('p', { class: 'wrong', id: `${id}-wrong` });
  return el('div', { class: 'field' }, el('div', { class: 'label' }, label, insert), input, wrong);
}

/** A button that writes a mark where the cursor is. */
function inserter(mark, input, values) {
  const insert = () => {
    input.setRangeText(mark, input.selectionStart, input.selectionEnd, 'end');
    values[input.name] = input.value;
    input.focus();
  };
  return el('button', { type: 'button', class: 'plain', onclick: insert }, say('insert', { mark }));
}

function missing(fields, values) {
  const empty = fields.filter(({ name, kind, optional }) => kind !== 'check' && !optional && !values[name]?.trim());
  return empty.length ? Object.fromEntries(empty.map(({ name }) => [name, say('missing')])) : null;
}

/** Say at each field what is wrong, and go to the first; whether anything is. */
function tell(root, wrong) {
  for (const input of root.querySelectorAll('.field [name]')) {
    const told = wrong[input.name] ?? '';
    root.querySelector(`#${input.id}-wrong`).textContent = told;
    if (told) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  }
  root.querySelector('[aria-invalid]')?.focus();
  return Object.keys(wrong).length > 0;
}
