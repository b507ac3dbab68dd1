"""The chat on somebody else's site, in a browser that blocks third-party cookies: a shop on an origin of its own, the
product on another, everything between them real."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.chat.test_page_looks import CONTRASTS
from tests.chat.widget_site import Site, running_site
from tests.live.chatter import token_for
from tests.live.stack import ROOT, Stack, until

pytestmark = [pytest.mark.xdist_group("widget"), pytest.mark.browser]
EXAMPLE = ROOT / "docs/examples/widget/index.html"
DESK = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
NO_COOKIES = {
    "enableThirdPartyCookieRestriction": True,
    "disableThirdPartyCookieMetadata": True,
    "disableThirdPartyCookieHeuristics": True,
}
STRICT = (
    "default-src 'none'; script-src 'self' {ours}; frame-src {ours}; base-uri 'none'; "
    "require-trusted-types-for 'script'; report-to none"
)
HOSTILE = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
window.overheard = [];
addEventListener("message", (event) => overheard.push(event.data));
window.namesBefore = null;
window.namesBefore = Object.getOwnPropertyNames(window);
const broken = () => { throw new Error("the page has broken this"); };
for (const name of ["map", "filter", "forEach", "includes", "push", "some", "find", "concat", "join", "slice"])
  Array.prototype[name] = broken;
Array.prototype.toJSON = broken;
JSON.parse = JSON.stringify = broken;
Object.prototype.token = "polluted";
Object.prototype.count = 7;
Object.prototype.type = "close";
"""
HOSTILE_CSS = """body *, html > *:not(body, head) {
  display: none !important; opacity: 0 !important; position: static !important; transform: scale(0) !important }"""
# What the page's own script does: it writes down what the chat asks it for and tells it.
LISTENING = """<script>
window.given = []; window.asked = 0; window.heard = [];
addEventListener("DOMContentLoaded", () => {
  for (const name of ["open", "close", "unread", "ready"])
    SmartSupport.on(name, (value) => heard.push([name, value]));
  SmartSupport.on("tokenneeded", async () => { asked += 1; return given.shift(); });
});
</script>"""

# Whether the frame knows by now that it was folded away.
FOLDED = """async () => {
  const loaded = performance.getEntriesByType("resource").map((one) => one.name);
  const { host } = await import(loaded.find((name) => name.includes("/widget_host.")));
  return host.folded;
}"""

# What the widget does when it has waited for some seconds, it does when `waited` is called, as a busy machine may take
# longer to load the chat. True: it was waiting for so long.
PATIENT = """if (window === window.top) {
  const [begin, end] = [setTimeout, clearTimeout];
  let waiting = null;
  window.setTimeout = (call, time, ...given) => {
    if (!(time >= 4000)) return begin.call(window, call, time, ...given);
    waiting = { call, time };
    return -1;
  };
  window.clearTimeout = (id) => { if (id === -1) waiting = null; else end.call(window, id); };
  window.waited = (time) => {
    if (waiting?.time !== time) return false;
    waiting.call();
    return true;
  };
}"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Site]:
    with running_site("shop") as site:
        yield site


@pytest.fixture(scope="module")
def stranger() -> Iterator[Site]:
    with running_site("stranger") as site:
        yield site


@pytest.fixture(scope="module")
def stack(shop: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The product, which lets the shop show the chat, and nobody else."""
    product = Stack("widget", tmp_path_factory.mktemp("widget"), WIDGET_ORIGINS=shop.origin)
    try:
        product.start()
        yield product
    finally:
        product.stop()


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    return chromium


