/**
 * One customer's side of the protocol: which conversation is open, what is still to be sent, and catching up after a
 * break. It knows the socket and the state, and no DOM.
 *
 * A message is sent one at a time and again until the server has accepted it; its client_message_id makes the
 * repetition harmless. A conversation of an earlier visit is asked for from its end (`history`), and what lies before
 * when somebody scrolls there. After every connect the server is asked for what was missed (`resume`); it answers with
 * `resumed` when everything is sent, or with an error. The `ping` sent along tells when an answer must have come.
 */
import { ReconnectingSocket } from "./socket.js";
import { kindOfError } from "./errors.js";
import { answerFeedback } from "./reduce_feedback.js";
import { answer, apply, applyPage, createState, hasGap, settle } from "./store.js";
import { runningTurn } from "./order.js";
import { Questions } from "./questions.js";
import * as memory from "./memory.js";

/** A piece of text that is missing shows at once. */
const TORN_PATIENCE_MS = 400;
/** A missing seq mostly belongs to an event that customers are not told of; asking can wait until it is quiet. */
const QUIET_MS = 5_000;
const RESUME_AGAIN_MS = 2_000;
const ANSWER_PATIENCE_MS = 20_000;
/** Messages of one page of history. */
const PAGE = 20;

export class Session {
  #catchingUp = false;
  #paging = false;
  #gapTimer = 0;
  #answerTimer = 0;
  #silent = true;

  /** @param {{url: () => string, heartbeatSeconds?: number, onChange: () => void}} options */
  constructor({ url, heartbeatSeconds, onChange }) {
    this.changed = onChange;
    this.quietMs = Math.min(QUIET_MS, (heartbeatSeconds ?? Infinity) * 1000);
    const known = memory.rememberedThread();
    /** Nothing of this thread can be on the server yet. */
    this.fresh = !known;
    this.loading = Boolean(known);
    /** This page made the thread's id: nobody else can have it. */
    this.minted = !known;
    /** Server clock minus ours, in milliseconds. */
    this.serverAhead = 0;
    this.state = createState(known ?? crypto.randomUUID());
    this.state.pending = memory.unsent(this.state.threadId).map(pendingOf);
    memory.rememberThread(this.state.threadId);
    this.socket = new ReconnectingSocket({
      url,
      heartbeatSeconds,
      onFrame: (frame) => this.#take(frame),
      onStatus: (status) => this.#connectionIs(status),
    });
    this.questions = new Questions(this.socket);
  }

  get status() {
    return this.socket.status;
  }

  get running() {
    return runningTurn(this.state);
  }

  start() {
    this.socket.open();
    this.changed();
  }

  /** Connects anew, as whoever the customer is now. */
  reconnect() {
    this.socket.reset();
    this.socket.open();
  }

  /** @param {string} content */
  send(content) {
    this.state.pending = [...this.state.pending, pendingOf({ id: crypto.randomUUID(), content })];
    this.#flush();
    this.#keep();
  }

  /** Takes a refused message out of the queue. @param {string} id @returns {string} its text */
  takeBack(id) {
    const taken = this.state.pending.find((one) => one.id === id);
    this.state.pending = this.state.pending.filter((one) => one !== taken);
    this.#keep();
    return taken?.content ?? "";
  }

  /** Sends a refused message once more. @param {string} id */
  tryAgain(id) {
    this.state.pending = this.state.pending.map((one) => (one.id === id ? { ...one, refused: null, detail: "" } : one));
    this.#flush();
    this.#keep();
  }

  /** Asks for a failed turn to be tried again: it goes on where it broke. @param {string} turnId */
  retryTurn(turnId) {
    const turn = this.state.turns.get(turnId);
    if (turn?.status !== "failed" || turn.retry === "asked") return;
    turn.retry = "asked";
    this.#sendRetry(turnId);
    this.changed();
  }

