/** Keeps the newest words in sight, unless the reader has scrolled up to read. */
const NEAR_PX = 90;

export class StickyScroll {
  #sticky = true;
  #expected = -1;

  /** @param {HTMLElement} area @param {HTMLElement} content @param {HTMLButtonElement} jump */
  constructor(area, content, jump) {
    this.area = area;
    this.jump = jump;
    area.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    jump.addEventListener("click", () => this.toLatest());
    const keep = new ResizeObserver(() => this.follow());
    keep.observe(area);
    keep.observe(content);
  }

  /** After something was drawn. */
  follow() {
    if (this.#sticky) this.#jumpDown();
    else this.jump.hidden = this.#distance() < NEAR_PX;
  }

  toLatest() {
    this.#sticky = true;
    this.#jumpDown();
  }

  #distance() {
    return this.area.scrollHeight - this.area.scrollTop - this.area.clientHeight;
  }

  #jumpDown() {
    this.area.scrollTop = this.area.scrollHeight;
    this.#expected = this.area.scrollTop;
    this.jump.hidden = true;
  }

  #scrolled() {
    const ours = Math.abs(this.area.scrollTop - this.#expected) < 2;
    const near = this.#distance() < NEAR_PX;
    if (!ours || near) this.#sticky = near;
    this.jump.hidden = near;
  }
}
