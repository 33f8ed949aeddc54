/**
 * How each task is asked and how its answers look. A view has
 *   fields(model)            what a person fills in: `name`, `kind` (text, line, lines, check), perhaps `rows`, `optional`
 *   example(model)           the key of its example
 *   check(values, model)     what is wrong, by field; may be missing
 *   question(values, model)  what the server is asked
 *   show({answer, values, model, again, take})  an element with the answer; `again(question)` asks once more, and
 *                            `take(text)` puts a text into the form
 *   spoken(answer, model)    a sentence of it, for who does not see it
 */

import answers from './answers.js';
import choices from './choices.js';
import classes from './classes.js';
import entities from './entities.js';
import likelihood from './likelihood.js';
import masks from './masks.js';
import other from './other.js';
import { sentences, states } from './vectors.js';

const VIEWS = {
  'text-classification': classes,
  'token-classification': entities,
  'question-answering': answers,
  'multiple-choice': choices,
  'fill-mask': masks,
  'sentence-embedding': sentences,
  'feature-extraction': states,
  'pseudo-perplexity': likelihood,
};

/** The view of a task. */
export const viewOf = (task) => VIEWS[task] ?? other;
