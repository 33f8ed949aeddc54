/**
 * Places in texts. The server counts characters as Python does, by code points; strings here are of UTF-16 units, of
 * which a character beyond U+FFFF, such as an emoji, has two.
 */

/** From a place in characters to the same place in units; the places that are asked for must not go down. */
function places(text) {
  let characters = 0;
  let units = 0;
  return (wanted) => {
    for (; characters < wanted && units < text.length; characters += 1) {
      units += text.codePointAt(units) > 0xffff ? 2 : 1;
    }
    return units;
  };
}

/**
 * A text cut at spans with `start` and `end` in characters: `{text, span}` in order, without a span what lies between.
 * Of spans that overlap the one that begins first is taken.
 */
export function cut(text, spans) {
  const place = places(text);
  const parts = [];
  let done = 0;
  let reached = 0;
  for (const span of [...spans].sort((one, other) => one.start - other.start)) {
    if (span.start < reached || span.end <= span.start) continue;
    const start = place(span.start);
    const end = place(span.end);
    if (start > done) parts.push({ text: text.slice(done, start) });
    parts.push({ text: text.slice(start, end), span });
    done = end;
    reached = span.end;
  }
  if (done < text.length) parts.push({ text: text.slice(done) });
  return parts;
}

/** A text as the server can read it: a half of a pair of units, which is no character, becomes U+FFFD. */
export function wellFormed(text) {
  return text.toWellFormed ? text.toWellFormed() : text.replace(/\p{Surrogate}/gu, '\ufffd');
}
