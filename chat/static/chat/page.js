/** Puts the page together: the parts are in their modules, and this is the wiring between them. */
import { Announcer } from "./announcer.js";
import { moment } from "./clock.js";
import { Composer } from "./composer.js";
import { EarlierMessages } from "./earlier.js";
import { REWRITE } from "./errors.js";
import { Session } from "./session.js";
import { FeedbackCard } from "./feedback.js";
import * as memory from "./memory.js";
import { StickyScroll } from "./scroll.js";
import { ConversationView } from "./view.js";
import { isEmpty, isHeld } from "./order.js";
import { refusal } from "./pieces.js";
import { ApprovalPointer } from "./pointer.js";
import { text } from "./text.js";
import { host } from "./widget_host.js";
import { scopeOf } from "./widget_identity.js";
import { Missed, isSaid } from "./widget_missed.js";

/** @template {HTMLElement} [T=HTMLElement] @param {string} id */
const byId = (id) => /** @type {T} */ (document.getElementById(id));

const config = JSON.parse(byId("page-config").textContent ?? "{}");
let token = host.framed ? null : takeToken();
/** Whose page this is: what one customer has begun here is not the next one's, who signs in after them. */
const scope = await scopeOf(token);
if (token) memory.keepApart(scope);
let unread = 0;
const missed = new Missed();
let frameAsked = false;
let limitTimer = 0;
/** What browsers can wait for at most. */
const LONGEST_TIMER = 2 ** 31 - 1;
const pageTitle = document.title;

export const session = new Session({ url: socketUrl, heartbeatSeconds: config.heartbeatSeconds, onChange: scheduleRender });
const announcer = new Announcer(byId("announcer"));
const scroll = new StickyScroll(byId("conversation"), byId("column"), byId("log"), byId("jump"));
const pointer = new ApprovalPointer(byId("conversation"), byId("approval-jump"), scroll);
const view = new ConversationView(byId("log"), {
  decide: (interruptId, approved) => session.decide(interruptId, approved),
  retryTurn: (turnId) => session.retryTurn(turnId),
  tryAgain: (pendingId) => session.tryAgain(pendingId),
  edit: (pendingId) => composer.fill(session.takeBack(pendingId)),
  startNew,
  now: serverNow,
  connected: () => session.status === "open",
});
const composer = new Composer({
  form: byId("composer"),
  box: byId("message"),
  send: byId("send"),
  counter: byId("counter"),
  note: byId("composer-note"),
  limit: config.maxLength ?? 10_000,
  onSend: send,
});

const feedback = new FeedbackCard({
  give: (said) => session.giveFeedback(said),
  askForPerson: () => send(text.wantPerson),
  changed() {
    render();
    scroll.toLatest();
  },
  connected: () => session.status === "open",
  opener: byId("feedback-open"),
});

const earlier = new EarlierMessages(
  { area: byId("conversation"), row: byId("earlier"), words: byId("earlier-words"), button: byId("earlier-load") },
  { load: () => void session.loadEarlier(), say: (words) => announcer.say(words) },
);

