/** What each kind of frame does to the conversation. */
import { kindOfError } from "./errors.js";
import { add, put, start, turnOf } from "./state.js";
import { place, seal } from "./stream.js";

/**
 * @typedef {import("./state.js").State} State
 * @typedef {import("./state.js").Turn} Turn
 * @typedef {import("./state.js").Item} Item
 * @typedef {import("./state.js").Frame} Frame
 */

/** @type {Record<string, (state: State, frame: Frame, turn: Turn | null) => void>} */
export const reducers = {
  accepted(state, frame, turn) {
    const pending = state.pending.find((one) => one.id === frame.client_message_id);
    state.pending = state.pending.filter((one) => one !== pending);
    turn ??= withoutTurn(state, frame);
    if (Number.isInteger(frame.seq)) turn.seq = frame.seq;
    if (frame.position === 0) start(turn, turn.seq);
    if (pending) putMessage(state, turn, { content: pending.content, clientMessageId: pending.id, at: frame.at });
  },
  user_message(state, frame, turn) {
    state.pending = state.pending.filter((one) => one.id !== frame.client_message_id);
    turn ??= withoutTurn(state, frame);
    turn.seq = frame.seq;
    putMessage(state, turn, { content: frame.content, clientMessageId: frame.client_message_id, at: frame.at });
  },
  token(state, frame, turn) {
    lay(state, frame, turn, "text");
  },
  reasoning(state, frame, turn) {
    lay(state, frame, turn, "reasoning");
  },
  routing(state, frame) {
    const specialists = (frame.agents ?? []).filter((/** @type {string} */ agent) => agent !== "fallback");
    if (specialists.length) add(state, frame, { kind: "routing", agents: specialists, reason: frame.reason });
  },
  tool_call(state, frame) {
    const key = frame.call_id ? `tool:${frame.turn_id}:${frame.call_id}` : `tool:${frame.seq}`;
    const known = state.items.get(key);
    put(state, key, { ...toolFields(frame), args: frame.args, seq: frame.seq, status: known?.status ?? "running" });
  },
  tool_result(state, frame) {
    const key = frame.call_id ? `tool:${frame.turn_id}:${frame.call_id}` : lastTool(state, frame.turn_id, frame.tool)?.key;
    const status = frame.ok ? "done" : "failed";
    const told = frame.ok ? { result: frame.result } : { error: frame.error ?? frame.result };
    const known = state.items.get(key ?? "");
    const fields = known ? { at: known.at } : { ...toolFields(frame), seq: frame.seq };
    put(state, key ?? `tool:${frame.seq}`, { ...fields, ...told, status });
  },
  interrupt(state, frame) {
    const key = `interrupt:${frame.interrupt_id}`;
    const item = put(state, key, {
      kind: "approval",
      status: "open",
      ...(state.items.get(key) ?? {}),
      seq: frame.seq,
      turnId: frame.turn_id ?? null,
      at: frame.at,
      interruptId: frame.interrupt_id,
      action: frame.action,
      title: frame.title,
      params: frame.params ?? {},
      message: frame.message,
      approver: frame.approver,
      expiresAt: frame.expires_at,
    });
    markTool(state, item, "running", "waiting");
    if (item.status === "open") state.news.push(item);
  },
  interrupt_resolved(state, frame) {
    resolve(state, frame, { status: frame.resolution, by: frame.by, byName: frame.by_name, reason: frame.reason });
  },
  interrupt_expired(state, frame) {
    resolve(state, frame, { status: "expired", outcome: frame.message });
  },
  agent_response(state, frame, turn) {
    if (turn) {
      seal(turn.text, frame.end > (frame.offset ?? 0) ? frame.end : turn.text.end);
      turn.agent = frame.agent ?? turn.agent;
      if (turn.status !== "open") state.items.delete(`partial:${turn.id}`);
    }
    if (frame.content || frame.html) {
      add(state, frame, { kind: "response", agent: frame.agent, content: frame.content, html: frame.html });
    }
  },
  clarification(state, frame) {
    add(state, frame, { kind: "response", agent: frame.agent, content: frame.message, html: frame.html });
  },
  handoff(state, frame) {
    add(state, frame, { kind: "handoff", by: frame.by, reason: frame.reason });
  },
  staff_message(state, frame) {
    const author = frame.by_name ?? frame.name ?? "";
    if (state.ended === "expired") reopen(state);
    add(state, frame, { kind: "staff", author, content: frame.content ?? frame.message, html: frame.html });
  },
  handback(state, frame) {
    add(state, frame, { kind: "handback" });
  },
  message_complete(state, frame, turn) {
    if (!turn) return;
    turn.status = frame.status;
    turn.stopping = false;
    if (turn.text.shown) {
      const fields = { kind: "response", agent: turn.agent, content: turn.text.shown, at: frame.at };
      const item = put(state, `partial:${turn.id}`, { ...fields, turnId: turn.id, seq: frame.seq - 0.5 });
      state.news.push(item);
      seal(turn.text, turn.text.end);
    }
    closeOpenItems(state, turn);
    if (frame.status === "stopped") add(state, frame, { kind: "stopped" });
    const told = [...state.items.values()].some((item) => item.kind === "error" && item.turnId === turn.id);
    if (frame.status === "failed" && !told) add(state, frame, { kind: "error", reason: "turn", message: "" });
  },
  error(state, frame, turn) {
    const kind = kindOfError(frame);
    if (turn) {
      if (!state.seen.has(`failed:${turn.id}`)) add(state, frame, { kind: "error", reason: kind, message: frame.message });
      state.seen.add(`failed:${turn.id}`);
      return;
    }
    if (kind === "thread") state.ended = "gone";
    else if (["decided", "not_allowed", "invalid_answer"].includes(kind)) refuseAnswer(state, frame, kind);
    else refuseMessage(state, frame, kind);
  },
};

