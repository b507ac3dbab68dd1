/** The framed chat begins: it waits for the page around it, learns who the customer is, and becomes the chat page. */
import * as memory from "./memory.js";
import { host } from "./widget_host.js";
import { scopeOf, visitor } from "./widget_identity.js";
import { wear } from "./widget_looks.js";

const config = JSON.parse(document.getElementById("page-config")?.textContent ?? "{}");
const { origins, anonymous, visitorPath } = config.widget;
const HELLO_MS = 8_000;
let replaced = false;

// Nobody writes into a box that is not listened to yet.
document.body.inert = true;
if (parent === window) location.replace("/");
else void start();

async function start() {
  const unheard = setTimeout(note, HELLO_MS, "The site around this chat has not connected to it. Load the page again.");
  const hello = await host.greeted(origins);
  clearTimeout(unheard);
  wear(hello);
  const scope = await scopeOf(hello.token);
  memory.keepApart(`embed.${scope}`);
  host.credentials = await credentialsOf(hello.token);
  note("");
  document.getElementById("widget-close")?.addEventListener("click", host.close);
  const { session } = await import("./page.js");
  host.onToken = async (token) => {
    // Another customer: nothing of this one may stay, so the frame begins again, and is told who it is.
    if ((await scopeOf(token)) !== scope) return location.reload();
    if (!token || token === host.credentials.token) return host.onNoToken();
    host.credentials = { token };
    if (session.status === "unauthorized") session.reconnect();
  };
  host.onRefused = () => {
    if (!host.credentials.visitor || replaced) return false;
    replaced = true; // once: a server that refuses what it has just given will refuse the next one too
    memory.keepVisitor(null);
    void credentialsOf(null).then((given) => {
      host.credentials = given;
      host.renewing = false;
      session.reconnect();
    });
    return true;
  };
  document.body.inert = false;
  host.ready();
}

/** @param {string | null} token @returns {Promise<Record<string, string>>} */
async function credentialsOf(token) {
  if (token) return { token };
  if (!anonymous) return {};
  return { visitor: await visitor(visitorPath, () => note("Connecting takes longer than usual. Please wait a moment.")) };
}

/** @param {string} words */
function note(words) {
  const place = /** @type {HTMLElement} */ (document.getElementById("widget-note"));
  place.textContent = words;
  place.hidden = !words;
}