class Customer:
    """Somebody at a site. `said` is what the site's console says, `asked` every address that anything asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.devtools = page.context.new_cdp_session(page)
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.context.on("request", lambda request: self.asked.append(request.url))

    @property
    def launcher(self) -> Locator:
        return self.page.locator("smart-support-widget .launcher")

    @property
    def chat(self) -> FrameLocator:
        return self.page.frame_locator("smart-support-widget iframe")

    def says(self, text: str) -> None:
        expect(self.page.locator("smart-support-widget .cover")).to_be_hidden()
        self.chat.get_by_label("Your message to").fill(text)
        self.chat.get_by_label("Your message to").press("Enter")

    def has_said(self, messages: int) -> None:
        """Wait until the chat knows that so many messages have arrived; what it shows may still be on its way."""
        expect(self.chat.locator(".mine:not(.is-unsent)")).to_have_count(messages)
        expect(self.chat.locator(".mine.is-unsent")).to_have_count(0)

    def becomes(self, token: str) -> None:
        """Another customer signs in at the site; the chat begins again for them."""
        self.page.evaluate(f"heard.length = 0; SmartSupport.setToken('{token}')")
        until(lambda: self.page.evaluate("heard.some(([name]) => name === 'ready')"))

    def told(self, text: str) -> Locator:
        return self.chat.get_by_role("log", name="Messages").get_by_text(text).filter(visible=True).first

    def until_said(self, text: str, times: int = 1) -> None:
        """Wait until the site's console says this; asking the browser for anything lets it tell what happened."""

        def said() -> bool:
            self.page.context.cookies()
            return sum(text in line for line in self.said) >= times

        until(said)

    def finds(self, expression: str) -> Any:
        """What a script of the site finds, also where the site has broken what Playwright's own way needs."""
        answer = self.devtools.send("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")


@contextmanager
def at(browser: Browser, url: str = "", **options: Any) -> Iterator[Customer]:
    """A new customer's browser, which blocks third-party cookies."""
    context = browser.new_context(**{"viewport": DESK, "reduced_motion": "reduce", **options})
    context.add_init_script(PATIENT)
    customer = Customer(context.new_page())
    try:
        customer.devtools.send("Network.enable")
        customer.devtools.send("Network.setCookieControls", NO_COOKIES)
        if url:
            customer.page.goto(url)
        yield customer
    finally:
        context.close()


def serve(
    shop: Site, stack: Stack, attributes: str = "", *, path: str = "/", more: str = "", **headers: str
) -> str:
    """A page of the shop that shows the chat; its address."""
    script = f"<script src='{stack.url}/widget.js' data-title='Northwind' {attributes}></script>"
    style = f"<style>{HOSTILE_CSS}</style>" if "Content-Security-Policy" not in headers else ""
    body = f"<button id=own>Ask us</button><p>Shoes and hats.</p>{style}{more}{script}"
    shop.pages[path] = (
        {name.replace("_", "-"): value for name, value in headers.items()},
        f"<!doctype html><html lang=en><title>Shop</title><body>{body}</body></html>",
    )
    return shop.origin + path


def thread_of(stack: Stack, text: str) -> str:
    """The conversation in which somebody wrote this."""
    rows = until(
        lambda: stack.db(
            "SELECT c.thread_id FROM chat_conversation c JOIN chat_event e ON e.conversation_id = c.id "
            "WHERE e.kind = 'message_received' AND e.payload->>'content' = %s",
            text,
        )
    )
    return str(rows[0]["thread_id"])


