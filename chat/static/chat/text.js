/**
 * Every word that the page says by itself, but for those that stand in its template. A translation is a module of
 * the same shape.
 */

/** "order_lookup" or "getOrderStatus" -> "Order lookup", "Get order status". @param {string} name */
export function prettify(name) {
  const words = String(name ?? "")
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/[_\-.]+/g, " ")
    .trim()
    .toLowerCase();
  return words ? words[0].toUpperCase() + words.slice(1) : "";
}

/** An agent as the customer knows it: what no specialist takes is simply answered. @param {string} [name] */
export const agentName = (name) => (!name || name === "fallback" ? text.assistant : prettify(name));

/** @param {number} count @param {string} one @param {string} many */
const plural = (count, one, many) => (count === 1 ? `1 ${one}` : `${count} ${many}`);

export const text = {
  you: "You",
  assistant: "Assistant",
  team: "Our team",
  closeTitle: (/** @type {number} */ unread, /** @type {string} */ title) => `(${unread}) ${title}`,

  // Connection
  reconnecting: "Reconnecting…",
  offline: "You are offline. Messages are kept here and sent once you are connected.",
  reconnected: "Connected again.",
  unauthorized: "We could not confirm who you are. Sign in again on our website and open the chat from there.",

  // Composer
  counter: (/** @type {number} */ used, /** @type {number} */ limit) =>
    `${used.toLocaleString("en")} of ${limit.toLocaleString("en")} characters`,
  tooLong: (/** @type {number} */ over) =>
    `Too long by ${plural(over, "character", "characters")}. Shorten it, or send it in parts.`,
  tooLarge: "This message is too large to send. Shorten it, or send it in parts.",
  stopping: "Stopping…",

  // Messages
  sending: "Sending…",
  notSentYet: "Not sent yet. It goes out as soon as you are connected.",
  queued: "Queued",
  sent: "Sent",
  typing: "Working on your answer…",
  thinking: "Thinking",
  stopped: "This answer was stopped.",
  cut: "This answer was cut off.",
  today: "Today",
  yesterday: "Yesterday",

  // Routing and tools
  routed: (/** @type {string[]} */ agents) => {
    const names = agents.map(agentName);
    if (names.length < 2) return `${names[0]} is on it`;
    return `${names.slice(0, -1).join(", ")} and ${names.at(-1)} are on it`;
  },
  toolRunning: "running",
  toolWaiting: "waiting for an answer",
  toolDone: "done",
  toolFailed: "did not work",
  toolNotRun: "not carried out",
  toolClosed: "no answer came",
  toolUnknown: "nobody knows yet whether it happened",
  toolArguments: "Asked for",
  toolResult: "Answer",
  toolError: "What went wrong",
  nothing: "Nothing",
  moreRows: (/** @type {number} */ count) => `${count} more, not shown here`,
  yes: "Yes",
  no: "No",
  empty: "none",

  // Approvals
  approvalHeading: "Your approval is needed",
  staffApprovalHeading: "Waiting for our team",
  approvalFallback: (/** @type {string} */ action) => `${prettify(action)}?`,
  approvalWaits: "An approval waits for you",
  approve: "Approve",
  decline: "Decline",
  approvalYours: "Only you can decide this. Nothing happens until you do.",
  approvalStaff:
    "A member of our team has to approve this. You will see the answer here; you can close this page and come back.",
  timeLeft: (/** @type {string} */ clock) => `${clock} left`,
  timeUp: "Time is up. One moment…",
  sendingAnswer: "Sending your answer…",
  answerWaits: "Your answer is sent as soon as you are connected.",
  approvalAgain:
    "This was approved before, but what it does has changed since. Nothing was done, so the new version has to be approved.",
  approvedBy: (/** @type {string} */ who) => `Approved by ${who}`,
  approvedChanged: (/** @type {string[]} */ changes) => `Approved with changes: ${changes.join(", ")}`,
  change: (/** @type {string} */ name, /** @type {string} */ now, /** @type {string} */ was) =>
    `${prettify(name).toLowerCase()} ${now} instead of ${was}`,
  notCarriedOut: "Not carried out: this message ended before it could be done. Nothing was changed.",
  declinedBy: (/** @type {string} */ who) => `Declined by ${who}`,
  byYou: "you",
  byTeam: "our team",
  because: (/** @type {string} */ reason) => `Reason: ${reason}`,
  expired: "Expired: nobody decided in time. Nothing was done.",
  cancelled: "Cancelled: this message ended before a decision. Nothing was done.",
  notAllowed: "This is for our team to decide.",
  answerRefused: "Your answer did not arrive. Please choose again.",
  announceApproval: (/** @type {string} */ message) => `Your approval is needed: ${message}`,
  announceStaffApproval: (/** @type {string} */ message) => `Waiting for our team to approve: ${message}`,
  announceTimeLeft: (/** @type {string} */ left, /** @type {string} */ message) => `${left} left to decide: ${message}`,
  minutes: (/** @type {number} */ count) => plural(count, "minute", "minutes"),

  // People
  handoff: "A colleague was asked to join.",
  handoffByCustomer: "You asked for a person. A colleague was asked to join.",
  ticket: (/** @type {string} */ number) => `Your reference is ${number}.`,
  availableAt: (/** @type {string} */ when) => `Somebody will be here ${when}.`,
  handoffStay: "You can keep writing, or close this page and come back.",
  joined: "A colleague has joined",
  joinedMore: "From here on a person of our team reads and answers. The assistant is quiet.",
  handback: "Our team has handed the conversation back to the assistant.",
  held: "A colleague is here",
  hintHeld: "A person of our team reads and answers here.",

  // Earlier messages
  loadEarlier: "Load earlier messages",
  loadingEarlier: "Loading earlier messages…",
  earlierFailed: "Earlier messages could not be loaded.",
  earlierLoaded: "Earlier messages are here.",
  beginning: "This is the beginning of the conversation.",

  // Feedback
  feedbackAsk: "Was your question solved?",
  announceFeedback: "Was your question solved? You can answer below the conversation.",
  feedbackThanks: "Thank you",
  feedbackUsed: "Your answer helps us to get better.",
  feedbackSending: "Sending your answer…",
  feedbackWaits: "Your answer is sent as soon as you are connected.",
  feedbackTooFast: "That was a lot at once. Wait a minute, then answer again.",
  feedbackRefused: "Your answer did not arrive. Please send it again.",
  wantPerson: "I want to talk to a person",

  // Errors
  turnFailed: "Something went wrong on our side, and this message was not answered. Nothing else is lost.",
  retry: "Try again",
  retrying: "Trying again…",
  retryWaits: "It is tried again as soon as you are connected.",
  retryRefused: "This cannot be tried again. Please send your message again.",
  retryUnsent: "That did not arrive. Please try again in a moment.",
  sessionExpired: "This conversation was closed because nobody wrote for a while.",
  rateLimited: "You are sending messages faster than we can take them. Wait a few seconds, then send it again.",
  queueFull: "Several messages are still waiting for an answer. Send this one when they are done.",
  busy: "An earlier message is still being answered. Send this one when that is done.",
  usageLimit: (/** @type {string} */ when) =>
    when
      ? `You have reached the usage limit. You can write again ${when}; your message stays here until then.`
      : "You have reached the usage limit. Please try again later.",
  usageAgain: "You can write again now.",
  usageReached: (/** @type {string} */ when) =>
    `This message was not answered, because you have reached the usage limit.${when ? ` You can try again ${when}.` : ""}`,
  usageNear: (/** @type {number} */ percent, /** @type {string} */ when) =>
    `You have used ${percent} % of your limit.${when ? ` It begins anew ${when}.` : ""}`,
  refused: (/** @type {string} */ message) => `This message was not sent: ${message}`,
  unavailable: "We could not take this message just now. Try again in a moment.",
  threadGone: "This conversation is no longer available here.",
  notSent: "Not sent",
  editMessage: "Edit",
};
