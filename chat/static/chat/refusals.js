/** What an `error` frame without a turn does: something that this page sent was refused, and nothing was written. */
import { FOR_NOW, kindOfError } from "./errors.js";
import { refuseFeedback } from "./reduce_feedback.js";
import { put } from "./state.js";

/**
 * @typedef {import("./state.js").State} State
 * @typedef {import("./state.js").Frame} Frame
 */

/** @param {State} state @param {Frame} frame */
export function refuse(state, frame) {
  const kind = kindOfError(frame);
  if (kind === "thread") state.ended = "gone";
  else if (kind === "changed") return; // the approval itself comes again, for the team, and says why
  else if (kind === "not_retriable") refuseRetry(state, "refused");
  else if (["decided", "not_allowed", "invalid_answer"].includes(kind)) refuseAnswer(state, frame, kind);
  else if (kind === "feedback") refuseFeedback(state, kind);
  else refuseMessage(state, frame, kind);
}

/** @param {State} state @param {Frame} frame @param {string} kind */
function refuseAnswer(state, frame, kind) {
  for (const item of [...state.items.values()]) {
    const meant = frame.interrupt_id ? item.interruptId === frame.interrupt_id : Boolean(item.sending);
    if (item.kind !== "approval" || !meant) continue;
    const won = kind === "decided" && frame.resolution;
    const fields = won ? { status: frame.resolution, by: frame.by, byName: frame.by_name } : { problem: kind };
    state.news.push(put(state, item.key, { ...fields, sending: null }));
  }
}

/** @param {State} state @param {Frame} frame @param {string} kind */
function refuseMessage(state, frame, kind) {
  const named = state.pending.find((one) => one.id === frame.client_message_id);
  const meant = named ?? state.pending.find((one) => one.inFlight);
  if (kind === "expired") state.ended = "expired";
  if (!meant && refuseFeedback(state, kind)) return;
  // Something broke that was no message: an answer, then, or trying again.
  if (!meant) return void (refuseRetry(state, "unsent"), refuseAnswer(state, frame, "invalid_answer"));
  const detail = kind === "usage" ? String(frame.resets_at ?? "") : String(frame.message ?? "");
  const first = state.pending.indexOf(meant);
  // What was written after a message that has to wait waits with it: nothing overtakes.
  state.pending = state.pending.map((one, place) =>
    one === meant || (place > first && FOR_NOW.has(kind)) ? { ...one, inFlight: false, refused: kind, detail } : one,
  );
}

/** @param {State} state @param {"refused" | "unsent"} why */
function refuseRetry(state, why) {
  for (const turn of state.turns.values()) if (turn.retry === "asked") turn.retry = why;
}
