/** Arguments and results as a small table a person can read; what is too deep for one is shown as JSON. */
import { h } from "./dom.js";
import { parseExact } from "./exact.js";
import { prettify, text } from "./text.js";

/** @param {unknown} value @returns {value is Record<string, unknown>} */
const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @param {unknown} value */
const isPlain = (value) => value === null || typeof value !== "object";

/** @param {unknown} value @returns {string} */
export const inWords = (value) => (isPlain(value) ? plain(value) : JSON.stringify(value));

/** @param {unknown} value @returns {string} */
function plain(value) {
  if (value === null || value === undefined || value === "") return text.empty;
  if (typeof value === "boolean") return value ? text.yes : text.no;
  return String(value);
}

/** A string that holds JSON is read as JSON. @param {unknown} value @returns {unknown} */
function unpacked(value) {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return value;
  try {
    return parseExact(value);
  } catch {
    return value;
  }
}

/** @param {unknown} value @returns {Node} */
function cell(value) {
  if (isPlain(value)) return document.createTextNode(plain(value));
  if (Array.isArray(value) && value.every(isPlain)) return document.createTextNode(value.map(plain).join(", ") || text.empty);
  return h("pre", { text: JSON.stringify(value, null, 2) });
}

/**
 * Rows are sorted by name: the database does not keep the order of a JSON object, and a reload must not change it. What
 * somebody decides on is shown whole; of an answer `atMost` so many rows, and how many are left out.
 * @param {unknown} value @param {number} [atMost] @returns {HTMLElement}
 */
export function facts(value, atMost = Infinity) {
  const read = unpacked(value);
  if (isRecord(read)) {
    const rows = Object.entries(read).sort(([a], [b]) => a.localeCompare(b, "en"));
    if (rows.length === 0) return h("p", { class: "facts-none", text: text.nothing });
    const list = h("dl", { class: "facts" });
    for (const [name, one] of rows.slice(0, atMost)) {
      list.append(h("div", {}, h("dt", { text: prettify(name) }), h("dd", {}, cell(one))));
    }
    if (rows.length > atMost) list.append(h("div", {}, h("dt", { text: "…" }), h("dd", { text: text.moreRows(rows.length - atMost) })));
    return list;
  }
  if (isPlain(read)) return h("p", { class: "facts-text", text: plain(read) });
  return h("pre", { text: JSON.stringify(read, null, 2) });
}
