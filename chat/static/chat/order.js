/**
 * What stands where in the conversation, and what is going on in it: questions asked of the state, nothing changed.
 *
 * Everything stands where it happened (by seq), except a message that waits behind another one: it stays at the end
 * until its turn begins, so that an answer never appears under a question that it does not answer.
 *
 * @typedef {import("./state.js").State} State
 * @typedef {import("./state.js").Turn} Turn
 * @typedef {import("./state.js").Item} Item
 */

const EVENTS = 0;
const LIVE = 1;
const QUEUED = 2;
const UNSENT = 3;

/** @param {State} state @param {Turn} turn */
export const isWaiting = (state, turn) =>
  [...state.items.values()].some((item) => item.kind === "approval" && item.status === "open" && item.turnId === turn.id);

/** Whether a message waits for another one to be answered first. @param {State} state @param {Turn} turn */
export function isQueued(state, turn) {
  if (turn.status !== "open" || turn.startedAt !== null) return false;
  return [...state.turns.values()].some(
    (other) => other.status === "open" && other.seq < turn.seq && !isWaiting(state, other),
  );
}

/** The turn that is being worked on now. @param {State} state @returns {Turn | undefined} */
export function runningTurn(state) {
  return [...state.turns.values()]
    .filter((turn) => turn.status === "open" && !isWaiting(state, turn))
    .sort((a, b) => (a.startedAt ?? Infinity) - (b.startedAt ?? Infinity) || a.seq - b.seq)[0];
}

/**
 * Whether a colleague has the conversation, as what happened last tells: no message that is theirs belongs to a turn.
 * @param {State} state
 */
export function isHeld(state) {
  let [newest, held] = [-1, false];
  for (const item of state.items.values()) {
    if (item.seq <= newest || !["joined", "staff", "handback", "message"].includes(item.kind)) continue;
    newest = item.seq;
    held = item.kind === "message" ? !item.turnId : item.kind !== "handback";
  }
  return held;
}

/** Nothing has happened here, and nothing is on its way. @param {State} state */
export const isEmpty = (state) => state.items.size === 0 && state.pending.length === 0;

/** @param {State} state @returns {Item[]} in the order of the page */
export function inOrder(state) {
  /** @type {{zone: number, at: number, item: Item}[]} */
  const rows = [];
  const newest = newestMessage(state);
  for (const item of state.items.values()) {
    const sent = item === newest && !item.turnId;
    rows.push(rowOf(state, sent ? { ...item, sent } : item));
  }
  const running = runningTurn(state);
  for (const turn of state.turns.values()) {
    if (turn.status !== "open") continue;
    for (const kind of /** @type {const} */ (["reasoning", "text"])) {
      const shown = turn[kind].shown;
      if (!shown) continue;
      const item = { key: `live:${kind}:${turn.id}`, kind: kind === "text" ? "live" : "reasoning", seq: Infinity, turnId: turn.id };
      rows.push({ zone: LIVE, at: turn.seq, item: { ...item, agent: turn.agent, content: shown, closed: !turn.thinking } });
    }
  }
  if (running && !running.text.shown && !running.thinking && !hasRunningTool(state, running)) {
    const item = { key: "typing", kind: "typing", seq: Infinity, turnId: running.id, stopping: running.stopping };
    rows.push({ zone: LIVE, at: Infinity, item });
  }
  state.pending.forEach((one, index) => {
    const item = { key: `pending:${one.id}`, kind: "pending", seq: Infinity, turnId: null, pending: one };
    rows.push({ zone: UNSENT, at: index, item });
  });
  return rows.sort((a, b) => a.zone - b.zone || a.at - b.at || a.item.seq - b.item.seq || 0).map((row) => row.item);
}

/** @param {State} state @param {Turn} turn */
const hasRunningTool = (state, turn) =>
  [...state.items.values()].some((item) => item.kind === "tool" && item.turnId === turn.id && item.status === "running");

/**
 * Whether an approved action was begun, or may still be: one that had not been sent when its turn ended never is.
 * @param {State} state @param {Item} approval
 */
export function wasCarriedOut(state, approval) {
  const turn = state.turns.get(approval.turnId ?? "");
  if (!turn || turn.status === "open" || turn.status === "completed") return true;
  return [...state.items.values()].some(
    (item) => item.kind === "tool" && item.turnId === turn.id && item.tool === approval.action && item.seq > approval.toldAt,
  );
}

/** @param {State} state @param {Item} item */
function rowOf(state, item) {
  const turn = item.kind === "message" && item.turnId ? state.turns.get(item.turnId) : undefined;
  if (!turn) return { zone: EVENTS, at: item.seq, item };
  if (turn.startedAt !== null) return { zone: EVENTS, at: Math.max(item.seq, turn.startedAt - 0.5), item };
  const queued = isQueued(state, turn);
  return { zone: queued ? QUEUED : EVENTS, at: item.seq, item: { ...item, queued } };
}

/** @param {State} state @returns {Item | undefined} */
function newestMessage(state) {
  /** @type {Item | undefined} */ let newest;
  for (const item of state.items.values()) {
    if (item.kind === "message" && item.seq > (newest?.seq ?? -1)) newest = item;
  }
  return newest;
}

/** The newest message may be tried again, an older one has been overtaken. @param {State} state @param {Item} error */
export function canRetry(state, error) {
  const turn = error.turnId ? state.turns.get(error.turnId) : undefined;
  if (!error.retriable || turn?.status !== "failed" || turn.retry === "refused") return false;
  const newest = newestMessage(state);
  const overtaken = newest && newest.turnId !== turn.id;
  return !overtaken && state.pending.length === 0 && !state.ended && !isHeld(state);
}
