"""Fixtures of the chat's tests: a browser, and the chat page on a server that the test plays itself."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import find as find_chromium
from tests.chat.page_server import PageServer, Visitor, running_page_server

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# How long a page may take to show what a test expects; Playwright's five seconds are few where the machine is shared.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser a module: a thread where Playwright's synchronous side is open runs no coroutine tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def pages() -> Iterator[PageServer]:
    with running_page_server() as server:
        yield server


@pytest.fixture
def visitor(chromium: Browser, pages: PageServer) -> Iterator[Visitor]:
    """A customer at a desk. Whatever happens, the page raises no error, keeps the policy, asks nobody."""
    with Visitor.arriving(
        chromium, pages, viewport={"width": 1280, "height": 860}, reduced_motion="reduce"
    ) as somebody:
        yield somebody


@pytest.fixture
def page(visitor: Visitor) -> Page:
    return visitor.page
