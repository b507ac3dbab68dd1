/**
 * What the page remembers: the conversation's id in this browser, unsent text in this tab. Storage may be full, off
 * or forbidden; then the page works and forgets.
 */
const THREAD = "smartsupport.thread";
const UNSENT = "smartsupport.unsent";
const DRAFT = "smartsupport.draft";
const DISMISSED = "smartsupport.feedback";

/** @param {() => Storage} storage @param {string} key @returns {any} */
function read(storage, key) {
  try {
    return JSON.parse(storage().getItem(key) ?? "null");
  } catch {
    return null;
  }
}

/** @param {() => Storage} storage @param {string} key @param {unknown} value */
function write(storage, key, value) {
  try {
    if (value === null) storage().removeItem(key);
    else storage().setItem(key, JSON.stringify(value));
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
