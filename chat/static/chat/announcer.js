/** Tells screen readers about finished things: whole answers and decisions, never single tokens. */
import { changesOf, outcome, secondsLeft } from "./approval.js";
import { h, plainText } from "./dom.js";
import { handoffWords } from "./people.js";
import { problemWords } from "./problem.js";
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
      return [`${agentName(item.agent)}: ${said}`, item.cut ? text.cut : ""].filter(Boolean).join(" ");
    case "staff":
      return `${item.author || text.team}: ${said}`;
    case "approval":
      if (item.status !== "open") return item.outcome || decided(item);
      if (item.problem) return text.answerRefused;
      return item.approver === "staff" ? text.announceStaffApproval(item.message) : text.announceApproval(item.message);
    case "handoff":
      return [...handoffWords(item), text.handoffStay].join(" ");
    case "joined":
      return `${text.joined}. ${text.joinedMore}`;
    case "queued":
      return text.queued;
    case "sent":
      return text.sent;
    case "retrying":
      return text.retrying;
    case "handback":
      return text.handback;
    case "feedback":
      return text.announceFeedback;
    case "stopped":
      return text.stopped;
    case "error":
      return problemWords(item);
    default:
      return "";
  }
}

/** @param {import("./state.js").Item} item */
const decided = (item) => [outcome(item), changesOf(item), item.message].filter(Boolean).join(". ");
