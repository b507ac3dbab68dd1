/** What stands above the conversation while not all of it is here: a button to load more, and what came of it. */
import { text } from "./text.js";

/** So near the top, the page before is asked for. */
const NEAR_PX = 320;

export class EarlierMessages {
  /**
   * @param {{area: HTMLElement, row: HTMLElement, words: HTMLElement, button: HTMLButtonElement}} parts
   * @param {{load: () => void, say: (words: string) => void}} context
   */
  constructor(parts, { load, say }) {
    this.parts = parts;
    this.load = load;
    this.say = say;
    this.pages = 0;
    /** @type {import("./state.js").Earlier | null} */ this.shown = null;
    parts.button.textContent = text.loadEarlier;
    parts.button.addEventListener("click", load);
    parts.area.addEventListener("scroll", () => this.loadAtTheTop(), { passive: true });
  }

  /** @param {import("./state.js").Earlier | null} earlier */
  show(earlier) {
    const { row, words, button } = this.parts;
    if (earlier === this.shown) return;
    this.shown = earlier;
    const more = Boolean(earlier?.before);
    const loading = earlier?.status === "loading";
    const focused = document.activeElement === button;
    row.dataset.status = more ? (earlier?.status ?? "") : "end";
    row.hidden = !earlier || (!more && earlier.pages < 2);
    button.hidden = !more;
    button.setAttribute("aria-disabled", String(loading));
    const failed = earlier?.status === "failed";
    words.textContent = !more ? text.beginning : failed ? text.earlierFailed : "";
    button.textContent = loading ? text.loadingEarlier : failed ? text.retry : text.loadEarlier;
    if (focused && button.hidden) words.focus({ preventScroll: true });
    this.#tell(earlier);
  }

  /** @param {import("./state.js").Earlier | null} earlier */
  #tell(earlier) {
    const pages = earlier?.pages ?? 0;
    if (pages > Math.max(this.pages, 1)) this.say(earlier?.before ? text.earlierLoaded : text.beginning);
    else if (earlier?.status === "failed") this.say(text.earlierFailed);
    this.pages = pages;
  }

  /** Asks for the page before where somebody is there to read it. A failure is tried again by hand alone. */
  loadAtTheTop() {
    if (this.shown?.before && this.shown.status === "idle" && this.parts.area.scrollTop < NEAR_PX) this.load();
  }
}
