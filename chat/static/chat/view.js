/** Draws the conversation: keeps one element per item, in the order of `order.js`, and touches only what changed. */
import { dayName, dayOf } from "./clock.js";
import { inOrder } from "./order.js";
import { VOLATILE, createPiece } from "./pieces.js";
import { text } from "./text.js";

/**
 * @typedef {import("./state.js").Item} Item
 * @typedef {import("./state.js").State} State
 */

export class ConversationView {
  /** @type {Map<string, {piece: import("./pieces.js").Piece, item: Item, final: boolean}>} */ #drawn = new Map();

  /** @param {HTMLElement} log @param {import("./pieces.js").Context} context */
  constructor(log, context) {
    this.log = log;
    this.area = /** @type {HTMLElement} */ (log.closest("main"));
    this.context = context;
  }

  /** @param {State} state */
  render(state) {
    const items = withDays(inOrder(state));
    const keys = new Set(items.map(keyOf));
    for (const [key, { piece }] of this.#drawn) {
      if (keys.has(key)) continue;
      // A button that did its work goes; whoever pressed it stays in the conversation.
      if (piece.el.contains(document.activeElement)) this.area.focus({ preventScroll: true });
      piece.el.remove();
      this.#drawn.delete(key);
    }
    let here = this.log.firstElementChild;
    for (const item of items) {
      const { el } = this.#draw(item, state);
      if (el === here) here = here.nextElementSibling;
      else this.log.insertBefore(el, here);
    }
  }

  /** @param {Item} item @param {State} state */
  #draw(item, state) {
    const key = keyOf(item);
    const known = this.#drawn.get(key);
    if (known && known.item === item && known.final) return known.piece;
    const piece = known?.piece ?? createPiece(item, this.context);
    piece.update(item, state);
    this.#drawn.set(key, { piece, item, final: isFinal(item, state) });
    return piece;
  }
}

/** Whether it looks the same until the item itself changes. @param {Item} item @param {State} state */
function isFinal(item, state) {
  if (item.kind === "message") return state.turns.get(item.turnId ?? "")?.status !== "open";
  if (item.kind === "approval") return item.status !== "open" && state.turns.get(item.turnId ?? "")?.status !== "open";
  return !VOLATILE.has(item.kind);
}

/** Our own message keeps its element from the first moment to the accepted one. @param {Item} item */
function keyOf(item) {
  if (item.kind === "pending") return `mine:${item.pending.id}`;
  return item.kind === "message" && item.clientMessageId ? `mine:${item.clientMessageId}` : item.key;
}

/** A line between days, unless everything is of today. @param {Item[]} items @returns {Item[]} */
function withDays(items) {
  const now = new Date();
  /** @type {Item[]} */
  const rows = [];
  let day = now.toDateString();
  for (const item of items) {
    const its = dayOf(item.at);
    if (its && its !== day) {
      rows.push({ key: `day:${its}:${item.key}`, kind: "day", seq: 0, turnId: null, content: dayName(its, text, now) });
      day = its;
    }
    rows.push(item);
  }
  return rows;
}
