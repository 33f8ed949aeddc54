/** What a reader chooses for all models: the language, and light or dark. Kept by the browser, where it keeps anything. */

import { LANGUAGES, choose, known } from './words.js';

const THEMES = ['auto', 'light', 'dark'];

function kept(name) {
  try {
    return localStorage.getItem(`albertkit-${name}`);
  } catch {
    return null;
  }
}

function keep(name, value) {
  try {
    localStorage.setItem(`albertkit-${name}`, value);
  } catch {
    // It holds until the page is left.
  }
}

/** Set the page as it was left, or as the browser is; `changed` is called for another language. */
export function begin(changed) {
  const found = kept('language');
  const language = LANGUAGES.includes(found) ? found : known(navigator.languages ?? [navigator.language]);
  choose(language);
  radios('language', language, (value) => {
    choose(value);
    changed();
  });
  const theme = THEMES.includes(kept('theme')) ? kept('theme') : 'auto';
  document.documentElement.dataset.theme = theme;
  radios('theme', theme, (value) => (document.documentElement.dataset.theme = value));
}

function radios(name, value, chosen) {
  for (const one of document.querySelectorAll(`input[name=${name}]`)) {
    one.checked = one.value === value;
    one.addEventListener('change', () => {
      keep(name, one.value);
      chosen(one.value);
    });
  }
}
