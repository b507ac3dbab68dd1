/**
 * What the page knows of a conversation, and the few ways in which it changes. Items are replaced, never changed, so
 * that the view redraws exactly those that differ.
 *
 * @typedef {Record<string, any> & {type: string}} Frame
 * @typedef {{key: string, kind: string, seq: number, turnId: string | null, at?: string} & Record<string, any>} Item
 * @typedef {object} Turn
 * @property {string} id
 * @property {number} seq  of the customer's first message in it
 * @property {number | null} startedAt  seq of its first event after the message; null while it is queued
 * @property {string} status  open, completed, failed or stopped
 * @property {number} endedAt  seq of its newest `message_complete`, 0 before there is one
 * @property {number} retriedAt  seq of its newest `retrying`, 0 before there is one
 * @property {"asked" | "refused" | "unsent" | null} retry  what became of the customer's wish to try it again
 * @property {boolean} stopping
 * @property {boolean} thinking  reasoning is what came last
 * @property {string} agent
 * @property {import("./stream.js").Stream} text
 * @property {import("./stream.js").Stream} reasoning
 *
 * @typedef {object} Pending  a message of ours that the server has not accepted yet
 * @property {string} id  the client_message_id
 * @property {string} content
 * @property {boolean} inFlight  sent on this connection, not answered yet
 * @property {string | null} refused  what kind of refusal it met
 * @property {string} detail  the server's own words for the refusal
 *
 * @typedef {object} Earlier  the part of the conversation that is not here yet
 * @property {number | null} before  the seq before which it lies; null: the beginning is here
 * @property {"idle" | "loading" | "failed"} status
 * @property {number} pages  how many have been loaded
 *
 * @typedef {object} Feedback  what the customer said about the conversation, and was asked
 * @property {number} asked  seq of the newest request, 0 before there is one
 * @property {number} seq  of the answer that stands, 0 before there is one
 * @property {boolean | null} solved
 * @property {number | null} score
 * @property {string} comment
 * @property {{solved?: boolean, score?: number, comment?: string} | null} sending  what was clicked and does not stand yet
 * @property {string | null} problem  what kind of refusal it met
 *
 * @typedef {object} State
 * @property {string} threadId
 * @property {Map<string, Item>} items
 * @property {Map<string, Turn>} turns
 * @property {Pending[]} pending
 * @property {Set<string>} seen
 * @property {Set<number>} beyond  seqs taken above `floor`
 * @property {number} floor
 * @property {number} last
 * @property {boolean} torn  a streamed piece is missing
 * @property {"expired" | "gone" | null} ended
 * @property {Earlier | null} earlier  null: all that there is was said on this page
 * @property {Feedback} feedback
 * @property {{percent: number, resets_at: string} | null} usage  how much of a limit is used, once it is nearly all
 * @property {Item[]} news  finished things that a screen reader should hear of; the page empties it
 */
import { createStream } from "./stream.js";

/** @param {string} threadId @returns {State} */
export function createState(threadId) {
  return {
    threadId,
    items: new Map(),
    turns: new Map(),
    pending: [],
    seen: new Set(),
    beyond: new Set(),
    floor: 0,
    last: 0,
    torn: false,
    ended: null,
    earlier: null,
    feedback: { asked: 0, seq: 0, solved: null, score: null, comment: "", sending: null, problem: null },
    usage: null,
    news: [],
  };
}

/** @param {State} state @param {string} id @returns {Turn} */
export function turnOf(state, id) {
  let turn = state.turns.get(id);
  if (!turn) {
    turn = {
      id,
      seq: Infinity,
      startedAt: null,
      status: "open",
      endedAt: 0,
      retriedAt: 0,
      retry: null,
      stopping: false,
      thinking: false,
      agent: "",
      text: createStream(),
      reasoning: createStream(),
    };
    state.turns.set(id, turn);
  }
  return turn;
}

/** @param {Turn} turn @param {number} seq */
export function start(turn, seq) {
  turn.startedAt = Math.min(turn.startedAt ?? Infinity, seq);
}

/** @param {State} state @param {string} key @param {Record<string, any>} fields @returns {Item} */
export function put(state, key, fields) {
  const item = /** @type {Item} */ ({ ...(state.items.get(key) ?? {}), ...fields, key });
  state.items.set(key, item);
  return item;
}

/** @param {State} state @param {Frame} frame @param {Record<string, any>} fields */
export function add(state, frame, fields) {
  const item = put(state, `${frame.seq}:${frame.type}`, {
    seq: frame.seq,
    turnId: frame.turn_id ?? null,
    at: frame.at,
    ...fields,
  });
  state.news.push(item);
}
