/** Points to an approval that waits for the customer further up, where it is not in sight. */
import { text } from "./text.js";

export class ApprovalPointer {
  /** @param {HTMLElement} area @param {HTMLButtonElement} button @param {{letGo: () => void}} scroll */
  constructor(area, button, scroll) {
    this.area = area;
    this.button = button;
    this.scroll = scroll;
    /** @type {HTMLElement | null} */ this.card = null;
    /** @type {HTMLElement} */ (button.querySelector("span")).textContent = text.approvalWaits;
    button.addEventListener("click", () => this.#go());
    area.addEventListener("scroll", () => this.#place(), { passive: true });
  }

  /** @param {import("./state.js").State} state */
  update(state) {
    const waiting = [...state.items.values()].filter(
      (item) => item.kind === "approval" && item.status === "open" && item.approver !== "staff" && !item.sending,
    );
    const heading = waiting.length ? document.getElementById(`approval-${waiting[0].interruptId}`) : null;
    this.card = heading?.closest("section") ?? null;
    this.#place();
  }

  #place() {
    const above = this.card && this.card.getBoundingClientRect().bottom < this.area.getBoundingClientRect().top + 8;
    this.button.hidden = !above;
  }

  #go() {
    this.scroll.letGo();
    this.card?.scrollIntoView({ block: "center" });
    this.card?.focus({ preventScroll: true });
  }
}
