/**
 * The card below the conversation that asks what the customer thought: solved or not, then a score and a comment. It comes
 * when the server asks or the customer wants it, and can be closed, answered in parts and changed.
 */
import { dismissedFeedback, dismissFeedback } from "./memory.js";
import { isHeld } from "./order.js";
import { text } from "./text.js";

/**
 * @typedef {import("./state.js").State} State
 * @typedef {import("./reduce_feedback.js").Said} Said
 * @typedef {object} Context
 * @property {(said: Said) => void} give
 * @property {() => void} askForPerson
 * @property {() => void} changed  the card looks different now
 * @property {() => boolean} connected
 * @property {HTMLElement} opener  the entry in the page's menu
 */

/** @template {HTMLElement} [T=HTMLElement] @param {string} id */
const byId = (id) => /** @type {T} */ (document.getElementById(id));

export class FeedbackCard {
  /** What of the card is open: the first question, all of it, or the thanks. @type {"ask" | "more" | "done"} */ #step = "ask";
  /** The customer opened it, up to their next message. */ #wanted = false;
  /** @type {boolean | null} what was clicked here */ #solved = null;
  /** Of which stretch of the conversation the card is. */ #stretch = "";
  /** @type {State | null} */ #state = null;

  /** @param {Context} context */
  constructor(context) {
    this.context = context;
    this.card = byId("feedback");
    this.form = /** @type {HTMLFormElement} */ (byId("feedback-more"));
    this.comment = /** @type {HTMLTextAreaElement} */ (byId("feedback-comment"));
    this.choices = /** @type {HTMLButtonElement[]} */ ([...this.card.querySelectorAll("[data-solved]")]);
    for (const choice of this.choices) choice.addEventListener("click", () => this.#choose(choice.dataset.solved === "true"));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    byId("feedback-close").addEventListener("click", () => this.#close());
    byId("feedback-change").addEventListener("click", () => this.#change());
    byId("feedback-person").addEventListener("click", () => this.context.askForPerson());
    this.context.opener.addEventListener("click", () => this.#open());
  }

  /** @param {State} state @param {boolean} loading */
  render(state, loading) {
    this.#state = state;
    const { feedback } = state;
    const newest = newestWord(state);
    const stretch = `${state.threadId}:${newest}`;
    if (stretch !== this.#stretch) {
      this.#stretch = stretch;
      this.#begin();
    }
    const answered = feedback.seq > newest;
    const due = Math.max(feedback.asked, feedback.seq) > Math.max(newest, dismissedFeedback(state.threadId));
    const gone = loading || state.ended === "gone" || state.last === 0;
    this.context.opener.hidden = gone;
    const shown = !gone && !state.pending.length && (this.#wanted || due);
    if (!shown && this.card.contains(document.activeElement)) this.#leave();
    this.card.hidden = !shown;
    if (!shown) return;
    if (answered && this.#step === "ask") this.#step = "done";
    this.#draw(state);
  }

  #begin() {
    this.#step = "ask";
    this.#wanted = false;
    this.#solved = null;
    this.form.reset();
  }

  /** @param {State} state */
  #draw(state) {
    const { feedback } = state;
    const done = this.#step === "done";
    const solved = this.#solved ?? (this.#step === "ask" ? null : feedback.solved);
    byId("feedback-heading").textContent = done ? text.feedbackThanks : text.feedbackAsk;
    byId("feedback-solved").hidden = done;
    this.form.hidden = this.#step !== "more";
    byId("feedback-change").hidden = !done;
    for (const choice of this.choices) choice.setAttribute("aria-pressed", String(String(solved) === choice.dataset.solved));
    byId("feedback-person").hidden = solved !== false || isHeld(state) || Boolean(state.ended);
    const note = byId("feedback-note");
    const words = this.#words(state, done);
    if (note.textContent !== words) note.textContent = words;
    note.classList.toggle("is-bad", Boolean(feedback.problem));
  }

  /** @param {State} state @param {boolean} done */
  #words({ feedback }, done) {
    if (feedback.problem) return feedback.problem === "rate" ? text.feedbackTooFast : text.feedbackRefused;
    if (feedback.sending && !this.context.connected()) return text.feedbackWaits;
    if (!done) return ""; // nothing below moves for the moment that a click takes
    return feedback.sending ? text.feedbackSending : text.feedbackUsed;
  }

  /** @param {boolean} solved */
  #choose(solved) {
    this.#solved = solved;
    this.#fillIn();
    this.#step = "more";
    this.context.give({ solved });
    this.context.changed();
  }

  #submit() {
    const score = this.form.querySelector("input:checked");
    const comment = this.comment.value.replaceAll("\u0000", "").trim();
    /** @type {Said} */
    const said = this.#solved === null ? {} : { solved: this.#solved };
    if (score instanceof HTMLInputElement) said.score = Number(score.value);
    if (comment || this.#state?.feedback.comment) said.comment = comment;
    this.#step = "done";
    this.context.give(said);
    this.context.changed();
    this.card.focus({ preventScroll: true });
  }

  #change() {
    this.#fillIn();
    this.#step = "more";
    this.context.changed();
    const pressed = this.choices.find((choice) => choice.getAttribute("aria-pressed") === "true");
    (pressed ?? this.choices[0]).focus({ preventScroll: true });
  }

  /** What stands is what can be changed. */
  #fillIn() {
    const { feedback } = /** @type {State} */ (this.#state);
    if (this.#step === "more") return;
    for (const input of this.form.querySelectorAll("input")) input.checked = Number(input.value) === feedback.score;
    this.comment.value = feedback.comment;
  }

  #open() {
    this.#wanted = true;
    this.context.changed();
    this.card.focus({ preventScroll: true });
  }

  #close() {
    const state = /** @type {State} */ (this.#state);
    dismissFeedback(state.threadId, state.last);
    this.#begin();
    this.context.changed();
  }

  /** What had the focus goes: back to where it can be opened again. */
  #leave() {
    const place = this.context.opener.hidden ? document.querySelector("main") : this.context.opener;
    /** @type {HTMLElement} */ (place).focus({ preventScroll: true });
  }
}

/** The seq of what the customer wrote last. @param {State} state */
function newestWord(state) {
  let newest = 0;
  for (const item of state.items.values()) if (item.kind === "message") newest = Math.max(newest, item.seq);
  return newest;
}
