/**
 * What the frames of a turn do: from the customer's message to its end, and from a failure to another try. A page of
 * history may bring the beginning of a turn after its end, so what is newer is told by `seq`, never by arrival.
 */
import { kindOfError } from "./errors.js";
import { refuse } from "./refusals.js";
import { add, put, start } from "./state.js";
import { forget, place, seal } from "./stream.js";

/**
 * @typedef {import("./state.js").State} State
 * @typedef {import("./state.js").Turn} Turn
 * @typedef {import("./state.js").Frame} Frame
 */

/** @type {Record<string, (state: State, frame: Frame, turn: Turn | null) => void>} */
export const turnFrames = {
  accepted(state, frame, turn) {
    const pending = state.pending.find((one) => one.id === frame.client_message_id);
    state.pending = state.pending.filter((one) => one !== pending);
    const fields = pending ? { content: pending.content, clientMessageId: pending.id } : null;
    putMessage(state, frame, turn, fields);
    state.usage = frame.usage ?? null;
    if (turn && frame.position === 0) start(turn, frame.seq);
    const waits = turn ? frame.position > 0 && "queued" : "sent";
    if (pending && waits) state.news.push({ key: waits, kind: waits, seq: frame.seq, turnId: null, own: true });
  },
  user_message(state, frame, turn) {
    state.pending = state.pending.filter((one) => one.id !== frame.client_message_id);
    putMessage(state, frame, turn, { content: frame.content, clientMessageId: frame.client_message_id });
  },
  token(state, frame, turn) {
    if (!lay(state, frame, turn, "text")) return;
    /** @type {Turn} */ (turn).thinking = false;
  },
  reasoning(state, frame, turn) {
    // What is thought after something was said is a block of its own.
    if (turn && !turn.thinking) seal(turn.reasoning, turn.reasoning.end);
    if (lay(state, frame, turn, "reasoning")) /** @type {Turn} */ (turn).thinking = true;
  },
  agent_response(state, frame, turn) {
    if (turn) {
      seal(turn.text, frame.end > (frame.offset ?? 0) ? frame.end : turn.text.end);
      turn.agent = frame.agent ?? turn.agent;
      turn.thinking = false;
    }
    if (!frame.content && !frame.html) return;
    const fields = { agent: frame.agent, content: frame.content, html: frame.html, cut: frame.cut === true };
    add(state, frame, { kind: "response", ...fields });
  },
  clarification(state, frame) {
    add(state, frame, { kind: "response", agent: frame.agent, content: frame.message, html: frame.html });
  },
  message_complete(state, frame, turn) {
    if (!turn || frame.seq < turn.endedAt || frame.seq < turn.retriedAt) return;
    Object.assign(turn, { status: frame.status, endedAt: frame.seq, stopping: false, thinking: false, retry: null });
    // No event has it, so it was not said: a reload would not show it either.
    forget(turn.text);
    forget(turn.reasoning);
    closeOpenItems(state, turn);
    const its = [...state.items.values()].filter((item) => item.turnId === turn.id);
    if (frame.status === "stopped" && !its.some((item) => item.cut && item.seq > turn.retriedAt)) add(state, frame, { kind: "stopped" });
    const told = its.some((item) => item.kind === "error" && item.seq === frame.seq);
    if (frame.status === "failed" && !told) add(state, frame, { kind: "error", reason: "turn", message: "" });
  },
  error(state, frame, turn) {
    if (!turn) return refuse(state, frame);
    if (frame.seq < turn.retriedAt) return;
    const known = [...state.items.values()].find((item) => item.kind === "error" && item.turnId === turn.id);
    if (known && known.seq >= frame.seq) return;
    if (known) state.items.delete(known.key);
    const fields = { reason: kindOfError(frame), message: frame.message, resetsAt: frame.resets_at, retriable: frame.retriable === true };
    add(state, frame, { kind: "error", ...fields });
  },
  retrying(state, frame, turn) {
    if (!turn || frame.seq < turn.retriedAt) return;
    turn.retriedAt = frame.seq;
    for (const item of [...state.items.values()]) {
      if (item.kind === "error" && item.turnId === turn.id && item.seq < frame.seq) state.items.delete(item.key);
    }
    if (turn.endedAt > frame.seq) return;
    Object.assign(turn, { status: "open", retry: null });
    state.news.push({ key: "retrying", kind: "retrying", seq: frame.seq, turnId: turn.id, own: true });
  },
};

/**
 * Several messages may belong to one turn, and one that was written to a colleague belongs to none.
 * @param {State} state @param {Frame} frame @param {Turn | null} turn @param {Record<string, any> | null} fields
 */
function putMessage(state, frame, turn, fields) {
  if (!Number.isInteger(frame.seq)) return;
  if (turn) turn.seq = Math.min(turn.seq, frame.seq);
  if (!fields) return;
  put(state, `message:${frame.seq}`, { kind: "message", turnId: turn?.id ?? null, seq: frame.seq, at: frame.at, ...fields });
}

/** @param {State} state @param {Frame} frame @param {Turn | null} turn @param {"text" | "reasoning"} stream @returns {boolean} */
function lay(state, frame, turn, stream) {
  if (!turn || turn.status !== "open" || !Number.isInteger(frame.offset)) return false;
  if (!place(turn[stream], frame.offset, String(frame.content ?? ""))) state.torn = true;
  turn.agent = frame.agent ?? turn.agent;
  start(turn, Math.max(state.last, 1));
  return true;
}

/** A turn that has ended has nothing running and nothing to decide. @param {State} state @param {Turn} turn */
function closeOpenItems(state, turn) {
  for (const item of [...state.items.values()].filter((one) => one.turnId === turn.id && one.seq < turn.endedAt)) {
    if (item.kind === "approval" && item.status === "open") put(state, item.key, { status: "cancelled", sending: null });
    if (item.kind === "tool" && item.status === "running") put(state, item.key, { status: "closed" });
    if (item.kind === "tool" && item.status === "waiting") put(state, item.key, { status: "notrun" });
  }
}