/** @param {State} state @param {Turn} turn @param {Record<string, any>} fields */
function putMessage(state, turn, fields) {
  put(state, `message:${turn.id}`, { kind: "message", turnId: turn.id, seq: turn.seq, ...fields });
}

/** @param {State} state @param {Frame} frame @param {Turn | null} turn @param {"text" | "reasoning"} stream */
function lay(state, frame, turn, stream) {
  if (!turn || turn.status !== "open" || !Number.isInteger(frame.offset)) return;
  if (!place(turn[stream], frame.offset, String(frame.content ?? ""))) state.torn = true;
  turn.agent = frame.agent ?? turn.agent;
  start(turn, Math.max(state.last, 1));
}

/** @param {Frame} frame */
const toolFields = (frame) => ({
  kind: "tool",
  turnId: frame.turn_id ?? null,
  at: frame.at,
  tool: frame.tool,
  title: frame.title,
  agent: frame.agent,
});

/** @param {State} state @param {string | null} turnId @param {string} tool @returns {Item | undefined} */
function lastTool(state, turnId, tool) {
  const open = [...state.items.values()].filter(
    (item) => item.kind === "tool" && item.turnId === turnId && ["running", "waiting"].includes(item.status),
  );
  return open.filter((item) => item.tool === tool).at(-1);
}

/** The tool line that stands for this approval goes from one state to another. @param {State} state @param {Item} approval @param {string} from @param {string} to */
function markTool(state, approval, from, to) {
  const tool = lastTool(state, approval.turnId, approval.action);
  if (tool?.status === from) put(state, tool.key, { status: to });
}

/** @param {State} state @param {Frame} frame @param {Record<string, any>} fields */
function resolve(state, frame, fields) {
  const key = `interrupt:${frame.interrupt_id}`;
  const known = state.items.get(key);
  const item = put(state, key, {
    kind: "approval",
    seq: known?.seq ?? frame.seq,
    turnId: frame.turn_id ?? known?.turnId ?? null,
    interruptId: frame.interrupt_id,
    action: known?.action ?? frame.action ?? "",
    ...fields,
    sending: null,
    problem: null,
  });
  markTool(state, item, "waiting", item.status === "approved" ? "running" : "notrun");
  state.news.push(item);
}

/** A sealed turn has nothing running and nothing to decide. @param {State} state @param {Turn} turn */
function closeOpenItems(state, turn) {
  for (const item of [...state.items.values()].filter((one) => one.turnId === turn.id)) {
    if (item.kind === "approval" && item.status === "open") put(state, item.key, { status: "cancelled", sending: null });
    if (item.kind === "tool" && ["running", "waiting"].includes(item.status)) {
      put(state, item.key, { status: turn.status === "completed" ? "done" : "notrun" });
    }
  }
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
  // Something broke that was no message: an answer, then.
  if (!meant) return refuseAnswer(state, frame, "invalid_answer");
  const detail = kind === "usage" ? String(frame.resets_at ?? "") : String(frame.message ?? "");
  state.pending = state.pending.map((one) => (one === meant ? { ...one, inFlight: false, refused: kind, detail } : one));
}

/** Somebody wrote, so the conversation goes on, and what was refused can be tried again. @param {State} state */
function reopen(state) {
  state.ended = null;
  state.pending = state.pending.map((one) => (one.refused === "expired" ? { ...one, refused: "turn" } : one));
}

/** A message that no assistant answers (a person has taken over). @param {State} state @param {Frame} frame */
function withoutTurn(state, frame) {
  const turn = turnOf(state, `message:${frame.seq}`);
  return Object.assign(turn, { status: "completed", startedAt: frame.seq });
}
