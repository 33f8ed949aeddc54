/** Questions to the server that the page came from: with the key, one at a time, and refusals with their reason. */

const KEY = 'albertkit-key';
const ROOT = new URL('..', import.meta.url);
let key = stored();
let flying = null;

/** A question that was not answered; `status` 0 where no server was reached. */
export class Refused extends Error {
  constructor(status, detail = '', retryAfter = null) {
    super(`refused with ${status}`);
    Object.assign(this, { status, detail, retryAfter });
  }
}

function stored() {
  try {
    return sessionStorage.getItem(KEY) ?? '';
  } catch {
    return ''; // a browser that keeps nothing: the key is asked for again when the page is loaded again
  }
}

/** Whether a key is sent. */
export const hasKey = () => key !== '';

/** Send a key from now on, until the tab is closed; an empty one: none. False for what can be no key. */
export function useKey(given) {
  const found = given.trim();
  if (!/^[\x21-\x7e]*$/.test(found)) return false;
  key = found;
  try {
    if (key) sessionStorage.setItem(KEY, key);
    else sessionStorage.removeItem(KEY);
  } catch {
    // It is kept in memory.
  }
  return true;
}

/** Give up the question that is being answered, if there is one. */
export function stop() {
  flying?.abort();
  flying = null;
}

/** What the server says of itself and its models. */
export async function info() {
  return (await sent('info', {})).body;
}

/**
 * A model's answer: `{body, warnings}`, the latter by name how many inputs they are about. It takes the place of the
 * question before, which ends as an AbortError.
 */
export async function ask(model, question, maxBytes) {
  stop();
  const own = (flying = new AbortController());
  const body = JSON.stringify(question);
  // The server would hang up in the middle of it, of which browsers tell nothing.
  if (new Blob([body]).size > maxBytes) throw new Refused(413);
  try {
    const headers = { 'Content-Type': 'application/json' };
    return await sent(`models/${encodeURIComponent(model)}`, { method: 'POST', body, headers, signal: own.signal });
  } finally {
    if (flying === own) flying = null;
  }
}

async function sent(path, { headers = {}, ...options }) {
  const given = key ? { ...headers, Authorization: `Bearer ${key}` } : headers;
  let answer;
  try {
    answer = await fetch(new URL(path, ROOT), { ...options, headers: given, cache: 'no-store' });
    const body = await answer.text();
    if (answer.ok) return { body: JSON.parse(body), warnings: warnings(answer.headers.get('Albertkit-Warnings')) };
    throw new Refused(answer.status, reason(body), retryAfter(answer.headers.get('Retry-After')));
  } catch (error) {
    if (error instanceof Refused || error.name === 'AbortError') throw error;
    throw new Refused(error instanceof SyntaxError ? answer.status : 0);
  }
}

/** The sentence of a refusal; none where it is not one of this server, but of something between. */
function reason(body) {
  try {
    const { error = '', fields = [] } = JSON.parse(body);
    const places = fields.map((one) => `${one.where.join('.')}: ${one.rule}`);
    return [error, ...places].join(' ');
  } catch {
    return '';
  }
}

function retryAfter(header) {
  const seconds = Number.parseInt(header ?? '', 10);
  return Number.isFinite(seconds) ? Math.max(seconds, 1) : null;
}

/** `truncated=1, unknown=2` -> `{truncated: 1, unknown: 2}` */
function warnings(header) {
  const found = (header ?? '').matchAll(/([a-z_]+)=(\d+)/g);
  return Object.fromEntries([...found].map(([, name, count]) => [name, Number(count)]));
}
