/** A task that this page knows nothing of: a text, and the answer as the server gives it. */

import { el } from '../elements.js';
import { say } from '../words.js';

export default {
  fields: () => [{ name: 'text', kind: 'text' }],
  example: () => 'text-classification',
  question: ({ text }) => ({ inputs: text }),
  show: ({ answer }) => el('pre', { tabindex: '0' }, JSON.stringify(answer, null, 2)),
  spoken: () => say('answered'),
};
