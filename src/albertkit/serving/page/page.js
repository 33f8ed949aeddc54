/** The page: which model is asked, its form, and its answer. */

import { wellFormed } from './characters.js';
import { el, said } from './elements.js';
import { form, put } from './form.js';
import { keyForm } from './keys.js';
import { refusal } from './refusals.js';
import * as server from './server.js';
import * as settings from './settings.js';
import { viewOf } from './views/views.js';
import * as words from './words.js';

const { say } = words;
const place = (id) => document.getElementById(id);
const work = place('work');
const state = {
  info: null,
  model: null,
  /** What is filled in, by task: models of one task can be asked the same. */
  values: {},
  /** The last answer of each model, by name: `{body, warnings, values, took}`, or `{refused, retry}`. */
  answers: {},
  /** Draws what the page shows now, in the current language. */
  draw: () => {},
};

/** Whether the reader wants nothing to move. */
const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

/** Bring an element into view whose top is below what is seen, as that of the answer is on a narrow page. */
function show(one) {
  if (one.getBoundingClientRect().top < 0.8 * innerHeight) return;
  one.scrollIntoView({ behavior: calm() ? 'auto' : 'smooth' });
}

/** Say something to who does not see the page. */
const speak = (sentence) => (place('said').textContent = sentence);

/** Read what the server has, and show its models; or the reason why not. */
async function begin() {
  place('forget').hidden = !server.hasKey();
  try {
    state.info = await server.info();
  } catch (error) {
    if (error.status === 401) return askForKey();
    state.draw = () => work.replaceChildren(refusal(error, begin));
    return state.draw();
  }
  place('version').textContent = state.info.version;
  choose(wanted());
  return null;
}

/** The model that the address names, or else the first. */
function wanted() {
  const address = (name) => `#${encodeURIComponent(name)}`;
  const { models } = state.info;
  return models.find(({ name }) => [`#${name}`, address(name)].includes(location.hash)) ?? models[0];
}

function askForKey() {
  const was = server.hasKey();
  server.stop();
  server.useKey('');
  place('forget').hidden = true;
  state.info = null;
  state.draw = (first = false) => {
    place('models').replaceChildren();
    document.title = 'albertkit';
    const asking = keyForm(was && first, () => begin().then(() => work.querySelector('input, textarea')?.focus()));
    work.replaceChildren(asking);
    asking.querySelector('input').focus();
  };
  state.draw(true);
}

function choose(model) {
  server.stop();
  state.model = model;
  state.values[model.task] ??= {};
  state.draw = () => {
    drawModels();
    drawModel();
  };
  state.draw();
}

const taskName = (task) => (words.has(`task.${task}`) ? say(`task.${task}`) : task);

/** How far a list of a size is scrolled so that an entry stands in its middle. */
const middle = (size, start, length) => start - (size - length) / 2;

function drawModels() {
  const one = (model) => {
    const input = el('input', { type: 'radio', name: 'model', value: model.name, checked: model === state.model });
    input.addEventListener('change', () => {
      history.replaceState(null, '', `#${encodeURIComponent(model.name)}`);
      choose(model);
      document.querySelector('input[name=model]:checked').focus();
    });
    return el('label', {}, input, said('span', { class: 'model' }, model.name), el('span', { class: 'task' }, taskName(model.task)));
  };
  const list = el('div', { class: 'list' }, state.info.models.map(one));
  place('models').replaceChildren(el('fieldset', {}, el('legend', {}, say('models')), list));
  const chosen = list.querySelector('label:has(:checked)');
  list.scrollTo(middle(list.clientWidth, chosen.offsetLeft, chosen.offsetWidth), middle(list.clientHeight, chosen.offsetTop, chosen.offsetHeight));
}

