/** The card that asks for a decision: what exactly would be done, who decides, and how long there is time. */
import { countdown } from "./clock.js";
import { h, showIcon } from "./dom.js";
import { facts, inWords } from "./facts.js";
import { wasCarriedOut } from "./order.js";
import { text } from "./text.js";

/**
 * @typedef {import("./state.js").Item} Item
 * @typedef {import("./state.js").State} State
 * @typedef {{decide: (interruptId: string, approved: boolean) => void, now: () => number, connected: () => boolean}} Context
 */

/** @param {Item} item @param {Context} context @returns {{el: HTMLElement, update: (item: Item, state: State) => void}} */
export function approvalCard(item, context) {
  const id = `approval-${item.interruptId}`;
  const badge = h("span", { class: "badge" });
  const label = h("span", { class: "eyebrow-text" });
  const clock = h("span", { class: "clock", role: "timer", "aria-live": "off" });
  const bar = h("span", { class: "bar", "aria-hidden": "true" }, h("span"));
  const heading = h("h3", { id });
  const again = h("p", { class: "note", text: text.approvalAgain });
  const changes = h("p", { class: "changes" });
  const params = h("div", { class: "params" });
  const who = h("p", { class: "who" });
  const approve = h("button", { type: "button", class: "primary", text: text.approve, on: { click: () => choose(true) } });
  const decline = h("button", { type: "button", class: "secondary", text: text.decline, on: { click: () => choose(false) } });
  const choices = h("div", { class: "choices", role: "group", "aria-labelledby": id }, approve, decline);
  const note = h("p", { class: "note" });
  const el = h(
    "section",
    { class: "card approval", "aria-labelledby": id, tabindex: "-1" },
    h("p", { class: "eyebrow" }, badge, label, clock),
    bar,
    heading,
    again,
    changes,
    params,
    who,
    choices,
    note,
  );
  let shown = item;

  /** @param {boolean} approved */
  function choose(approved) {
    if (secondsLeft(shown, context.now()) > 0) context.decide(shown.interruptId, approved);
  }

  /** @param {Item} next @param {State} [state] */
  function update(next, state) {
    if (next !== shown || !heading.textContent) {
      heading.textContent = next.message || text.approvalFallback(next.action ?? "");
      params.replaceChildren(...(Object.keys(next.params ?? {}).length ? [facts(next.params)] : []));
    }
    shown = next;
    const open = next.status === "open";
    const left = open ? secondsLeft(next, context.now()) : 0;
    const mine = next.approver !== "staff";
    again.hidden = !open || !next.again;
    changes.textContent = next.changed && !open ? changesOf(next) : "";
    const focused = el.contains(document.activeElement) && document.activeElement !== el;

    el.dataset.status = next.status;
    el.dataset.approver = next.approver ?? "";
    el.classList.toggle("is-busy", Boolean(next.sending) || left <= 0);
    showIcon(badge, open ? (mine ? "shield" : "hourglass") : (ICONS[next.status] ?? "cross"));
    label.textContent = open ? (mine ? text.approvalHeading : text.staffApprovalHeading) : outcome(next);
    clock.textContent = open && left > 0 ? text.timeLeft(countdown(left)) : "";
    clock.classList.toggle("is-short", left < 60);
    bar.hidden = !open;
    /** @type {HTMLElement} */ (bar.firstChild).style.transform = `scaleX(${share(next, left)})`;
    who.textContent = open ? (mine ? text.approvalYours : text.approvalStaff) : "";
    choices.hidden = !open || !mine || next.problem === "not_allowed";
    for (const button of [approve, decline]) button.setAttribute("aria-disabled", String(Boolean(next.sending) || left <= 0));
    approve.classList.toggle("is-chosen", next.sending === "approve");
    decline.classList.toggle("is-chosen", next.sending === "decline");
    const undone = state && next.status === "approved" && !wasCarriedOut(state, next);
    note.textContent = undone ? text.notCarriedOut : noteOf(next, left, context.connected());
    if (focused && choices.hidden) el.focus({ preventScroll: true });
  }

  return { el, update };
}

/** @type {Record<string, string>} */
const ICONS = { approved: "check", rejected: "cross", expired: "clock", cancelled: "cross" };

/** @param {Item} item @param {number} now  server time in milliseconds */
export const secondsLeft = (item, now) => (item.expiresAt ? (Date.parse(item.expiresAt) - now) / 1000 : Infinity);

/** How much of the time to decide is left, 0 to 1. @param {Item} item @param {number} left */
function share(item, left) {
  const whole = (Date.parse(item.expiresAt) - Date.parse(item.at ?? "")) / 1000;
  return whole > 0 ? Math.min(1, Math.max(0, left / whole)).toFixed(4) : 1;
}

/** @param {Item} item @returns {string} how a closed approval ended, and by whom */
export function outcome(item) {
  const who = item.by === "customer" ? text.byYou : item.byName || text.byTeam;
  if (item.status === "approved") return text.approvedBy(who);
  if (item.status === "rejected") return text.declinedBy(who);
  return item.status === "cancelled" ? text.cancelled : text.expired;
}

/** What was really approved, where it is not what was asked for. @param {Item} item @returns {string} */
export function changesOf(item) {
  const changed = Object.entries(item.changed ?? {}).sort(([a], [b]) => a.localeCompare(b, "en"));
  if (!changed.length) return "";
  return text.approvedChanged(changed.map(([name, [was, now]]) => text.change(name, inWords(now), inWords(was))));
}

/** @param {Item} item @param {number} left @param {boolean} connected */
function noteOf(item, left, connected) {
  if (item.status === "expired" && item.outcome) return item.outcome;
  if (item.status !== "open") return item.reason ? text.because(item.reason) : "";
  if (item.problem) return item.problem === "not_allowed" ? text.notAllowed : text.answerRefused;
  if (left <= 0) return text.timeUp;
  if (item.sending) return connected ? text.sendingAnswer : text.answerWaits;
  return "";
}
