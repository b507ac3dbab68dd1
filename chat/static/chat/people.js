/** The lines that tell of people: somebody was asked to join, has joined, has left. */
import { moment } from "./clock.js";
import { h, icon } from "./dom.js";
import { text } from "./text.js";

/**
 * What is drawn of one item; declared here, because modules that import each other cannot be given hashed names.
 * @typedef {import("./state.js").Item} Item
 * @typedef {{el: HTMLElement, update: (item: Item) => void}} Piece
 */

/** @param {Item} item  a handoff @returns {string[]} that somebody was asked to join, and what is known of it */
export function handoffWords(item) {
  const when = Date.parse(item.availableAt) > Date.now() ? moment(item.availableAt) : "";
  const asked = item.by === "customer" ? text.handoffByCustomer : text.handoff;
  return [asked, item.ticket ? text.ticket(item.ticket) : "", when ? text.availableAt(when) : ""].filter(Boolean);
}

/** @param {Item} item @returns {Piece} */
export function handoffPiece(item) {
  const [asked, ...known] = handoffWords(item);
  return notice("handoff", "person", asked, [...known, text.handoffStay]);
}

export const joinedPiece = () => notice("joined", "person", text.joined, [text.joinedMore]);

export const handbackPiece = () => notice("handback", "bot", text.handback, []);

/** @param {string} className @param {string} sign @param {string} words @param {string[]} more @returns {Piece} */
function notice(className, sign, words, more) {
  const lines = more.map((line) => h("small", { text: line }));
  const el = h("p", { class: `notice ${className}` }, icon(sign), h("span", {}, h("span", { text: words }), ...lines));
  return { el, update() {} };
}
