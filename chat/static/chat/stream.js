/**
 * Places streamed text by its offset, counted in Unicode code points over the whole turn (what Python's `len` counts;
 * JavaScript's `length` counts UTF-16 units, two for most emoji). A piece that comes twice is laid down once, one that
 * comes early waits for what is missing before it.
 *
 * @typedef {object} Stream
 * @property {number} start  offset of the first shown code point: everything before it is sealed
 * @property {number} end    offset after the last shown code point
 * @property {string} shown  the text from `start` to `end`
 * @property {Map<number, string>} early  pieces beyond a hole, by their offset
 */

/** @returns {Stream} */
export function createStream() {
  return { start: 0, end: 0, shown: "", early: new Map() };
}

/** How many code points a text has. @param {string} value */
export function codePoints(value) {
  let count = 0;
  for (const _ of value) count += 1;
  return count;
}

/** The text without its first `count` code points. @param {string} value @param {number} count */
function dropFirst(value, count) {
  let units = 0;
  for (const point of value) {
    if (count <= 0) break;
    units += point.length;
    count -= 1;
  }
  return value.slice(units);
}

/** The first `count` code points of a text. @param {string} value @param {number} count */
const firstOf = (value, count) => value.slice(0, value.length - dropFirst(value, count).length);

/**
 * Lays one piece down. Returns false while the stream has a hole before the piece. A piece that differs from what
 * stands in its place was written anew, by a worker that has taken the turn up where another one died: what stands
 * from there on is gone.
 * @param {Stream} stream @param {number} offset @param {string} content
 */
export function place(stream, offset, content) {
  if (offset < stream.start) {
    content = dropFirst(content, stream.start - offset);
    offset = stream.start;
  }
  if (offset > stream.end) {
    const waiting = stream.early.get(offset) ?? "";
    if (content.length > waiting.length) stream.early.set(offset, content);
    return false;
  }
  const overlap = dropFirst(stream.shown, offset - stream.start);
  if (!overlap.startsWith(content) && !content.startsWith(overlap)) {
    stream.shown = firstOf(stream.shown, offset - stream.start);
    stream.end = offset;
    stream.early.clear();
  }
  const fresh = dropFirst(content, stream.end - offset);
  stream.shown += fresh;
  stream.end += codePoints(fresh);
  placeEarly(stream);
  return true;
}

/** @param {Stream} stream */
function placeEarly(stream) {
  const next = [...stream.early.keys()].filter((offset) => offset <= stream.end).sort((a, b) => a - b)[0];
  if (next === undefined) return;
  const content = /** @type {string} */ (stream.early.get(next));
  stream.early.delete(next);
  place(stream, next, content);
}

/** A stored answer has taken the place of everything before `end`. @param {Stream} stream @param {number} end */
export function seal(stream, end) {
  if (end <= stream.start) return;
  stream.shown = end >= stream.end ? "" : dropFirst(stream.shown, end - stream.start);
  stream.start = end;
  stream.end = Math.max(stream.end, end);
  placeEarly(stream);
}

/** What no stored answer has replaced was not said; whoever goes on does so after the last one. @param {Stream} stream */
export function forget(stream) {
  stream.shown = "";
  stream.end = stream.start;
  stream.early.clear();
}
