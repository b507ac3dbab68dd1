/**
 * Questions to the server that one frame answers: `resume` with `resumed`, `history` with `history`. Frames are answered
 * in order, so when the `ping` sent along is answered, the question was, or never will be.
 */

/** @type {Record<string, string>} */
const ANSWERED_BY = { resumed: "resume", history: "history" };

export class Questions {
  /** @type {{type: string, answered: boolean}[]} */ #open = [];

  /** @param {import("./socket.js").ReconnectingSocket} socket */
  constructor(socket) {
    this.socket = socket;
  }

  /** @param {Record<string, any>} frame @returns {Promise<boolean | null>} whether it was answered; null: the connection is lost */
  async ask(frame) {
    const question = { type: frame.type, answered: false };
    this.#open.push(question);
    this.socket.send(frame);
    const alive = await this.socket.ping();
    this.#open = this.#open.filter((one) => one !== question);
    return alive ? question.answered : null;
  }

  /** An answer is here. @param {string} type  of its frame */
  answered(type) {
    const question = this.#open.find((one) => one.type === ANSWERED_BY[type]);
    if (question) question.answered = true;
  }

  /** There is nothing to tell: the thread is unknown. */
  closeAll() {
    for (const question of this.#open) question.answered = true;
  }
}
