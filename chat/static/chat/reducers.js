/** What each kind of frame does to the conversation. */
import { actionFrames } from "./reduce_actions.js";
import { feedbackFrames } from "./reduce_feedback.js";
import { turnFrames } from "./reduce_turns.js";
import { add } from "./state.js";

/**
 * @typedef {import("./state.js").State} State
 * @typedef {import("./state.js").Turn} Turn
 * @typedef {import("./state.js").Frame} Frame
 */

/** @type {Record<string, (state: State, frame: Frame, turn: Turn | null) => void>} */
export const reducers = {
  ...turnFrames,
  ...actionFrames,
  ...feedbackFrames,
  routing(state, frame) {
    const specialists = (frame.agents ?? []).filter((/** @type {string} */ agent) => agent !== "fallback");
    if (specialists.length) add(state, frame, { kind: "routing", agents: specialists, reason: frame.reason });
  },
  handoff(state, frame) {
    if (frame.by === "staff" && !frame.ticket) return add(state, frame, { kind: "joined" });
    const { by, reason, ticket, available_at: availableAt } = frame;
    add(state, frame, { kind: "handoff", by, reason, ticket: ticket ?? "", availableAt: availableAt ?? "" });
  },
  staff_message(state, frame) {
    const author = frame.by_name ?? frame.name ?? "";
    if (state.ended === "expired") reopen(state);
    add(state, frame, { kind: "staff", author, content: frame.content ?? frame.message, html: frame.html });
  },
  handback(state, frame) {
    add(state, frame, { kind: "handback" });
  },
};

/** Frames that answer this page and tell nothing of the conversation itself; `session.js` and `socket.js` take them. */
export const ANSWERS = new Set(["resumed", "history", "pong"]);

/** Somebody wrote, so the conversation goes on, and what was refused can be tried again. @param {State} state */
function reopen(state) {
  state.ended = null;
  state.pending = state.pending.map((one) => (one.refused === "expired" ? { ...one, refused: "turn" } : one));
}
