/**
 * Who the customer is, to tell one's things from another's. In a framed chat that is whom the token of the page around it
 * names, or else an anonymous visitor: a browser that blocks cookies of other sites gives a frame none, so the visitor's
 * signed credential is kept in the frame's own storage, which browsers keep apart for each site around it. Without storage
 * it lasts as long as the page.
 */
import * as memory from "./memory.js";

const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * @param {string | null} token @returns {Promise<string>} which customer's things are meant: two tokens of one customer
 * are the same, and nothing can be read from it
 */
export async function scopeOf(token) {
  if (!token) return "visitor";
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(subjectOf(token)));
  return [...new Uint8Array(digest).subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What the token says of whom it is about; whether that is true, the server finds out. @param {string} token */
function subjectOf(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
    return `sub:${JSON.parse(new TextDecoder().decode(bytes)).sub}`;
  } catch {
    return token;
  }
}

/**
 * The visitor's credential, new where there is none yet.
 * @param {string} path  where new ones come from @param {() => void} onDelay  called while it takes longer
 */
export async function visitor(path, onDelay) {
  const known = memory.visitor();
  if (known) return known;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    const given = await newVisitor(path);
    if (given) {
      memory.keepVisitor(given);
      return given;
    }
    onDelay();
    await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random() / 2)));
  }
}

/** @param {string} path @returns {Promise<string | null>} null: not now */
async function newVisitor(path) {
  try {
    const answer = await fetch(path, { method: "POST", credentials: "omit" });
    return answer.ok ? String((await answer.json()).visitor) : null;
  } catch {
    return null;
  }
}
