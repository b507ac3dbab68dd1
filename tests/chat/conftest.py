"""Fixtures of the chat's tests: the chat page on a server that the test plays itself, and somebody who looks at it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.chat.page_server import PageServer, Visitor, running_page_server


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
