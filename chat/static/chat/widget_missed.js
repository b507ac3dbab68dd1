/** What a framed chat has missed: how much came since the customer last looked, also while no page of theirs was open. */
import * as memory from "./memory.js";

const SAID = new Set(["response", "staff", "handoff", "joined", "handback", "error"]);

/** Whether it is something that the customer has to read. @param {import("./state.js").Item} item */
export const isSaid = (item) => SAID.has(item.kind) || (item.kind === "approval" && item.status === "open");

export class Missed {
  #counted = false;
  #seen = 0;

  /** How many things, once: when a conversation of before is complete. @param {import("./state.js").State} state */
  count(state) {
    if (this.#counted) return 0;
    this.#counted = true;
    const seen = memory.seen(state.threadId);
    return [...state.items.values()].filter((item) => item.seq > seen && item.seq < Infinity && isSaid(item)).length;
  }

  /** The customer looks. @param {import("./state.js").State} state */
  saw(state) {
    if (state.last === this.#seen) return;
    this.#seen = state.last;
    memory.keepSeen(state.threadId, state.last);
  }
}