  /** Asks for the page before what is here, unless that is being done or there is none. */
  async loadEarlier() {
    const { state } = this;
    const { earlier } = state;
    const busy = this.#catchingUp || this.#paging || state.pending.some((one) => one.inFlight);
    if (!earlier?.before || this.status !== "open" || busy) return;
    state.earlier = { ...earlier, status: "loading" };
    this.#paging = true;
    this.changed();
    const told = await this.questions.ask({ type: "history", thread_id: state.threadId, before: earlier.before, limit: PAGE });
    this.#paging = false;
    // Where the connection was lost, the reader at the top asks again with the next one.
    if (state.earlier?.status === "loading") state.earlier = { ...state.earlier, status: told === null ? "idle" : "failed" };
    this.#flush();
    this.changed();
  }

  /** @param {string} interruptId @param {boolean} approved */
  decide(interruptId, approved) {
    const approval = this.state.items.get(`interrupt:${interruptId}`);
    if (approval?.status !== "open" || approval.sending) return; // one answer, however often it was clicked
    answer(this.state, interruptId, approved);
    this.#sendAnswer(interruptId, approved);
    this.changed();
  }

  /** @param {import("./reduce_feedback.js").Said} said */
  giveFeedback(said) {
    answerFeedback(this.state, said);
    this.#sendFeedback();
    this.changed();
  }

  stop() {
    const turn = this.running;
    if (!turn || !this.socket.send({ type: "stop", thread_id: this.state.threadId })) return;
    turn.stopping = true;
    this.changed();
  }

  /** Opens an empty conversation. @param {{keepPending?: boolean}} [options] */
  startNew({ keepPending = false } = {}) {
    const pending = keepPending ? this.state.pending.map(pendingOf) : [];
    this.state = createState(crypto.randomUUID());
    this.state.pending = pending;
    this.fresh = true;
    this.minted = true;
    this.loading = false;
    memory.rememberThread(this.state.threadId);
    this.#flush();
    this.#keep();
  }

