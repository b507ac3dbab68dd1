/** How each kind of item is drawn: `create` once, then `update` in place, so that focus and open details survive. */
import { approvalCard } from "./approval.js";
import { moment, timeOfDay } from "./clock.js";
import { h, icon, serverHtml, showIcon } from "./dom.js";
import { facts } from "./facts.js";
import { handbackPiece, handoffPiece, joinedPiece } from "./people.js";
import { problemPiece } from "./problem.js";
import { agentName, prettify, text } from "./text.js";

/**
 * @typedef {import("./state.js").Item} Item
 * @typedef {import("./state.js").State} State
 * @typedef {{el: HTMLElement, update: (item: Item, state: State) => void}} Piece
 * @typedef {object} Context
 * @property {(interruptId: string, approved: boolean) => void} decide
 * @property {(turnId: string) => void} retryTurn
 * @property {(pendingId: string) => void} tryAgain
 * @property {(pendingId: string) => void} edit
 * @property {() => void} startNew
 * @property {() => number} now  server time in milliseconds
 * @property {() => boolean} connected
 */

/** @param {Item} item @param {Context} context @returns {Piece} */
export function createPiece(item, context) {
  return (pieces[item.kind] ?? pieces.line)(item, context);
}

/** Kinds whose look depends on more than the item itself. */
export const VOLATILE = new Set(["approval", "error", "message", "pending", "typing"]);

/** @type {Record<string, (item: Item, context: Context) => Piece>} */
const pieces = {
  message: mine,
  pending: mine,
  response: (item) => answerPiece(item, "theirs", agentName(item.agent)),
  staff: (item) => answerPiece(item, "theirs staff", item.author || text.team),
  live: livePiece,
  reasoning: reasoningPiece,
  typing: typingPiece,
  tool: toolPiece,
  approval: (item, context) => approvalCard(item, context),
  error: problemPiece,
  routing: (item) => linePiece("line routing", "route", text.routed(item.agents), item.reason),
  stopped: () => linePiece("line stopped", "stop", text.stopped),
  handback: handbackPiece,
  handoff: handoffPiece,
  joined: joinedPiece,
  day: (item) => ({ el: h("p", { class: "day" }, h("span", { text: item.content })), update() {} }),
  line: () => ({ el: h("p", { hidden: true }), update() {} }),
};

/** @param {Item} item @param {Context} context @returns {Piece} */
function mine(item, context) {
  const words = h("p", { class: "bubble", dir: "auto" });
  const status = h("p", { class: "status" });
  const actions = h("p", { class: "status-actions", hidden: true });
  const speaker = h("span", { class: "visually-hidden" });
  const el = h("article", { class: "mine" }, speaker, words, status, actions);

  return {
    el,
    update(next) {
      const pending = next.kind === "pending" ? next.pending : null;
      const content = pending?.content ?? next.content;
      if (words.textContent !== content) words.textContent = content;
      speaker.textContent = [text.you, timeOfDay(next.at)].filter(Boolean).join(", ") + ": ";
      el.classList.toggle("is-unsent", Boolean(pending));
      el.classList.toggle("is-refused", Boolean(pending?.refused));
      status.textContent = pending ? pendingStatus(pending, context.connected()) : next.queued ? text.queued : next.sent ? text.sent : "";
      status.hidden = !status.textContent;
      const refused = Boolean(pending?.refused) && pending.refused !== "expired";
      if (refused && actions.hidden) {
        actions.replaceChildren(
          h("button", { type: "button", class: "link", text: text.editMessage, on: { click: () => context.edit(pending.id) } }),
          h("button", { type: "button", class: "link", text: text.retry, on: { click: () => context.tryAgain(pending.id) } }),
        );
      }
      actions.hidden = !refused;
    },
  };
}

/** @param {import("./state.js").Pending} pending @param {boolean} connected */
function pendingStatus(pending, connected) {
  if (pending.refused) return pending.refused === "expired" ? text.notSent : refusal(pending);
  return connected ? text.sending : text.notSentYet;
}

/** Why a message was refused, and what to do. @param {import("./state.js").Pending} pending */
export function refusal(pending) {
  switch (pending.refused) {
    case "rate":
      return text.rateLimited;
    case "queue":
      return text.queueFull;
    case "busy":
      return text.busy;
    case "usage":
      return text.usageLimit(moment(pending.detail));
    case "long":
    case "large":
      return text.tooLarge;
    case "turn":
      return text.unavailable;
    default:
      return text.refused(pending.detail);
  }
}