def test_a_page_that_breaks_everything_else_does_not_break_the_chat(
    stack: Stack, shop: Site, browser: Browser
) -> None:
    shop.pages["/hostile.js"] = ({}, HOSTILE)
    shop.pages["/hostile.css"] = ({}, HOSTILE_CSS)
    policy = STRICT.format(ours=stack.url) + "; style-src 'self'"
    headers = {
        "Content-Security-Policy": policy,
        "Cross_Origin_Embedder_Policy": "require-corp",
        "Cross_Origin_Opener_Policy": "same-origin",
    }
    hostile = "<link rel=stylesheet href=/hostile.css><script src=/hostile.js></script>"
    url = serve(shop, stack, "data-token=''", more=hostile, **headers)
    with at(browser, url) as customer:
        before = customer.finds("document.body.outerHTML")
        customer.launcher.focus()
        customer.page.keyboard.press("Enter")
        customer.says("Cancel order 1062")
        approve = customer.chat.get_by_role("button", name="Approve")
        expect(approve).to_be_visible()
        assert not [one for one in stack.journal("cancel_order") if "/orders/1062/" in one["path"]]
        approve.click()
        expect(customer.told("Order 1062 was cancelled")).to_be_visible()

        assert len([one for one in stack.journal("cancel_order") if "/orders/1062/" in one["path"]]) == 1
        names = "Object.getOwnPropertyNames(window).length - namesBefore.length"
        assert customer.finds(names) == 1
        assert customer.finds("Object.getOwnPropertyNames(SmartSupport).length") == 4
        assert customer.finds("[violations.length, overheard.length]") == [0, 0]
        assert customer.finds("document.body.outerHTML") == before
        assert customer.finds("crossOriginIsolated") is True
        assert customer.said == []
        assert [
            cookie for cookie in customer.page.context.cookies() if "smartsupport" in cookie["name"]
        ] == []

        customer.page.reload()  # known again, without a cookie
        customer.launcher.wait_for()
        expect(customer.told("Order 1062 was cancelled")).to_be_visible()


def test_the_example_of_the_documentation_shows_the_chat(stack: Stack, shop: Site, browser: Browser) -> None:
    shop.pages["/example"] = ({}, EXAMPLE.read_text().replace("http://localhost:8000", stack.url))
    with at(browser, f"{shop.origin}/example") as customer:
        customer.launcher.click()
        customer.says("What is the status of order 1042?")

        expect(customer.told("Order 1042 is")).to_be_visible()
        expect(customer.chat.get_by_role("heading", name="Northwind")).to_be_visible()
        customer.has_said(1)


def test_a_site_that_is_not_on_the_list_shows_nothing_and_says_why(
    stack: Stack, shop: Site, stranger: Site, browser: Browser
) -> None:
    with at(browser, serve(stranger, stack)) as visitor:
        assert visitor.page.locator("smart-support-widget").count() == 0
        assert visitor.page.evaluate("typeof window.SmartSupport") == "undefined"
        visitor.until_said("WIDGET_ORIGINS")
        [told] = visitor.said
        assert "WIDGET_ORIGINS" in told
        assert stranger.origin in told
        assert stack.url in told

        # The page itself is refused too, to the stranger and to who frames somebody that may.
        serve(shop, stack, "data-open=true", path="/framed")
        for source in (f"{stack.url}/embed", f"{shop.origin}/framed"):
            stranger.pages["/frames"] = ({}, f"<!doctype html><iframe src='{source}'></iframe>")
            visitor.said.clear()
            visitor.asked.clear()
            visitor.page.goto(f"{stranger.origin}/frames")
            visitor.until_said("frame-ancestors")
            assert not [url for url in visitor.asked if "/ws" in url or "/embed/visitor" in url]


def test_a_frame_that_is_not_framed_becomes_the_chat_page(stack: Stack, browser: Browser) -> None:
    with at(browser, f"{stack.url}/embed") as visitor:
        visitor.page.wait_for_url(f"{stack.url}/")


