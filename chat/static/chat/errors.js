/** The kinds of `error` frames that the page treats differently, by the fixed beginning of their message. */
const KINDS = /** @type {[string, string][]} */ ([
  ["Session expired", "expired"],
  ["Rate limit exceeded", "rate"],
  ["Too many queued messages", "queue"],
  ["Usage limit reached", "usage"],
  ["Message content too long", "long"],
  ["Message too large", "large"],
  ["Thread not found", "thread"],
  ["Already decided", "decided"],
  ["Not allowed to decide", "not_allowed"],
  ["Invalid interrupt response", "invalid_answer"],
  ["An error occurred processing", "turn"],
]);

/** @param {Record<string, any>} frame @returns {string} one of the kinds above, or "other" */
export function kindOfError(frame) {
  const message = String(frame.message ?? "");
  return KINDS.find(([beginning]) => message.startsWith(beginning))?.[1] ?? "other";
}
