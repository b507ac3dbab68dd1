/**
 * The page around the framed chat, as the chat knows it. On the chat's own page there is none, and all of this is idle.
 *
 * The page says hello once, with one end of a channel. Only the window that frames us is heard, only from an origin of the
 * deployment's list, and only once; from then on both sides speak through the channel alone. The page is told that
 * something is new and how much, never what; nothing that it can say sends a message or decides an approval.
 */

/** @typedef {{open: boolean, title: string, color: string, token: string | null}} Hello */

/** What is longer is no token, and is refused by the server as any other bad one. */
const TOKEN_LENGTH = 8_192;
/** A refusal comes after the socket has been opened, and at once. */
const SETTLED_MS = 3_000;
/** How long the page may take to come up with a token before the customer is told that there is none. */
const RENEWING_MS = 10_000;

/** @type {MessagePort | null} */ let port = null;
let told = -1;
let asked = 0;
let settling = 0;

export const host = {
  /** Whether there is one. */
  framed: false,
  /** Whether it has the chat folded away. */
  folded: false,
  /** Whether another credential may still come in place of one that was refused. */
  renewing: false,
  /** What the socket is opened with: `token`, `visitor`, or nothing. @type {Record<string, string>} */
  credentials: {},
  onOpened: (/** @type {boolean} */ _focus) => {},
  onToken: (/** @type {string | null} */ _token) => {},
  onNoToken: () => {},
  /** Called when our own credential was refused; true if another one is on its way. */
  onRefused: () => false,

  /** Waits for the page's hello. @param {string[]} origins  that may say it @returns {Promise<Hello>} */
  greeted(origins) {
    return new Promise((resolve) => {
      addEventListener("message", function hear(event) {
        if (event.source !== parent || !origins.includes(event.origin)) return;
        if (event.data?.type !== "smartsupport:hello" || event.ports.length !== 1) return;
        removeEventListener("message", hear);
        port = event.ports[0];
        port.onmessage = (said) => take(said.data);
        host.framed = true;
        host.folded = event.data.open !== true;
        send({ type: "heard" });
        resolve({ ...event.data, token: tokenOf(event.data.token) });
      });
    });
  },

  ready: () => send({ type: "ready" }),
  close: () => send({ type: "close" }),
  /** There is a conversation here. */
  talking: () => send({ type: "talking" }),

  /** @param {number} count */
  tellUnread(count) {
    if (count === told) return;
    told = count;
    send({ type: "unread", count });
  },

  /** The socket is open. If it stays so, what it was opened with is good. */
  accepted() {
    if (port && !settling) settling = setTimeout(send, SETTLED_MS, { type: "token-accepted" });
  },

  /** The server does not know the customer. Asks for another token, once for each that was refused. */
  refused() {
    clearTimeout(settling);
    settling = 0;
    if (!port || host.renewing || asked) return;
    host.renewing = true;
    if (host.onRefused()) return;
    asked = setTimeout(nothingCame, RENEWING_MS);
    send({ type: "token-needed" });
  },
};

function endAsking() {
  clearTimeout(asked);
  host.renewing = false;
}

function nothingCame() {
  endAsking();
  host.onNoToken();
}

/** @param {any} message */
function take(message) {
  switch (message?.type) {
    case "opened":
      host.folded = false;
      return host.onOpened(message.focus === true);
    case "closed":
      host.folded = true;
      return;
    case "token":
      endAsking();
      asked = 0;
      return host.onToken(tokenOf(message.token));
    case "no-token":
      return nothingCame();
  }
}

/** @param {Record<string, unknown>} message */
function send(message) {
  port?.postMessage(message);
}

/** A bad token stays one: who has it is refused, and never taken for an anonymous visitor. @param {unknown} given */
const tokenOf = (given) => (typeof given === "string" && given ? given.slice(0, TOKEN_LENGTH) : null);