def test_the_customer_is_whom_the_token_names_and_tokens_travel_in_no_address(
    stack: Stack, shop: Site, browser: Browser
) -> None:
    ada, bob = (f"cus_{uuid4().hex}" for _ in range(2))
    old, good = token_for(ada, exp=1), token_for(ada)
    with at(browser, serve(shop, stack, f"data-token='{old}'", more=LISTENING)) as customer:
        customer.page.evaluate(f"given.push('not a token', '{good}')")
        customer.page.evaluate("SmartSupport.open()")
        # The chat begins again with each token of somebody it does not know: this one is the third, and stays.
        until(lambda: customer.page.evaluate("heard.filter(([name]) => name === 'ready').length === 3"))
        hello = f"hello from {ada}"
        customer.says(hello)
        expect(customer.told(hello)).to_be_visible()
        thread = thread_of(stack, hello)

        # Somebody else signs in on the same page: nothing of the first customer is left.
        customer.becomes(token_for(bob))
        expect(customer.told(hello)).to_have_count(0)
        expect(customer.chat.get_by_text("how can we help?")).to_be_visible()
        customer.says(f"hello from {bob}")
        expect(customer.told(f"hello from {bob}")).to_be_visible()
        customer.has_said(1)

        # And back, with a newer token of the first.
        customer.becomes(token_for(ada, name="Ada"))
        expect(customer.told(hello)).to_be_visible()

        rows = stack.db(
            "SELECT u.subject, c.thread_id FROM chat_conversation c JOIN chat_customer u ON u.id = c.customer_id "
            "WHERE u.subject = ANY(%s) ORDER BY 1",
            [[ada, bob]],
        )
        assert sorted(row["subject"] for row in rows) == sorted([ada, bob])
        assert thread in [row["thread_id"] for row in rows if row["subject"] == ada]
        addresses = [url for url in customer.asked if not url.startswith("ws")]
        assert any(url.startswith(f"{stack.url}/embed?") for url in addresses)
        assert not any(token in url for url in addresses for token in (old, good, "eyJ"))
        assert "eyJ" not in stack.log("web")


def test_a_page_without_a_good_token_is_not_asked_for_ever(
    stack: Stack, shop: Site, browser: Browser
) -> None:
    with at(
        browser, serve(shop, stack, f"data-token='{token_for('cus_7', exp=1)}'", more=LISTENING)
    ) as customer:
        customer.page.evaluate("given.push('1.bad.token', '2.bad.token', '3.bad.token', '4.bad.token')")
        customer.page.evaluate("SmartSupport.open()")
        customer.until_said("3 tokens in a row were refused")
        assert customer.page.evaluate("asked") == 3
        expect(customer.chat.get_by_text("We could not confirm who you are")).to_be_visible()

        customer.becomes(token_for("cus_1002"))
        expect(customer.chat.get_by_text("We could not confirm who you are")).to_be_hidden()
        customer.says("What is the status of order 1058?")
        expect(customer.told("was not found")).to_be_visible()  # it is somebody else's


def test_a_visitors_credential_that_is_not_good_any_more_is_replaced_once(
    stack: Stack, shop: Site, browser: Browser
) -> None:
    with at(browser, serve(shop, stack)) as customer:
        customer.launcher.click()
        customer.says("hello there")
        expect(customer.told("hello there")).to_be_visible()
        customer.has_said(1)  # or it is said again by whom the chat is next
        spoil = "localStorage.setItem('smartsupport.embed.visitor-credential', JSON.stringify('signed:by:nobody'))"
        customer.chat.locator("body").evaluate(spoil)
        customer.asked.clear()
        customer.page.reload()

        expect(
            customer.chat.get_by_text("how can we help?")
        ).to_be_visible()  # somebody new, to whom nothing is told
        customer.says("here I am again")
        expect(customer.told("here I am again")).to_be_visible()
        customer.has_said(1)
        assert len([url for url in customer.asked if url.endswith("/embed/visitor")]) == 1


def test_keyboard_names_and_focus(stack: Stack, shop: Site, browser: Browser) -> None:
    with at(browser, serve(shop, stack)) as customer:
        page, launcher = customer.page, customer.launcher
        expect(launcher).to_have_role("button")
        expect(launcher).to_have_accessible_name("Open Northwind")
        expect(launcher).to_have_attribute("aria-expanded", "false")
        launcher.focus()
        page.keyboard.press("Enter")
        expect(launcher).to_have_attribute("aria-expanded", "true")
        expect(launcher).to_have_accessible_name("Close Northwind")
        expect(page.get_by_role("dialog", name="Northwind")).to_be_visible()
        expect(customer.chat.get_by_label("Your message to")).to_be_focused()

        page.keyboard.press("Escape")  # inside the frame
        expect(launcher).to_have_attribute("aria-expanded", "false")
        expect(launcher).to_be_focused()

        page.evaluate(
            "own.style.setProperty('display', 'block', 'important'); own.onclick = () => SmartSupport.open(); 0"
        )
        page.locator("#own").focus()
        page.keyboard.press("Enter")
        expect(customer.chat.get_by_label("Your message to")).to_be_focused()
        customer.chat.get_by_role("button", name="Close the chat").click()
        expect(page.locator("#own")).to_be_focused()
        assert customer.said == []


