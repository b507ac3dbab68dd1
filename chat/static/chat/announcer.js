/** Tells screen readers about finished things: whole answers and decisions, never single tokens. */
import { outcome, secondsLeft } from "./approval.js";
import { h, plainText } from "./dom.js";
import { agentName, text } from "./text.js";

/** Minutes before the end of an approval at which the time left is said. */
const REMIND_AT = [5, 1];
const KEPT = 12;

export class Announcer {
  /** @type {Set<string>} */ #reminded = new Set();

  /** @param {HTMLElement} region  a visually hidden live region */
  constructor(region) {
    this.region = region;
  }

  /** @param {string} words */
  say(words) {
    if (!words) return;
    this.region.append(h("p", { text: words }));
    while (this.region.childElementCount > KEPT) this.region.firstElementChild?.remove();
  }

  /** @param {import("./state.js").Item} item */
  tell(item) {
    this.say(wordsFor(item));
  }

  /** @param {import("./state.js").Item} approval @param {number} now  server time in milliseconds */
  remind(approval, now) {
    const left = secondsLeft(approval, now) / 60;
    const due = REMIND_AT.find((minutes) => left > minutes - 1 && left <= minutes);
    const key = `${approval.interruptId}:${due}`;
    if (!due || this.#reminded.has(key)) return;
    this.#reminded.add(key);
    this.say(text.announceTimeLeft(text.minutes(due), approval.message ?? ""));
  }
}

/** @param {import("./state.js").Item} item @returns {string} */
function wordsFor(item) {
  const said = item.html ? plainText(item.html) : (item.content ?? "");
  switch (item.kind) {
    case "response":
      return `${agentName(item.agent)}: ${said}`;
    case "staff":
      return `${item.author || text.team}: ${said}`;
    case "approval":
      if (item.status !== "open") return item.outcome || `${outcome(item)}. ${item.message ?? ""}`;
      if (item.problem) return text.answerRefused;
      return item.approver === "staff" ? text.announceStaffApproval(item.message) : text.announceApproval(item.message);
    case "handoff":
      return item.by === "customer" ? text.handoffByCustomer : text.handoff;
    case "handback":
      return text.handback;
    case "stopped":
      return text.stopped;
    case "error":
      return item.reason === "turn" || !item.message ? text.turnFailed : item.message;
    default:
      return "";
  }
}
