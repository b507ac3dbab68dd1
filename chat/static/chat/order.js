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

/** How many messages this one waits behind. @param {State} state @param {Turn} turn */
export function queuedBehind(state, turn) {
  if (turn.status !== "open" || turn.startedAt !== null) return 0;
  return [...state.turns.values()].filter(
    (other) => other.status === "open" && other.seq < turn.seq && !isWaiting(state, other),
  ).length;
}

/** The turn that is being worked on now. @param {State} state @returns {Turn | undefined} */
export function runningTurn(state) {
  return [...state.turns.values()]
    .filter((turn) => turn.status === "open" && !isWaiting(state, turn))
    .sort((a, b) => (a.startedAt ?? Infinity) - (b.startedAt ?? Infinity) || a.seq - b.seq)[0];
}

/** Nothing has happened here, and nothing is on its way. @param {State} state */
export const isEmpty = (state) => state.items.size === 0 && state.pending.length === 0;

/** @param {State} state @returns {Item[]} in the order of the page */
export function inOrder(state) {
  /** @type {{zone: number, at: number, item: Item}[]} */
  const rows = [];
  for (const item of state.items.values()) rows.push(rowOf(state, item));
  const running = runningTurn(state);
  for (const turn of state.turns.values()) {
    if (turn.status !== "open") continue;
    for (const kind of /** @type {const} */ (["reasoning", "text"])) {
      const shown = turn[kind].shown;
      if (!shown) continue;
      const item = { key: `live:${kind}:${turn.id}`, kind: kind === "text" ? "live" : "reasoning", seq: Infinity, turnId: turn.id };
      rows.push({ zone: LIVE, at: turn.seq, item: { ...item, agent: turn.agent, content: shown } });
    }
  }
  if (running && !running.text.shown && !hasRunningTool(state, running)) {
    const item = { key: "typing", kind: "typing", seq: Infinity, turnId: running.id, stopping: running.stopping };
    rows.push({ zone: LIVE, at: Infinity, item });
  }
  state.pending.forEach((one, index) => {
    const item = { key: `pending:${one.id}`, kind: "pending", seq: Infinity, turnId: null, pending: one };
    rows.push({ zone: UNSENT, at: index, item });
  });
  return rows.sort((a, b) => a.zone - b.zone || a.at - b.at).map((row) => row.item);
}

/** @param {State} state @param {Turn} turn */
const hasRunningTool = (state, turn) =>
  [...state.items.values()].some((item) => item.kind === "tool" && item.turnId === turn.id && item.status === "running");

/** @param {State} state @param {Item} item */
function rowOf(state, item) {
  const turn = item.kind === "message" && item.turnId ? state.turns.get(item.turnId) : undefined;
  if (!turn) return { zone: EVENTS, at: item.seq, item };
  if (turn.startedAt !== null) return { zone: EVENTS, at: Math.max(item.seq, turn.startedAt - 0.5), item };
  const behind = queuedBehind(state, turn);
  return { zone: behind ? QUEUED : EVENTS, at: item.seq, item: { ...item, behind } };
}

/** The newest message may be tried again, an older one has been overtaken. @param {State} state @param {string | null} turnId */
export function canRetry(state, turnId) {
  const newest = Math.max(...[...state.turns.values()].map((turn) => turn.seq).filter(Number.isFinite));
  const turn = turnId ? state.turns.get(turnId) : undefined;
  return Boolean(turn && turn.seq === newest && state.pending.length === 0 && state.items.has(`message:${turn.id}`));
}
