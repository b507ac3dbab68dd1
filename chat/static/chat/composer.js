/** The box the customer writes in. Enter sends, Shift+Enter breaks the line, and nothing is sent while an input method
 * (Chinese, Japanese, Korean…) is still composing a word. */
import { codePoints } from "./stream.js";
import { draft, keepDraft } from "./memory.js";
import { text } from "./text.js";

const FRAME_BYTES = 32_768;
/** Room for the rest of the frame: type, ids, quotes. */
const FRAME_OVERHEAD = 512;
const WARN_FROM = 0.9;

export class Composer {
  holds = false;

  /**
   * @param {{form: HTMLFormElement, box: HTMLTextAreaElement, send: HTMLButtonElement, counter: HTMLElement,
   *          note: HTMLElement, limit: number, onSend: (content: string) => void}} parts
   */
  constructor(parts) {
    this.parts = parts;
    const { form, box } = parts;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
      event.preventDefault();
      this.submit();
    });
    box.addEventListener("input", () => {
      if (!this.holds) this.say("");
      this.refresh();
      keepDraft(box.value);
    });
    box.value = draft();
    this.refresh();
  }

  get isEmpty() {
    return this.parts.box.value.trim() === "";
  }

  /** Puts text into the box and the cursor behind it. @param {string} content @param {string} [note] */
  fill(content, note = "") {
    this.parts.box.value = content;
    keepDraft(content);
    this.refresh();
    this.say(note);
    this.focus();
  }

  focus() {
    this.parts.box.focus({ preventScroll: true });
  }

  /** Says something about what is in the box, until it changes; or, where it `holds`, until it is sent.
   * @param {string} words @param {{holds?: boolean}} [options] */
  say(words, { holds = false } = {}) {
    this.holds = holds;
    this.parts.note.textContent = words;
  }

  submit() {
    const { box, onSend } = this.parts;
    const content = wellFormed(box.value.trim());
    const fault = this.#fault(content);
    if (fault) this.say(fault);
    if (!content || fault || box.disabled) return;
    this.fill("");
    onSend(content);
  }

  /** Fits the box to its text, and counts when the end is near. */
  refresh() {
    const { box, send, counter, limit } = this.parts;
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight}px`;
    const near = box.value.length > limit * WARN_FROM;
    const used = near ? codePoints(box.value.trim()) : 0;
    counter.hidden = used <= limit * WARN_FROM;
    counter.textContent = counter.hidden ? "" : text.counter(used, limit);
    counter.classList.toggle("is-over", used > limit);
    box.setAttribute("aria-invalid", String(used > limit));
    send.disabled = this.isEmpty || box.disabled;
  }

  /** @param {string} content @returns {string} why it cannot be sent, or nothing */
  #fault(content) {
    const over = codePoints(content) - this.parts.limit;
    if (over > 0) return text.tooLong(over);
    const bytes = new TextEncoder().encode(JSON.stringify(content)).length + FRAME_OVERHEAD;
    return bytes > FRAME_BYTES ? text.tooLarge : "";
  }
}

/** Safari ends the composition before the key that ended it; that key has the code 229. @param {KeyboardEvent} event */
const isComposing = (event) => event.isComposing || event.keyCode === 229;

/** Half a surrogate pair and NUL cannot be stored as text. @param {string} content */
function wellFormed(content) {
  const whole = "toWellFormed" in String.prototype ? /** @type {any} */ (content).toWellFormed() : content;
  return whole.replaceAll("\u0000", "");
}
