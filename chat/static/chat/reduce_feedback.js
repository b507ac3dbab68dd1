/**
 * What the frames about feedback do: the customer was asked, or their answer stands. It is beside the conversation, not
 * in it, so nothing of it is an item.
 *
 * @typedef {import("./state.js").State} State
 * @typedef {import("./state.js").Frame} Frame
 * @typedef {{solved?: boolean, score?: number, comment?: string}} Said
 */

/** @type {Record<string, (state: State, frame: Frame) => void>} */
export const feedbackFrames = {
  feedback_request(state, frame) {
    if (frame.seq <= state.feedback.asked) return;
    state.feedback = { ...state.feedback, asked: frame.seq };
    state.news.push({ key: "feedback", kind: "feedback", seq: frame.seq, turnId: null, own: true });
  },
  feedback(state, frame) {
    if (frame.seq < state.feedback.seq) return;
    const given = { solved: frame.solved ?? null, score: frame.score ?? null, comment: frame.comment ?? "" };
    const sending = notYet(state.feedback.sending, given);
    state.feedback = { ...state.feedback, ...given, seq: frame.seq, sending, problem: null };
  },
};

/** The customer answered; what is on its way already goes with it. @param {State} state @param {Said} said @returns {Said | null} what is to be sent */
export function answerFeedback(state, said) {
  const sending = notYet({ ...state.feedback.sending, ...said }, state.feedback);
  state.feedback = { ...state.feedback, sending, problem: null };
  return sending;
}

/** @param {State} state @param {string} kind  of the refusal @returns {boolean} whether an answer was refused */
export function refuseFeedback(state, kind) {
  if (!state.feedback.sending) return false;
  state.feedback = { ...state.feedback, sending: null, problem: kind };
  return true;
}

/** What of it does not stand on the server. @param {Said | null} said @param {Record<string, any>} given @returns {Said | null} */
function notYet(said, given) {
  const left = Object.entries(said ?? {}).filter(([name, value]) => given[name] !== value);
  return left.length ? Object.fromEntries(left) : null;
}
