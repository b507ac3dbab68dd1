/**
 * What the page remembers: the conversation's id in this browser, unsent text in this tab. Storage may be full, off
 * or forbidden; then the page works and forgets.
 */
const THREAD = "thread";
const UNSENT = "unsent";
const DRAFT = "draft";
const DISMISSED = "feedback";
const SEEN = "seen";
const VISITOR = "smartsupport.embed.visitor-credential";
let prefix = "smartsupport.";

/** From now on what is remembered is that of one customer. @param {string} scope */
export const keepApart = (scope) => void (prefix = `smartsupport.${scope}.`);

/** @param {string} key */
const named = (key) => (key === VISITOR ? VISITOR : prefix + key);

/** @param {() => Storage} storage @param {string} key @returns {any} */
function read(storage, key) {
  try {
    return JSON.parse(storage().getItem(named(key)) ?? "null");
  } catch {
    return null;
  }
}

/** @param {() => Storage} storage @param {string} key @param {unknown} value */
function write(storage, key, value) {
  try {
    if (value === null) storage().removeItem(named(key));
    else storage().setItem(named(key), JSON.stringify(value));
  } catch {
    // Nothing to do about it, and nothing depends on it.
  }
}

const browser = () => localStorage;
const tab = () => sessionStorage;

/** @returns {string | null} the thread of the last visit */
export function rememberedThread() {
  const id = read(browser, THREAD);
  return typeof id === "string" && /^[A-Za-z0-9_-]{1,128}$/.test(id) ? id : null;
}

/** @param {string} id */
export const rememberThread = (id) => write(browser, THREAD, id);

/** @param {string} threadId @returns {{id: string, content: string}[]} messages written here that were never accepted */
export function unsent(threadId) {
  const kept = read(tab, UNSENT);
  if (kept?.threadId !== threadId || !Array.isArray(kept.messages)) return [];
  return kept.messages.filter((/** @type {any} */ one) => typeof one?.id === "string" && typeof one?.content === "string");
}

/** @param {string} threadId @param {{id: string, content: string}[]} messages */
export function keepUnsent(threadId, messages) {
  write(tab, UNSENT, messages.length ? { threadId, messages } : null);
}

/** @returns {string} */
export const draft = () => String(read(tab, DRAFT) ?? "");

/** @param {string} text */
export const keepDraft = (text) => write(tab, DRAFT, text || null);

/** @param {string} threadId @returns {number} up to which seq the customer does not want to be asked what they thought */
export function dismissedFeedback(threadId) {
  const kept = read(browser, DISMISSED);
  return kept?.threadId === threadId && Number.isInteger(kept.seq) ? kept.seq : 0;
}

/** @param {string} threadId @param {number} seq */
export const dismissFeedback = (threadId, seq) => write(browser, DISMISSED, { threadId, seq });

/** @param {string} threadId @returns {number} the newest seq that the customer of a framed chat has looked at */
export function seen(threadId) {
  const kept = read(browser, SEEN);
  return kept?.threadId === threadId && Number.isInteger(kept.seq) ? kept.seq : 0;
}

/** @param {string} threadId @param {number} seq */
export const keepSeen = (threadId, seq) => write(browser, SEEN, { threadId, seq });

/** The credential of an anonymous visitor in a frame; without storage it lasts as long as the page. */
let visitorNow = "";

/** @returns {string} "" where there is none yet */
export const visitor = () => visitorNow || String(read(browser, VISITOR) ?? "");

/** @param {string | null} credential */
export function keepVisitor(credential) {
  visitorNow = credential ?? "";
  write(browser, VISITOR, credential);
}
