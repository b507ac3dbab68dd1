/** What the frames about tools and approvals do. */
import { put } from "./state.js";

/**
 * @typedef {import("./state.js").State} State
 * @typedef {import("./state.js").Turn} Turn
 * @typedef {import("./state.js").Item} Item
 * @typedef {import("./state.js").Frame} Frame
 */

/** @type {Record<string, (state: State, frame: Frame, turn: Turn | null) => void>} */
export const actionFrames = {
  tool_call(state, frame, turn) {
    const key = frame.call_id ? `tool:${frame.turn_id}:${frame.call_id}` : `tool:${frame.seq}`;
    const status = state.items.get(key)?.status ?? (hasEndedSince(turn, frame) ? "closed" : "running");
    // A turn that is tried again makes a call again whose answer never came.
    const again = ["closed", "notrun"].includes(status) && turn?.status === "open";
    put(state, key, { ...toolFields(frame), args: frame.args, seq: frame.seq, status: again ? "running" : status });
  },
  tool_result(state, frame) {
    const key = frame.call_id ? `tool:${frame.turn_id}:${frame.call_id}` : lastTool(state, frame.turn_id, frame.tool)?.key;
    const error = frame.error ?? frame.result;
    const told = frame.ok ? { result: frame.result, error: null } : { error };
    const known = state.items.get(key ?? "");
    const fields = known ? { at: known.at } : { ...toolFields(frame), seq: frame.seq };
    const status = frame.ok ? "done" : (FAILURES[error?.kind] ?? "failed");
    put(state, key ?? `tool:${frame.seq}`, { ...fields, ...told, status });
  },
  interrupt(state, frame, turn) {
    const key = `interrupt:${frame.interrupt_id}`;
    const known = state.items.get(key);
    if (known?.askedAt >= frame.seq) return void put(state, key, { again: known?.askedAt > frame.seq });
    const settled = known && known.toldAt > frame.seq;
    const status = hasEndedSince(turn, frame) ? "cancelled" : "open";
    const afresh = { status, by: null, byName: null, reason: null, outcome: null, changed: null, sending: null, problem: null };
    const item = put(state, key, {
      kind: "approval",
      ...(settled ? {} : afresh),
      again: Boolean(known?.askedAt),
      seq: frame.seq,
      askedAt: frame.seq,
      turnId: frame.turn_id ?? null,
      at: frame.at,
      interruptId: frame.interrupt_id,
      action: frame.action,
      title: frame.title,
      params: settled && known.changed ? known.params : (frame.params ?? {}),
      message: frame.message,
      approver: frame.approver,
      expiresAt: frame.expires_at,
    });
    markTool(state, item, "running", "waiting");
    if (item.status === "open") state.news.push(item);
  },
  interrupt_resolved(state, frame) {
    const { resolution: status, by, by_name: byName, reason, changed, params } = frame;
    resolve(state, frame, { status, by, byName, reason, ...(changed ? { changed, ...(params ? { params } : {}) } : {}) });
  },
  interrupt_expired(state, frame) {
    resolve(state, frame, { status: "expired", outcome: frame.message });
  },
};

/** What a result that is none says of the call. @type {Record<string, string>} */
const FAILURES = { unknown: "unknown", stopped: "closed" };

/** @param {Turn | null} turn @param {Frame} frame */
const hasEndedSince = (turn, frame) => Boolean(turn && turn.status !== "open" && turn.endedAt > frame.seq);

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
  const toldAt = frame.seq ?? known?.askedAt ?? 0;
  if (known && (toldAt < (known.askedAt ?? 0) || toldAt < (known.toldAt ?? 0))) return; // it was asked again since
  const item = put(state, key, {
    kind: "approval",
    seq: known?.seq ?? frame.seq,
    turnId: frame.turn_id ?? known?.turnId ?? null,
    interruptId: frame.interrupt_id,
    action: known?.action ?? frame.action ?? "",
    ...fields,
    toldAt,
    sending: null,
    problem: null,
  });
  markTool(state, item, "waiting", item.status === "approved" ? "running" : "notrun");
  state.news.push(item);
}
