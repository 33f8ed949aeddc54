/** The words of the page: a table for each language, and numbers as its readers write them. */

export const LANGUAGES = ['en', 'ja'];
const tables = {};
let current = LANGUAGES[0];

/** Read all tables. */
export async function load() {
  const read = async (language) => {
    const answer = await fetch(new URL(`${language}.json`, import.meta.url));
    tables[language] = await answer.json();
  };
  await Promise.all(LANGUAGES.map(read));
}

/** The first of the languages that a reader names which the page has. */
export function known(wanted) {
  const short = wanted.map((one) => one.toLowerCase().split('-')[0]);
  return short.find((one) => LANGUAGES.includes(one)) ?? LANGUAGES[0];
}

/** Speak a language from now on. */
export function choose(language) {
  current = language;
  document.documentElement.lang = language;
}

/** The sentence of a key, with values in the place of `{name}`; of `one` and `other` the one that fits the value n. */
export function say(key, values = {}, language = current) {
  let found = tables[language][key];
  if (found === undefined) throw new Error(`There are no words for ${key}.`);
  if (typeof found === 'object') found = values.n === 1 ? found.one : found.other;
  return found.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === 'number' ? number(value) : value;
  });
}

/** Whether there are words for a key. */
export const has = (key) => key in tables[current];

/** The example of a task in a language: what stands in each field. */
export const example = (key, language) => tables[language].examples[key];

/** A number with so many digits behind the point at most. */
export function number(value, digits = 3) {
  return new Intl.NumberFormat(current, { maximumFractionDigits: digits }).format(value);
}

/** A probability in percent, with a digit behind the point. */
export function percent(share) {
  const digits = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
  const format = (value) => new Intl.NumberFormat(current, { style: 'percent', ...digits }).format(value);
  return share > 0 && share < 0.0005 ? `< ${format(0.001)}` : format(share);
}

/** Put the words of the current language where the markup names them. */
export function fill(root) {
  for (const one of root.querySelectorAll('[data-say]')) one.textContent = say(one.dataset.say);
}
