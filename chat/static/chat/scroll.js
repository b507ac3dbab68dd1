/** Keeps the newest words in sight, or, where the reader has scrolled up to read, the words that are being read. */
const NEAR_PX = 90;

export class StickyScroll {
  #sticky = true;
  #expected = -1;

  /** @param {HTMLElement} area @param {HTMLElement} content @param {HTMLElement} log @param {HTMLButtonElement} jump */
  constructor(area, content, log, jump) {
    this.area = area;
    this.log = log;
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

  /** Runs `draw`, which may put something above what is being read. @param {() => void} draw */
  keepPlace(draw) {
    const anchor = this.#sticky ? undefined : this.#firstInSight();
    const before = anchor?.getBoundingClientRect().top ?? 0;
    draw();
    if (!anchor?.isConnected) return;
    const moved = anchor.getBoundingClientRect().top - before;
    if (Math.abs(moved) > 0.5) this.area.scrollTop += moved;
  }

  #firstInSight() {
    const top = this.area.getBoundingClientRect().top;
    return [...this.log.children].find((one) => !one.classList.contains("day") && one.getBoundingClientRect().bottom > top);
  }

  /** The reader goes somewhere else. */
  letGo() {
    this.#sticky = false;
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