/** @param {Item} item @param {string} className @param {string} name @returns {Piece} */
function answerPiece(item, className, name) {
  const prose = h("div", { class: "prose", dir: "auto" });
  const badge = className.includes("staff") ? icon("person") : null;
  const byline = h("p", { class: "byline" }, badge, h("span", { class: "name", text: name }), h("time", { datetime: item.at, text: timeOfDay(item.at) }));
  const cut = item.cut ? h("p", { class: "line cut" }, icon("minus"), h("span", { text: text.cut })) : null;
  return {
    el: h("article", { class: className }, byline, prose, cut),
    update(next) {
      prose.classList.toggle("is-plain", !next.html);
      if (next.html) prose.replaceChildren(serverHtml(next.html));
      else prose.textContent = next.content ?? "";
    },
  };
}

/** @param {Item} item @returns {Piece} */
function livePiece(item) {
  const words = document.createTextNode("");
  const name = h("span", { class: "name" });
  const prose = h("div", { class: "prose is-plain is-live", dir: "auto" });
  prose.append(words);
  return {
    el: h("article", { class: "theirs" }, h("p", { class: "byline" }, name), prose),
    update(next) {
      name.textContent = agentName(next.agent);
      const before = words.data;
      if (next.content.startsWith(before)) words.appendData(next.content.slice(before.length));
      else words.data = next.content;
    },
  };
}

/** A preview like all text that is being written: what was thought is in no event, and goes with the turn's end. @returns {Piece} */
function reasoningPiece() {
  const body = h("p", { class: "reasoning-text" });
  const badge = h("span", { class: "badge" });
  const el = h("details", { class: "tool reasoning" }, h("summary", {}, badge, h("span", { text: text.thinking }), icon("chevron")), body);
  return {
    el,
    update(next) {
      el.dataset.status = next.closed ? "done" : "running";
      showIcon(badge, next.closed ? "check" : "spinner");
      body.textContent = next.content;
    },
  };
}

/** @returns {Piece} */
function typingPiece() {
  const words = h("span", { class: "typing-text" });
  const dots = h("span", { class: "dots", "aria-hidden": "true" }, h("span"), h("span"), h("span"));
  return {
    el: h("p", { class: "typing" }, dots, words),
    update: (next) => void (words.textContent = next.stopping ? text.stopping : text.typing),
  };
}

/** @type {Record<string, [string, string]>} */
const TOOL_LOOKS = {
  running: ["spinner", text.toolRunning],
  waiting: ["hourglass", text.toolWaiting],
  done: ["check", text.toolDone],
  failed: ["cross", text.toolFailed],
  notrun: ["minus", text.toolNotRun],
  closed: ["minus", text.toolClosed],
  unknown: ["warning", text.toolUnknown],
};

/** @param {Item} item @returns {Piece} */
function toolPiece(item) {
  const badge = h("span", { class: "badge" });
  const title = h("span", { class: "tool-title" });
  const state = h("span", { class: "tool-state" });
  const body = h("div", { class: "tool-body" });
  const el = h("details", { class: "tool" }, h("summary", {}, badge, title, state, icon("chevron")), body);
  return {
    el,
    update(next) {
      const [look, word] = TOOL_LOOKS[next.status] ?? TOOL_LOOKS.running;
      el.dataset.status = next.status;
      showIcon(badge, look);
      title.textContent = next.title || prettify(next.tool);
      state.textContent = word;
      state.classList.toggle("visually-hidden", next.status === "done" || next.status === "running");
      body.replaceChildren(...toolBody(next));
    },
  };
}

/** Of an answer that nobody decides on. */
const RESULT_ROWS = 40;

/** @param {Item} item @returns {HTMLElement[]} */
function toolBody(item) {
  const parts = [];
  if (item.args !== undefined) parts.push(h("h4", { text: text.toolArguments }), facts(item.args));
  if (item.status === "done" && item.result !== undefined) parts.push(h("h4", { text: text.toolResult }), facts(item.result, RESULT_ROWS));
  if (item.error) parts.push(h("h4", { text: text.toolError }), facts(item.error.message ?? item.error));
  return parts;
}

/** @param {string} className @param {string} sign @param {string} words @param {string} [title] @returns {Piece} */
function linePiece(className, sign, words, title) {
  return { el: h("p", { class: className, title: title || null }, icon(sign), h("span", { text: words })), update() {} };
}