/** The customer's own token in the fragment, which no server ever sees; a JWT is of URL-safe characters alone. */
function tokenInAddress() {
  return /(?:^#|&)token=([^&]+)/.exec(location.hash)?.[1] ?? null;
}

/** From here on it is kept in memory alone. */
function takeToken() {
  const found = tokenInAddress();
  if (found) history.replaceState(history.state, "", location.pathname + location.search);
  return found;
}

/** A newer token came. With another customer the page begins again, and takes it then. */
async function signIn() {
  const given = tokenInAddress();
  if (!given) return;
  if ((await scopeOf(given)) !== scope) return location.reload();
  token = takeToken();
  session.reconnect();
}

function socketUrl() {
  const url = new URL(config.socketPath ?? "/ws", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  for (const [name, value] of Object.entries(token ? { token } : host.credentials)) url.searchParams.set(name, value);
  return url.href;
}

function serverNow() {
  return Date.now() + session.serverAhead;
}

/** @param {string} content */
function send(content) {
  session.send(content);
  render();
  scroll.toLatest();
}

/** Text that was not sent moves into the new conversation's box. */
function startNew() {
  const carried = session.state.pending.map((one) => one.content).join("\n\n");
  session.startNew();
  if (carried) composer.fill(carried);
  else composer.focus();
  render();
}

function askForNew() {
  if (!session.running) return startNew();
  byId("confirm-new").showModal();
  byId("confirm-stay").focus();
}

/** Whether nobody can see the page: in another tab, or folded away on the site that frames it. */
const isAway = () => document.hidden || host.folded;

function scheduleRender() {
  if (frameAsked) return;
  frameAsked = true;
  // A hidden page draws no frames, and still has to count what is new.
  if (isAway()) setTimeout(render, 50);
  else requestAnimationFrame(render);
}

function render() {
  frameAsked = false;
  const { state } = session;
  returnRefused(state);
  // A long history is drawn once, when it is complete.
  if (!session.loading) {
    scroll.keepPlace(() => {
      view.render(state);
      earlier.show(state.earlier);
    });
  }
  feedback.render(state, session.loading);
  byId("welcome").hidden = session.loading || !isEmpty(state);
  byId("loading").hidden = !session.loading;
  byId("ended").hidden = !state.ended;
  byId("ended-text").textContent = state.ended === "gone" ? text.threadGone : text.sessionExpired;
  const running = session.running;
  byId("stop").hidden = !running;
  byId("stop").toggleAttribute("disabled", Boolean(running?.stopping) || session.status !== "open");
  showConnection();
  showWhoAnswers(isHeld(state));
  showUsage(state);
  tellNews(state);
  scroll.follow();
  earlier.loadAtTheTop();
  pointer.update(state);
}

/**
 * Refused messages go back into the box, in their order, when nothing else has been written there meanwhile.
 * @param {import("./state.js").State} state
 */
function returnRefused(state) {
  const refused = state.pending.filter((one) => REWRITE.has(one.refused ?? ""));
  if (!refused.length || !composer.isEmpty) return;
  const note = refusal(refused[0]);
  composer.fill(refused.map((one) => session.takeBack(one.id)).join("\n\n"), note);
  if (refused[0].refused === "usage") waitForLimit(refused[0].detail);
}

/** What was refused for a limit stands in the box, with the reason, until it begins anew. @param {string} resetsAt */
function waitForLimit(resetsAt) {
  const left = Date.parse(resetsAt) - serverNow();
  if (Number.isNaN(left)) return;
  composer.say(byId("composer-note").textContent ?? "", { holds: true });
  clearTimeout(limitTimer);
  const done = () => composer.holds && composer.say(text.usageAgain);
  limitTimer = setTimeout(done, Math.min(Math.max(left, 0), LONGEST_TIMER));
}

/** From 80 percent on, and until the limit begins anew. @param {import("./state.js").State} state */
function showUsage({ usage }) {
  const current = usage && !(Date.parse(usage.resets_at) <= serverNow()) ? usage : null;
  const words = current ? text.usageNear(current.percent, moment(current.resets_at)) : "";
  if (byId("usage").textContent !== words) byId("usage").textContent = words;
}

/** @param {boolean} held  by a colleague */
function showWhoAnswers(held) {
  const about = byId("about");
  if (about.hidden === held) return;
  const focused = document.activeElement === about;
  about.hidden = held;
  byId("presence").hidden = !held;
  byId("hint-model").hidden = held;
  byId("hint-held").hidden = !held;
  if (focused) byId("conversation").focus({ preventScroll: true });
}

/** @param {import("./state.js").State} state */
function tellNews(state) {
  for (const item of state.news.splice(0)) {
    announcer.tell(item);
    if (isAway() && !item.own && (!host.framed || isSaid(item))) unread += 1;
  }
  if (host.framed && !session.loading) tellHost(state);
  document.title = unread ? text.closeTitle(unread, pageTitle) : pageTitle;
}

/** @param {import("./state.js").State} state */
function tellHost(state) {
  unread += missed.count(state);
  if (!isAway()) {
    unread = 0;
    missed.saw(state);
  }
  if (state.last > 0) host.talking();
  host.tellUnread(unread);
}

let broken = false;
let bannerTimer = 0;

/** A break shorter than a blink is not worth a banner. */
function showConnection() {
  const { status } = session;
  const banner = byId("banner");
  if (status === "unauthorized") host.refused();
  if (status === "open") {
    host.accepted();
    clearTimeout(bannerTimer);
    bannerTimer = 0;
    if (!banner.hidden && broken) announcer.say(text.reconnected);
    broken = false;
    banner.hidden = true;
  } else if ((status === "unauthorized" && !host.renewing) || status === "offline") showBanner();
  else if (!bannerTimer) bannerTimer = setTimeout(showBanner, 600);
}

function showBanner() {
  const { status } = session;
  if (status === "open") return;
  broken = true;
  const banner = byId("banner");
  banner.dataset.status = status;
  const refused = status === "unauthorized" && !host.renewing;
  const words = refused ? text.unauthorized : status === "offline" ? text.offline : text.reconnecting;
  if (byId("banner-text").textContent !== words) byId("banner-text").textContent = words;
  byId("retry-now").hidden = status === "unauthorized";
  banner.hidden = false;
}

function everySecond() {
  const open = [...session.state.items.values()].filter((item) => item.kind === "approval" && item.status === "open");
  for (const item of open) announcer.remind(item, serverNow());
  if (open.length && !document.hidden) scheduleRender();
}

function listen() {
  byId("presence-words").textContent = text.held;
  byId("hint-held").textContent = text.hintHeld;
  byId("stop").addEventListener("click", () => session.stop());
  byId("new-conversation").addEventListener("click", askForNew);
  byId("ended-new").addEventListener("click", startNew);
  byId("retry-now").addEventListener("click", () => session.socket.retryNow());
  byId("about").addEventListener("click", () => byId("about-dialog").showModal());
  byId("confirm-new").addEventListener("close", () => {
    if (byId("confirm-new").returnValue !== "stop") return;
    session.stop();
    startNew();
  });
  for (const chip of document.querySelectorAll("[data-suggestion]")) {
    chip.addEventListener("click", () => {
      send(chip.getAttribute("data-suggestion") ?? "");
      composer.focus();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing || document.querySelector("dialog[open]")) return;
    if (session.running) session.stop();
    else host.close();
  });
  document.addEventListener("visibilitychange", () => {
    if (isAway()) return;
    unread = 0;
    scheduleRender();
  });
  if (!host.framed) addEventListener("hashchange", () => void signIn());
  setInterval(everySecond, 1000);
}

/** The customer has opened the frame again. @param {boolean} focus */
function opened(focus) {
  unread = 0;
  scheduleRender();
  scroll.follow();
  if (focus) greet();
}

/** Where a keyboard would cover half of a small screen, the conversation gets the focus and not the box. */
function greet() {
  if (matchMedia("(hover: hover)").matches) composer.focus();
  else if (host.framed) byId("conversation").focus({ preventScroll: true });
}

host.onOpened = opened;
host.onNoToken = scheduleRender;
listen();
session.start();
if (!host.framed) greet();