  #keep() {
    memory.keepUnsent(
      this.state.threadId,
      this.state.pending.map(({ id, content }) => ({ id, content })),
    );
    this.changed();
  }

  /** @param {import("./socket.js").Status} status */
  #connectionIs(status) {
    if (status === "open") void this.#catchUp();
    else {
      this.#catchingUp = false;
      this.#paging = false;
      this.state.pending = this.state.pending.map((one) => ({ ...one, inFlight: false }));
      if (status === "unauthorized") this.loading = false;
    }
    this.changed();
  }

  async #catchUp() {
    if (!this.fresh) {
      this.#catchingUp = true;
      for (const ask of [() => this.#askForNewest(), () => this.#askForMissed()]) {
        const told = await ask();
        if (told === null) return; // connected anew, and asked again, or not connected at all
        if (!told) return void setTimeout(() => this.status === "open" && this.#catchUp(), RESUME_AGAIN_MS);
        if (this.fresh) break; // the server does not know the thread
      }
      this.#catchingUp = false;
    }
    this.loading = false;
    this.#silent = false;
    this.#flush();
    this.#repeatUnanswered();
    this.changed();
  }

  /** What was clicked without a connection, and is still to be decided. */
  #repeatUnanswered() {
    for (const item of this.state.items.values()) {
      if (item.kind === "approval" && item.status === "open" && item.sending) {
        this.#sendAnswer(item.interruptId, item.sending === "approve");
      }
    }
    for (const turn of this.state.turns.values()) if (turn.retry === "asked") this.#sendRetry(turn.id);
    this.#sendFeedback();
  }

  /** A conversation of which nothing is here yet is read from its end. */
  async #askForNewest() {
    const { threadId, last, earlier } = this.state;
    if (this.minted || last > 0 || earlier) return true;
    return this.questions.ask({ type: "history", thread_id: threadId, limit: PAGE });
  }

  async #askForMissed() {
    const { threadId, floor } = this.state;
    return this.questions.ask({ type: "resume", thread_id: threadId, after: floor });
  }

  /** @param {Record<string, any> & {type: string}} frame */
  #take(frame) {
    if (frame.type === "resumed" || frame.type === "history") return this.#takeAnswer(frame);
    if (this.#refusedToTell(frame)) return;
    const waiting = this.state.pending.length;
    if (!apply(this.state, frame)) return;
    if (frame.at && !this.#catchingUp) this.serverAhead = Date.parse(frame.at) - Date.now() || 0;
    if (this.#silent) this.state.news = [];
    if (this.state.ended === "gone") {
      this.questions.closeAll();
      if (this.#unknownThread()) return;
    }
    if (frame.type === "error" || this.state.pending.length !== waiting) {
      this.#flush();
      this.#keep();
    }
    this.#watchGap();
    this.changed();
  }

  /** @param {Record<string, any> & {type: string}} frame */
  #takeAnswer(frame) {
    this.questions.answered(frame.type);
    if (frame.thread_id !== this.state.threadId) return;
    if (frame.type === "resumed") settle(this.state, frame.seq);
    else applyPage(this.state, /** @type {any} */ (frame));
    this.changed();
  }

  /** What the server could not tell just now is asked for again; it is nothing that the customer has to know. @param {Record<string, any>} frame */
  #refusedToTell(frame) {
    if (frame.type !== "error" || Number.isInteger(frame.seq) || !(this.#catchingUp || this.#paging)) return false;
    const { pending, items, turns } = this.state;
    const sent = [...items.values()].some((item) => item.sending) || [...turns.values()].some((turn) => turn.retry === "asked");
    return !sent && !this.state.feedback.sending && !pending.some((one) => one.inFlight) && kindOfError(frame) !== "thread";
  }

  /** A thread without a word in it may be unknown: not there yet, or not ours any more. */
  #unknownThread() {
    if (this.state.last > 0) return false;
    if (this.minted) this.state.ended = null;
    else this.startNew({ keepPending: true });
    return true;
  }

  #watchGap() {
    clearTimeout(this.#gapTimer);
    if (!hasGap(this.state) || this.#catchingUp) return;
    this.#gapTimer = setTimeout(
      () => {
        if (hasGap(this.state) && !this.#catchingUp && this.status === "open") void this.#catchUp();
      },
      this.state.torn ? TORN_PATIENCE_MS : this.quietMs,
    );
  }

  /** Sends the oldest waiting message, unless one is on its way already. */
  #flush() {
    const { pending, threadId, ended } = this.state;
    const next = pending.find((one) => !one.refused);
    if (!next || ended || this.#catchingUp || this.#paging || pending.some((one) => one.inFlight)) return;
    const frame = { type: "message", thread_id: threadId, content: next.content, client_message_id: next.id };
    if (!this.socket.send(frame)) return;
    this.fresh = false;
    this.state.pending = pending.map((one) => (one === next ? { ...one, inFlight: true } : one));
    clearTimeout(this.#answerTimer);
    this.#answerTimer = setTimeout(() => this.#sendAgain(next.id), ANSWER_PATIENCE_MS);
  }

  /** @param {string} id */
  #sendAgain(id) {
    const { pending } = this.state;
    if (!pending.some((one) => one.id === id && one.inFlight)) return;
    this.state.pending = pending.map((one) => ({ ...one, inFlight: false }));
    this.#flush();
  }

  /** @param {string} turnId */
  #sendRetry(turnId) {
    if (this.#catchingUp) return; // sent when everything missed is here, if it is still failed then
    this.socket.send({ type: "retry", thread_id: this.state.threadId, turn_id: turnId });
  }

  #sendFeedback() {
    const { threadId, feedback } = this.state;
    if (this.#catchingUp || !feedback.sending) return; // sent when everything missed is here, if it does not stand then
    this.socket.send({ type: "feedback", thread_id: threadId, ...feedback.sending });
  }

  /** @param {string} interruptId @param {boolean} approved */
  #sendAnswer(interruptId, approved) {
    if (this.#catchingUp) return; // sent when everything missed is here, if it is still open then
    this.socket.send({
      type: "interrupt_response",
      thread_id: this.state.threadId,
      interrupt_id: interruptId,
      approved,
    });
  }
}

/** @param {{id: string, content: string}} message @returns {import("./state.js").Pending} */
const pendingOf = ({ id, content }) => ({ id, content, inFlight: false, refused: null, detail: "" });