@pytest.mark.parametrize("why", ["data-open", "it was open"])
def test_a_chat_that_opens_by_itself_leaves_the_focus_where_it_is(
    stack: Stack, shop: Site, browser: Browser, why: str
) -> None:
    field = "<input id=search autofocus style='display: block !important; transform: none !important'>"
    url = serve(shop, stack, "data-open=true" if why == "data-open" else "", more=field + LISTENING)
    with at(browser, url) as customer:
        page = customer.page
        if why == "it was open":
            customer.launcher.click()
            expect(customer.chat.get_by_label("Your message to")).to_be_focused()
            page.reload()

        until(lambda: page.evaluate("heard.some(([name]) => name === 'ready')"))
        expect(customer.chat.get_by_text("how can we help?")).to_be_visible()
        page.keyboard.type("hats")

        expect(page.locator("#search")).to_have_value("hats")
        expect(customer.chat.get_by_label("Your message to")).to_have_value("")
        customer.chat.get_by_label("Your message to").click()
        page.keyboard.press("Escape")
        expect(customer.launcher).to_be_focused()


def test_a_phone_is_filled_and_a_desk_is_not(stack: Stack, shop: Site, browser: Browser) -> None:
    with at(browser, serve(shop, stack), viewport=PHONE, has_touch=True) as customer:
        customer.launcher.tap()
        panel = customer.page.locator("smart-support-widget dialog")
        expect(customer.chat.get_by_label("Your message to")).to_be_visible()
        assert panel.bounding_box() == {"x": 0, "y": 0, **PHONE}
        assert panel.evaluate("panel => panel.matches(':modal')") is True
        customer.page.set_viewport_size(DESK)
        until(lambda: panel.evaluate("panel => panel.open && !panel.matches(':modal')"))
        box = panel.bounding_box()
        assert box is not None
        assert (box["width"], box["x"] + box["width"]) == (400, DESK["width"] - 20)
        expect(customer.launcher).to_be_visible()


def test_what_is_new_is_counted_and_nothing_else_is_told(stack: Stack, shop: Site, browser: Browser) -> None:
    url = serve(shop, stack, "data-position=left", more=LISTENING)
    question = f"What is your return policy? {uuid4().hex}"
    with at(browser, url) as customer:
        customer.launcher.click()
        customer.says(question)
        thread = thread_of(stack, question)
        expect(customer.chat.get_by_role("log", name="Messages").get_by_role("article")).to_have_count(2)
        expect(customer.chat.get_by_role("button", name="Stop")).to_be_hidden()
        customer.launcher.click()
        expect(customer.launcher).to_have_attribute("aria-expanded", "false")
        until(lambda: customer.chat.locator("body").evaluate(FOLDED))

        assert stack.api.post(f"/conversations/{thread}/takeover").is_success
        assert stack.api.post(
            f"/conversations/{thread}/staff-messages", json={"content": "Secret words."}
        ).is_success
        expect(customer.launcher).to_have_accessible_name("Open Northwind, 2 new messages")
        expect(
            customer.page.get_by_role("status").filter(has_text="2 new messages in Northwind")
        ).to_have_count(1)
        told = customer.page.evaluate("heard")
        assert told[:3] == [["open", None], ["ready", None], ["close", None]]
        assert ["unread", 2] in told
        assert "Secret" not in customer.page.evaluate(
            "JSON.stringify(heard) + document.documentElement.innerHTML"
        )

        # On another page of the shop, later: what came meanwhile is counted, without anybody opening the chat.
        customer.page.goto("about:blank")
        assert stack.api.post(f"/conversations/{thread}/staff-messages", json={"content": "More."}).is_success
        customer.page.goto(url)
        expect(customer.launcher).to_have_accessible_name("Open Northwind, 3 new messages")
        customer.launcher.click()
        expect(customer.told("Secret words.")).to_be_visible()
        expect(customer.page.locator("smart-support-widget .badge")).to_be_hidden()
        customer.page.reload()  # it was open: it is open again, and what was read is read
        expect(customer.launcher).to_have_accessible_name("Close Northwind")
        expect(customer.told("More.")).to_be_visible()


