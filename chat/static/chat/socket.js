/**
 * One WebSocket that comes back: reconnects with growing, scattered pauses, notices a connection that is dead but not
 * closed, and stops for good when the server says that nobody knows this customer (close code 4001).
 *
 * @typedef {"connecting" | "open" | "waiting" | "offline" | "unauthorized"} Status
 * @typedef {object} Options
 * @property {() => string} url  asked for at every attempt
 * @property {(frame: Record<string, any>) => void} onFrame
 * @property {(status: Status) => void} onStatus
 * @property {number} [heartbeatSeconds]  silence after which the server is asked whether it is still there
 */
import { parseExact } from "./exact.js";

const UNAUTHORIZED = 4001;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 20_000;
const OPENING_MS = 15_000;

export class ReconnectingSocket {
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {((answered: boolean) => void)[]} */ #pings = [];
  #attempts = 0;
  #pause = 0;
  #silence = 0;
  #deadline = 0;

  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    this.heartbeatMs = (options.heartbeatSeconds ?? 25) * 1000;
    /** @type {Status} */ this.status = "connecting";
    addEventListener("online", () => this.retryNow());
    addEventListener("offline", () => this.#lost("offline"));
    document.addEventListener("visibilitychange", () => !document.hidden && this.check());
  }

  /** Opens the connection, leaving any earlier one behind. */
  open() {
    this.#drop();
    this.#become("connecting");
    const socket = new WebSocket(this.options.url());
    this.#socket = socket;
    this.#deadline = setTimeout(() => this.#lost("waiting"), OPENING_MS);
    socket.onopen = () => {
      clearTimeout(this.#deadline);
      this.#heard();
      this.#become("open");
    };
    socket.onmessage = (event) => this.#receive(event);
    socket.onclose = (event) => this.#lost(event.code === UNAUTHORIZED ? "unauthorized" : "waiting");
  }

  /** Forgets that the server did not know this customer. */
  reset() {
    this.#drop();
    this.#attempts = 0;
    this.status = "waiting";
  }

  /** @param {Record<string, any>} frame @returns {boolean} false while there is no connection */
  send(frame) {
    if (this.status !== "open" || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /**
   * Asks the server whether it is there. Frames are answered in order: when the answer is here, so is everything that
   * was asked for before. Resolves to false when the connection is lost first.
   * @returns {Promise<boolean>}
   */
  ping() {
    return new Promise((answered) => {
      if (!this.send({ type: "ping" })) return answered(false);
      this.#pings.push(answered);
    });
  }

  /** Tries at once instead of at the end of the pause. */
  retryNow() {
    if (this.status === "unauthorized" || this.status === "connecting") return;
    if (this.status === "open") return this.check();
    this.#attempts = 0;
    this.open();
  }

  /** Finds out soon whether the connection still lives. */
  check() {
    if (this.status !== "open") return;
    void this.ping();
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#lost("waiting"), Math.min(10_000, this.heartbeatMs));
  }

  /** @param {MessageEvent} event */
  #receive(event) {
    this.#heard();
    let frame;
    try {
      frame = parseExact(event.data);
    } catch {
      return;
    }
    this.#attempts = 0;
    if (frame?.type === "pong") this.#pings.shift()?.(true);
    else if (typeof frame?.type === "string") this.options.onFrame(frame);
  }

  #heard() {
    clearTimeout(this.#deadline);
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.check(), this.heartbeatMs);
  }

  /** @param {Status} status */
  #lost(status) {
    if (this.status === "unauthorized") return;
    this.#drop();
    if (status === "waiting" && !navigator.onLine) status = "offline";
    if (status !== "unauthorized") {
      // Offline, too: not every browser tells when the network is back.
      const growing = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#attempts);
      const ceiling = status === "offline" ? LONGEST_PAUSE_MS : growing;
      this.#attempts += 1;
      this.#pause = setTimeout(() => this.open(), ceiling * (0.5 + Math.random() / 2));
    }
    this.#become(status);
  }

  #drop() {
    for (const timer of [this.#pause, this.#silence, this.#deadline]) clearTimeout(timer);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    for (const answered of this.#pings.splice(0)) answered(false);
  }

  /** @param {Status} status */
  #become(status) {
    if (status === this.status) return;
    this.status = status;
    this.options.onStatus(status);
  }
}
