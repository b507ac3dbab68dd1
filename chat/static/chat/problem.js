/** The card of a turn that failed: what happened, and one click to try it again. */
import { moment } from "./clock.js";
import { h, icon } from "./dom.js";
import { canRetry } from "./order.js";
import { text } from "./text.js";

/**
 * @typedef {import("./state.js").Item} Item
 * @typedef {{retryTurn: (turnId: string) => void}} Context  what of the page this needs
 */

/** @param {Item} item @returns {string} */
export function problemWords(item) {
  if (item.reason === "usage") return text.usageReached(moment(String(item.resetsAt ?? "")));
  return item.reason === "turn" || !item.message ? text.turnFailed : item.message;
}

/** @param {Item} item @param {Context} context @returns {import("./people.js").Piece} */
export function problemPiece(item, context) {
  const words = h("p", { text: problemWords(item) });
  const note = h("p", { class: "note" });
  const again = h("button", { type: "button", class: "secondary", on: { click: retry } }, icon("retry"), h("span", { text: text.retry }));
  const el = h("section", { class: "card problem", tabindex: "-1" }, icon("warning"), words, again, note);
  let asked = false;

  function retry() {
    if (!asked) context.retryTurn(item.turnId ?? "");
  }

  return {
    el,
    update(next, state) {
      const how = state.turns.get(next.turnId ?? "")?.retry ?? "";
      asked = how === "asked";
      const focused = el.contains(document.activeElement);
      again.hidden = !canRetry(state, next);
      again.setAttribute("aria-disabled", String(asked));
      note.textContent = noteOf(how, context.connected());
      if (focused && again.hidden) el.focus({ preventScroll: true });
    },
  };
}

/** @param {string} how @param {boolean} connected */
function noteOf(how, connected) {
  if (how === "asked") return connected ? text.retrying : text.retryWaits;
  return how === "refused" ? text.retryRefused : how === "unsent" ? text.retryUnsent : "";
}