function drawModel() {
  const { model } = state;
  document.title = `${model.name} · albertkit`;
  const about = `about.${model.task}`;
  const figures = say('model.figures', { tokens: model.max_input_length, layers: model.num_hidden_layers });
  const head = el(
    'div',
    { class: 'head' },
    said('h1', {}, model.name),
    el('p', {}, words.has(about) ? say(about) : taskName(model.task)),
    el('p', { class: 'quiet small' }, figures),
  );
  const asking = form(viewOf(model.task), model, state.values[model.task], { ask, stop: () => halt(say('stopped')) });
  const answer = el('section', { id: 'answer', 'aria-labelledby': 'answer-name' });
  work.replaceChildren(el('div', { class: 'input' }, head, asking), answer);
  drawAnswer();
}

function drawAnswer() {
  const found = state.answers[state.model.name];
  const shown = found ? answered(found) : [el('p', { class: 'hint' }, say('hint'))];
  const seconds = found?.body ? el('span', { class: 'quiet' }, say('took', { n: Math.round(found.took) })) : null;
  const name = el('h2', { id: 'answer-name' }, say('answer'));
  busy(false);
  place('answer').replaceChildren(el('div', { class: 'title' }, name, seconds), ...shown);
}

function answered({ body, warnings, values, refused, retry }) {
  const { model } = state;
  if (refused) return [refusal(refused, retry)];
  const known = Object.entries(warnings).filter(([name]) => words.has(`warning.${name}`));
  const notes = known.map(([name, n]) => el('p', { class: 'warning' }, say(`warning.${name}`, { n })));
  const shown = viewOf(model.task).show({ answer: body, values, model, again, take });
  return [...notes, shown];
}

function busy(is) {
  place('answer')?.setAttribute('aria-busy', String(is));
  work.classList.toggle('busy', is);
}

/** End the question that is being answered. */
function halt(sentence) {
  server.stop();
  busy(false);
  speak(sentence);
}

/** Ask the model what is filled in, and show its answer. */
async function ask() {
  const { model } = state;
  const view = viewOf(model.task);
  const filled = Object.entries(state.values[model.task]);
  const values = Object.fromEntries(filled.map(([name, one]) => [name, typeof one === 'string' ? wellFormed(one) : one]));
  const start = performance.now();
  const found = await question(view.question(values, model), ask);
  if (!found) return;
  state.answers[model.name] = { ...found, values, took: performance.now() - start };
  drawAnswer();
  show(place('answer'));
  const warned = Object.entries(found.warnings).filter(([name]) => words.has(`warning.${name}`));
  speak([view.spoken(found.body, model), ...warned.map(([name, n]) => say(`warning.${name}`, { n }))].join(' '));
}

/** The answer to a question that an answer asks; nothing where there is none, of which the page tells. */
const again = async (asked) => (await question(asked, ask))?.body;

/** What the server answers, or nothing: then the reason is shown, unless another question has taken its place. */
async function question(asked, retry) {
  busy(true);
  speak(say('asking'));
  try {
    const found = await server.ask(state.model.name, asked, state.info.limits.max_body_bytes);
    busy(false);
    speak('');
    return found;
  } catch (error) {
    if (error.name === 'AbortError') return null;
    if (!(error instanceof server.Refused)) throw error;
    if (error.status === 401) askForKey();
    else {
      state.answers[state.model.name] = { refused: error, retry };
      speak('');
      drawAnswer();
      show(place('answer'));
    }
    return null;
  }
}

/** Put a text that an answer made into the form. */
function take(text) {
  const values = state.values[state.model.task];
  values.text = text;
  put(work.querySelector('form'), values);
  work.querySelector('[name=text]').focus();
}

function start() {
  settings.begin(() => {
    words.fill(document);
    state.draw();
  });
  words.fill(document);
  place('forget').addEventListener('click', () => {
    server.useKey('');
    state.answers = {};
    begin();
  });
  window.addEventListener('hashchange', () => state.info && choose(wanted()));
  document.querySelector('.skip').addEventListener('click', (event) => {
    event.preventDefault(); // the address names a model
    work.focus();
  });
}

await words.load();
start();
await begin();
