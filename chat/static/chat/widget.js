/**
 * The chat on somebody else's site: a button, and a frame that opens above the page. One script without dependencies:
 *
 *   <script async src="https://support.example.com/widget.js" data-token="<customer token>"></script>
 *
 * It is a guest. Everything it draws stands in a shadow root; it sets no style of the page, changes no element of
 * it, and leaves one name behind, `SmartSupport`. The page's scripts may have replaced what the language brings along, so
 * it does without the methods of arrays and without JSON. What is said in the chat never reaches this script: the frame
 * tells it how many messages are new, and nothing of what is in them. docs/widget.md explains attributes and methods.
 */
(() => {
  "use strict";
  /** The sites that may frame the chat; the server writes its list here. @type {string[]} */
  const ORIGINS = [];
  const NAME = "Smart Support";
  const VERSION = 1;
  /** How long the framed page may take to come, and then to answer. */
  const LOADING_MS = 20_000;
  const ANSWER_MS = 4_000;
  /** For so long after a conversation the chat is loaded without being asked for, to tell of what is new. */
  const TALKED_MS = 24 * 3600 * 1000;
  const TOKENS_IN_A_ROW = 3;
  const LARGEST_COUNT = 99;
  const SMALL_SCREEN = "(max-width: 480px), (max-height: 500px)";
  const EVENTS = ["ready", "open", "close", "unread", "tokenneeded"];

  const script = /** @type {HTMLScriptElement | null} */ (
    document.currentScript ?? document.querySelector('script[src*="/widget.js"]')
  );
  if (!script?.src) return void console.error(`${NAME}: include widget.js by a script element with a src.`);
  const ours = new URL(script.src).origin;
  if (window.SmartSupport?.open) return void console.warn(`${NAME}: widget.js is included twice on this page.`);
  if (!listed(location.origin)) {
    const now = ORIGINS.length ? "is not on the list of" : "is not set in";
    return void console.error(
      `${NAME}: this site may not show the chat. Its origin ${now} the setting WIDGET_ORIGINS of ${ours}. ` +
        `To allow it, set WIDGET_ORIGINS=${location.origin} there (several are separated by commas).`,
    );
  }
  if (!isSecureContext) return void console.error(`${NAME}: the chat needs a page that was loaded over HTTPS.`);

  /** @param {string} origin */
  function listed(origin) {
    for (let i = 0; i < ORIGINS.length; i += 1) if (ORIGINS[i] === origin) return true;
    return false;
  }

  /** A field of what the frame sent; never one that the page has put on every object. @param {any} from @param {string} name */
  const field = (from, name) =>
    typeof from === "object" && from !== null && Object.getOwnPropertyDescriptor(from, name) ? from[name] : undefined;

  // What the page asked for
  const title = (script.dataset.title ?? "").slice(0, 60) || "Chat";
  const color = /^#[0-9a-f]{6}$/i.test(script.dataset.color ?? "") ? script.dataset.color : "#0f6e5a";
  const theme = script.dataset.theme === "dark" || script.dataset.theme === "light" ? script.dataset.theme : "auto";
  const left = script.dataset.position === "left";
  let token = script.dataset.token || null;

  // What is going on
  let isOpen = false;
  let unread = 0;
  /** @type {"none" | "loading" | "ready" | "failed"} */ let stage = "none";
  /** @type {MessagePort | null} */ let port = null;
  let timer = 0;
  let refusedInARow = 0;
  /** @type {HTMLElement | null} */ let cameFrom = null;
  /** @type {Record<string, ((value?: any) => any)[]>} */ const handlers = Object.create(null);
  for (let i = 0; i < EVENTS.length; i += 1) handlers[EVENTS[i]] = [];

  // What is drawn
  const place = document.createElement("smart-support-widget");
  const root = place.attachShadow({ mode: "open" });
  const launcher = element("button", "launcher", { type: "button", "aria-haspopup": "dialog", "aria-controls": "panel" });
  const badge = element("span", "badge", { "aria-hidden": "true" });
  const news = element("p", "news", { role: "status" });
  const panel = /** @type {HTMLDialogElement} */ (element("dialog", "panel", { id: "panel", "aria-label": title }));
  const cover = element("div", "cover", {});
  const words = element("p", "words", { role: "status" });
  const again = element("button", "again", { type: "button" });
  const away = element("button", "away", { type: "button" });
  /** @type {HTMLIFrameElement | null} */ let frame = null;
  launcher.append(icon("M5 9.5A4.5 4.5 0 0 1 9.5 5h5A4.5 4.5 0 0 1 19 9.5v3a4.5 4.5 0 0 1-4.5 4.5H12l-4.7 3.6c-.6.4-1.3 0-1.3-.7V16c-.7-.9-1-2-1-3.5Z", "when-closed"));
  launcher.append(icon("m6 9.5 6 6 6-6", "when-open"), badge);
  again.textContent = "Try again";
  away.textContent = "Close";
  cover.append(words, again, away);
  panel.append(cover);
  dress();
  root.append(launcher, news, panel);
  launcher.addEventListener("click", () => (isOpen ? close() : open()));
  again.addEventListener("click", load);
  away.addEventListener("click", close);
  panel.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  root.addEventListener("keydown", (event) => {
    if (/** @type {KeyboardEvent} */ (event).key !== "Escape" || !isOpen) return;
    event.stopPropagation();
    close();
  });
  const small = matchMedia(SMALL_SCREEN);
  small.addEventListener("change", () => {
    if (!isOpen) return;
    const inside = document.activeElement === place;
    panel.close();
    show();
    if (inside) frame?.focus();
  });
  label();
  // Beside the page's body and not in it: what the page does to its body (transforms, swaps, inert) is not done to this.
  document.documentElement.append(place);

  // Methods of the page

  /** Opens the chat and moves the focus into it. */
  function open() {
    if (isOpen) return;
    const active = document.activeElement;
    cameFrom = active instanceof HTMLElement && active !== document.body && active !== place ? active : null;
    unfold();
    frame?.focus();
  }

  /** Opens the chat and leaves the focus where it is. */
  function unfold() {
    isOpen = true;
    if (!place.isConnected) document.documentElement.append(place);
    if (stage === "none" || stage === "failed") load();
    show();
    remember("open", small.matches ? "" : "1");
    tellFrame({ type: "opened", focus: true });
    count(0);
    tellPage("open");
  }

  /** Folds the chat away; the conversation goes on. */
  function close() {
    if (!isOpen) return;
    const inside = document.activeElement === place;
    isOpen = false;
    panel.close();
    label();
    remember("open", "");
    tellFrame({ type: "closed" });
    if (inside) (cameFrom?.isConnected ? cameFrom : launcher).focus();
    tellPage("close");
  }

  /** Who the customer is from now on: a token for a newer one, another customer's, or null for nobody. @param {unknown} given */
  function setToken(given) {
    if (given !== null && (typeof given !== "string" || !given)) {
      return void console.error(`${NAME}: setToken takes a customer token (text), or null when nobody is signed in.`);
    }
    refusedInARow = 0;
    giveToken(given);
  }

  /** @param {string | null} given */
  function giveToken(given) {
    token = given;
    tellFrame({ type: "token", token });
  }

  /** @param {unknown} name @param {unknown} handler @returns {() => void} takes the handler back */
  function on(name, handler) {
    const list = typeof name === "string" ? handlers[name] : undefined;
    if (!list || typeof handler !== "function") {
      console.error(`${NAME}: on takes one of ready, open, close, unread, tokenneeded, and a function.`);
      return () => {};
    }
    const entry = /** @type {(value?: any) => any} */ (handler);
    list[list.length] = entry;
    return () => {
      for (let i = 0; i < list.length; i += 1) if (list[i] === entry) list[i] = () => {};
    };
  }

  // The frame

  function load() {
    stage = "loading";
    say("Loading the chat…");
    frame?.remove();
    frame = document.createElement("iframe");
    frame.title = title;
    // It may show itself, send its forms and open links in new tabs; never lead the page somewhere else.
    frame.setAttribute("sandbox", "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox");
    frame.setAttribute("referrerpolicy", "origin");
    frame.addEventListener("load", greet);
    frame.src = `${ours}/embed?theme=${theme}`;
    panel.prepend(frame);
    later(LOADING_MS);
  }

  /** A channel of our own, which nobody else on the page can listen to or speak into. It comes anew with every load. */
  function greet() {
    const channel = new MessageChannel();
    port?.close();
    port = channel.port1;
    port.onmessage = (event) => heard(event.data);
    const hello = { type: "smartsupport:hello", version: VERSION, open: isOpen, title, color, token };
    frame?.contentWindow?.postMessage(hello, ours, [channel.port2]);
    stage = "loading";
    say("Loading the chat…");
    later(ANSWER_MS);
  }

  /** @param {unknown} message */
  function heard(message) {
    const amount = field(message, "count");
    switch (field(message, "type")) {
      case "heard":
        return later(LOADING_MS);
      case "ready":
        clearTimeout(timer);
        stage = "ready";
        say("");
        // What was said to the frame before it listened.
        tellFrame({ type: isOpen ? "opened" : "closed", focus: document.activeElement === place });
        return tellPage("ready");
      case "unread":
        return Number.isInteger(amount) && amount >= 0 ? count(isOpen ? 0 : amount) : undefined;
      case "talking":
        return remember("talked", String(Date.now()));
      case "token-accepted":
        refusedInARow = 0;
        return;
      case "token-needed":
        return void askForToken();
      case "close":
        return close();
    }
  }

  /** Asks the page for a token. A page that gives bad ones is not asked for ever. */
  async function askForToken() {
    refusedInARow += 1;
    const asked = handlers.tokenneeded;
    if (refusedInARow > TOKENS_IN_A_ROW) {
      tellFrame({ type: "no-token" });
      return void console.error(`${NAME}: ${TOKENS_IN_A_ROW} tokens in a row were refused. Call setToken with a good one.`);
    }
    if (!asked.length) console.warn(`${NAME}: the chat needs a customer token. Call setToken, or handle "tokenneeded".`);
    let given = null;
    for (let i = 0; i < asked.length; i += 1) {
      try {
        given = (await asked[i]()) ?? given;
      } catch (error) {
        console.error(error);
      }
    }
    if (typeof given === "string" && given) giveToken(given);
    else tellFrame({ type: "no-token" });
  }

  /** @param {number} milliseconds */
  function later(milliseconds) {
    clearTimeout(timer);
    timer = setTimeout(failed, milliseconds);
  }

  function failed() {
    stage = "failed";
    port?.close();
    port = null;
    say("The chat could not be loaded. Check your connection and try again.");
    console.error(
      `${NAME}: ${ours}/embed did not answer. Is it reachable, does this page's Content-Security-Policy allow ` +
        `frame-src ${ours}, and is ${location.origin} in its setting WIDGET_ORIGINS?`,
    );
  }

  /** @param {Record<string, unknown>} message */
  function tellFrame(message) {
    port?.postMessage(message);
  }

  /** @param {string} name @param {any} [value] */
  function tellPage(name, value) {
    const list = handlers[name];
    for (let i = 0; i < list.length; i += 1) {
      try {
        list[i](value);
      } catch (error) {
        console.error(error);
      }
    }
  }

  // Drawing

  function show() {
    if (small.matches && !panel.open) panel.showModal();
    else panel.setAttribute("open", ""); // its own method, show, would take the focus along
    label();
  }

  /** What stands in the panel while there is no chat to see; "" for nothing. @param {string} text */
  function say(text) {
    cover.hidden = !text;
    words.textContent = text;
    again.hidden = stage !== "failed";
  }

  /** @param {number} amount */
  function count(amount) {
    if (amount === unread) return;
    unread = amount;
    label();
    news.textContent = unread ? `${unread === 1 ? "1 new message" : `${unread} new messages`} in ${title}` : "";
    tellPage("unread", unread);
  }

  function label() {
    const many = unread ? `, ${unread === 1 ? "1 new message" : `${unread} new messages`}` : "";
    launcher.setAttribute("aria-label", isOpen ? `Close ${title}` : `Open ${title}${many}`);
    launcher.setAttribute("aria-expanded", String(isOpen));
    badge.hidden = !unread;
    badge.textContent = unread > LARGEST_COUNT ? `${LARGEST_COUNT}+` : String(unread);
  }

  /** Black or white, whichever is easier to read there: relative luminance of WCAG. @param {string} background */
  function readable(background) {
    let sum = 0;
    const shares = [0.2126, 0.7152, 0.0722];
    for (let i = 0; i < 3; i += 1) {
      const part = parseInt(background.slice(1 + 2 * i, 3 + 2 * i), 16) / 255;
      sum += shares[i] * (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    }
    return sum > 0.179 ? "#111" : "#fff";
  }

  /** @param {string} tag @param {string} name @param {Record<string, string>} attributes */
  function element(tag, name, attributes) {
    const made = document.createElement(tag);
    made.className = name;
    for (const key of Object.keys(attributes)) made.setAttribute(key, attributes[key]);
    return made;
  }

  /** @param {string} path @param {string} name */
  function icon(path, name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("class", name);
    svg.setAttribute("aria-hidden", "true");
    line.setAttribute("d", path);
    svg.append(line);
    return svg;
  }

  /** Styles made by script: a page's policy about styles does not count for them, nor do its own rules in here. */
  function dress() {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE());
    root.adoptedStyleSheets = [sheet];
  }

  function STYLE() {
    const side = left ? "left" : "right";
    return `
:host { all: initial !important; display: block !important; position: fixed !important; inset: auto !important;
  z-index: 2147483647 !important; visibility: visible !important; opacity: 1 !important; transform: none !important;
  filter: none !important; pointer-events: auto !important; color-scheme: ${theme === "auto" ? "light dark" : theme} !important;
  --back: light-dark(#ffffff, #1c1f1e); --ink: light-dark(#1d1c1a, #eceeec); --line: light-dark(#8b877f, #7a837f); }
* { box-sizing: border-box; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
[hidden] { display: none !important; }
button { cursor: pointer; }
button:focus-visible { outline: 3px solid var(--ink); outline-offset: 3px; }
.launcher { position: fixed; ${side}: max(20px, env(safe-area-inset-${side})); bottom: max(20px, env(safe-area-inset-bottom));
  display: grid; place-items: center; width: 60px; height: 60px; padding: 0; border: 2px solid transparent; border-radius: 50%;
  background: ${color}; color: ${readable(String(color))}; box-shadow: 0 2px 6px rgb(0 0 0 / 20%), 0 8px 24px rgb(0 0 0 / 22%); }
svg { width: 36px; height: 36px; fill: none; stroke: currentcolor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
.launcher[aria-expanded="false"] .when-open, .launcher[aria-expanded="true"] .when-closed { display: none; }
.badge { position: absolute; top: -4px; ${side}: -4px; min-width: 24px; height: 24px; padding: 0 6px; border: 2px solid #fff;
  border-radius: 12px; background: #b3261e; color: #fff; font-size: 13px; font-weight: 700; line-height: 20px; text-align: center; }
.news { position: fixed; bottom: 0; ${side}: 0; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); }
.panel { position: fixed; inset: auto; ${side}: max(20px, env(safe-area-inset-${side})); bottom: 96px; width: min(400px, calc(100vw - 40px));
  max-width: none; height: min(680px, calc(100dvh - 120px)); max-height: none; margin: 0; padding: 0; overflow: hidden; border: 1px solid
  color-mix(in srgb, var(--line) 50%, transparent); border-radius: 18px; background: var(--back); color: var(--ink); box-shadow: 0 12px 48px rgb(0 0 0 / 28%); }
.panel:not([open]) { display: none; }
.panel::backdrop { background: none; }
iframe { display: block; width: 100%; height: 100%; border: 0; background: var(--back); }
.cover { position: absolute; inset: 0; display: flex; flex-direction: column; gap: 12px; align-items: center; justify-content: center;
  padding: 32px; background: var(--back); text-align: center; }
.words { margin: 0; max-width: 30ch; }
.again, .away { min-width: 140px; min-height: 44px; border: 1px solid var(--line); border-radius: 22px; background: none; color: var(--ink); }
.again { border-color: transparent; background: ${color}; color: ${readable(String(color))}; }
@media ${SMALL_SCREEN} {
  .panel { inset: 0; width: 100vw; height: 100dvh; border: 0; border-radius: 0; }
}
@media (prefers-reduced-motion: no-preference) {
  .panel[open] { animation: rise 160ms ease-out; }
  @keyframes rise { from { opacity: 0; transform: translateY(12px); } }
}
@media print { :host { display: none !important; } }
`;
  }

  // What is remembered on this site: that there was a conversation, and that the chat was open. No name, no token.

  /** @param {"open" | "talked"} what @param {string} value  "" to forget */
  function remember(what, value) {
    try {
      const kept = what === "open" ? sessionStorage : localStorage;
      if (value) kept.setItem(`smartsupport.${what}`, value);
      else kept.removeItem(`smartsupport.${what}`);
    } catch {
      // Storage is off: the next page begins with the chat closed.
    }
  }

  /** @param {"open" | "talked"} what @returns {string} */
  function remembered(what) {
    try {
      return (what === "open" ? sessionStorage : localStorage).getItem(`smartsupport.${what}`) ?? "";
    } catch {
      return "";
    }
  }

  window.SmartSupport = Object.freeze({ open, close, setToken, on });
  if (script.dataset.open === "true" || (remembered("open") && !small.matches)) unfold();
  else if (Date.now() - Number(remembered("talked")) < TALKED_MS) load();
})();
