/**
 * The conversation as the page knows it: `apply` takes one frame of the socket and changes the state, without clock,
 * network or DOM. Items are replaced, never changed, so that the view redraws exactly those that differ.
 *
 * Frames may come twice, late, or in another order after a reconnect. Each one that reports an event is taken once,
 * by its seq and type (one event can be told by two frames), and `floor` is the seq up to which nothing is missing.
 *
 * @typedef {import("./state.js").State} State
 * @typedef {import("./state.js").Frame} Frame
 */
import { reducers } from "./reducers.js";
import { put, start, turnOf } from "./state.js";

export { createState } from "./state.js";

/** @param {State} state @param {Frame} frame @returns {boolean} whether anything changed */
export function apply(state, frame) {
  if (frame.thread_id && frame.thread_id !== state.threadId) return false;
  if (Number.isInteger(frame.seq) && !take(state, frame)) return false;
  if (!Object.hasOwn(reducers, frame.type)) return false;
  const turn = frame.turn_id ? turnOf(state, frame.turn_id) : null;
  if (turn && Number.isInteger(frame.seq) && !["accepted", "user_message"].includes(frame.type)) start(turn, frame.seq);
  reducers[frame.type](state, frame, turn);
  return true;
}

/** @param {State} state @param {Frame} frame @returns {boolean} false for a frame that was here before */
function take(state, frame) {
  const key = `${frame.seq}:${frame.type}`;
  if (state.seen.has(key)) return false;
  state.seen.add(key);
  state.last = Math.max(state.last, frame.seq);
  if (frame.seq > state.floor) state.beyond.add(frame.seq);
  climb(state);
  return true;
}

/** @param {State} state */
function climb(state) {
  while (state.beyond.delete(state.floor + 1)) state.floor += 1;
}

/** Whether an event or a piece of text may be missing. @param {State} state */
export const hasGap = (state) => state.torn || state.floor < state.last;

/**
 * Everything up to `seq` has been asked for and answered: seqs without a frame have none.
 * @param {State} state @param {number} seq
 */
export function settle(state, seq) {
  state.floor = Math.max(state.floor, seq);
  state.last = Math.max(state.last, seq);
  for (const one of state.beyond) if (one <= state.floor) state.beyond.delete(one);
  climb(state);
  state.torn = false;
}

/**
 * Takes one page of history in. It is laid under what is here already and replaces nothing: what was only streamed, or
 * happened since the page was read, stays. Old news is no news.
 * @param {State} state
 * @param {{frames: Frame[], pending?: Frame[], next: number | null, seq?: number | null}} page
 */
export function applyPage(state, { frames, pending, next, seq }) {
  const news = [...state.news];
  for (const frame of [...frames, ...(pending ?? [])]) apply(state, frame);
  state.news = news;
  if (Number.isInteger(seq)) settle(state, /** @type {number} */ (seq));
  state.earlier = { before: next ?? null, status: "idle", pages: (state.earlier?.pages ?? 0) + 1 };
}

/** The customer clicked. @param {State} state @param {string} interruptId @param {boolean} approved */
export function answer(state, interruptId, approved) {
  put(state, `interrupt:${interruptId}`, { sending: approved ? "approve" : "decline", problem: null });
}
