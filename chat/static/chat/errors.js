/** The kinds of `error` frames that the page treats differently, by their code, or by the fixed beginning of their message. */
const CODES = /** @type {Record<string, string>} */ ({
  session_expired: "expired",
  rate_limited: "rate",
  queue_full: "queue",
  busy: "busy",
  usage_limit_reached: "usage",
  content_too_long: "long",
  message_too_large: "large",
  thread_not_found: "thread",
  already_decided: "decided",
  not_allowed: "not_allowed",
  tool_changed: "changed",
  invalid_interrupt_response: "invalid_answer",
  not_retriable: "not_retriable",
  invalid_feedback: "feedback",
  turn_failed: "turn",
  unavailable: "turn",
});

const KINDS = /** @type {[string, string][]} */ ([
  ["Session expired", "expired"],
  ["Rate limit exceeded", "rate"],
  ["Too many queued messages", "queue"],
  ["An earlier message is still being answered", "busy"],
  ["Usage limit reached", "usage"],
  ["Message content too long", "long"],
  ["Message too large", "large"],
  ["Thread not found", "thread"],
  ["Already decided", "decided"],
  ["Not allowed to decide", "not_allowed"],
  ["Invalid interrupt response", "invalid_answer"],
  ["There is nothing to try again", "not_retriable"],
  ["Invalid feedback", "feedback"],
  ["An error occurred processing", "turn"],
]);

/** Refusals that are about the moment and not about the message: whatever is to be sent next would meet them, too. */
export const FOR_NOW = new Set(["rate", "queue", "busy", "usage"]);

/** Refusals after which the customer changes the message, or sends it later. */
export const REWRITE = new Set([...FOR_NOW, "long", "large"]);

/** @param {Record<string, any>} frame @returns {string} one of the kinds above, or "other" */
export function kindOfError(frame) {
  const message = String(frame.message ?? "");
  const code = String(frame.code ?? "");
  if (Object.hasOwn(CODES, code)) return CODES[code];
  return KINDS.find(([beginning]) => message.startsWith(beginning))?.[1] ?? "other";
}
