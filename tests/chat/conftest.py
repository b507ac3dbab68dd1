"""Fixtures of the chat's tests: the chat page on a server that the test plays itself, and somebody who looks at it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests import one_browser
from tests.chat.page_server import PageServer, Site, Visitor, running_site

# Leaves nothing in the page's stores, and tells what a test may have made different for those after it.
LEFT_BEHIND = """() => { localStorage.clear(); sessionStorage.clear(); return [
    String(Date).includes("native"), navigator.onLine, document.cookie, innerWidth, innerHeight,
    ...["print", "(prefers-color-scheme: dark)", "(prefers-reduced-motion)"].map((one) => matchMedia(one).matches)
] }"""


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with running_site() as server:
        yield server


@pytest.fixture
def pages(site: Site) -> PageServer:
    return site.pages()


class Desk:
    """A browser's page that tests use one after another: a new one takes three times as long to show the chat. It is
    given up when a test has left it other than it was, a clock of its own, say."""

    def __init__(self) -> None:
        self._page: Page | None = None
        self._clean: object = None

    def page(self, browser: Browser, pages: PageServer) -> Page:
        if self._page is None or self._page.is_closed():
            context = browser.new_context(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
            one_browser.keep(context)
            self._page = context.new_page()
            self._page.goto(pages.blank)
            self._clean = self._page.evaluate(LEFT_BEHIND)
        return self._page

    def clear(self, pages: PageServer) -> None:
        page = self._page
        assert page is not None
        self._page = None
        for tab in page.context.pages:
            if tab is not page:
                tab.close()
        page.goto(pages.blank)
        if page.evaluate(LEFT_BEHIND) == self._clean:
            self._page = page
        else:
            page.context.close()


@pytest.fixture(scope="session")
def desk() -> Desk:
    return Desk()


@pytest.fixture
def visitor(chromium: Browser, pages: PageServer, desk: Desk) -> Iterator[Visitor]:
    """A customer at a desk. Whatever happens, the page raises no error, keeps the policy, asks nobody."""
    somebody = Visitor(pages, desk.page(chromium, pages))
    yield somebody
    somebody.leave()
    desk.clear(pages)
    assert somebody.faults == []


@pytest.fixture
def page(visitor: Visitor) -> Page:
    return visitor.page