def test_a_chat_that_does_not_come_says_so_and_can_be_tried_again(
    stack: Stack, shop: Site, browser: Browser
) -> None:
    url = serve(shop, stack, **{"Content-Security-Policy": f"script-src {stack.url}; frame-src 'none'"})
    with at(browser, url) as customer:
        customer.launcher.click()
        until(lambda: customer.page.evaluate("waited(4000)"))
        expect(customer.page.get_by_text("The chat could not be loaded.")).to_be_visible()
        customer.until_said("WIDGET_ORIGINS")
        assert any("frame-src" in line and "WIDGET_ORIGINS" in line for line in customer.said)
        customer.page.get_by_role("button", name="Try again").click()
        expect(customer.page.get_by_text("Loading the chat")).to_be_visible()
        customer.page.get_by_role("button", name="Close", exact=True).click()
        expect(customer.launcher).to_have_attribute("aria-expanded", "false")


def test_mistakes_of_a_page_are_explained(stack: Stack, shop: Site, browser: Browser) -> None:
    twice = f"<script src='{stack.url}/widget.js'></script>"
    with at(browser, serve(shop, stack, "data-color=red data-position=up", more=twice)) as customer:
        customer.until_said("included twice")
        assert customer.page.locator("smart-support-widget").count() == 1
        customer.page.evaluate(
            "SmartSupport.setToken(42); SmartSupport.on('message', () => {}); SmartSupport.on('open')"
        )
        for mistake, times in (("setToken takes", 1), ("on takes one of", 2)):
            customer.until_said(mistake, times)
        customer.page.evaluate("SmartSupport.on('open', () => { throw new Error('the page is wrong') })")
        customer.launcher.click()
        expect(customer.chat.get_by_label("Your message to")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("color", ["#ffd400", "#101010", "#7c3aed"])
def test_any_colour_can_be_read(stack: Stack, shop: Site, browser: Browser, color: str, theme: str) -> None:
    url = serve(shop, stack, f"data-color='{color}' data-theme={theme} data-open=true")
    with at(browser, url, color_scheme="dark" if theme == "light" else "light") as customer:
        customer.says("What is the status of order 1042?")
        expect(customer.told("Order 1042 is")).to_be_visible()
        assert customer.chat.locator(":root").evaluate("root => root.dataset.theme") == theme
        assert customer.chat.locator(":root").evaluate(f"() => ({CONTRASTS})()") == []


def test_a_visitor_at_the_socket(stack: Stack, shop: Site) -> None:
    url, headers = f"{stack.url}/embed/visitor", {"Origin": stack.url}
    given = httpx.post(url, headers=headers, trust_env=False, timeout=60).json()["visitor"]
    with connect(
        f"{stack.socket_url}?visitor={given}", proxy=None, open_timeout=60, origin=stack.url
    ) as socket:  # type: ignore[arg-type]
        assert socket.response is not None
        assert "Set-Cookie" not in socket.response.headers
        socket.send('{"type": "ping"}')
        assert socket.recv(timeout=60) == '{"type": "pong"}'
    for bad in (given[:-1], "", "x"):
        with connect(f"{stack.socket_url}?visitor={bad}", proxy=None, open_timeout=60) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=60)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4001
    with pytest.raises(InvalidStatus):  # the site around the frame may show it, and not be it
        connect(f"{stack.socket_url}?visitor={given}", proxy=None, open_timeout=60, origin=shop.origin)  # type: ignore[arg-type]
    assert given not in stack.log("web")
