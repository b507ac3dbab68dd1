"""One Chromium for all browser tests of a process: with Playwright's driver it takes 0.7 seconds of the processor to
start, and two by the clock."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, expect, sync_playwright

from tests.browser import find

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# How long a page may take to show what a test expects; Playwright's five seconds are few where the machine is shared.
expect.set_options(timeout=20_000)


class OneBrowser:
    """A browser that is started when it is first asked for.

    Playwright's synchronous side leaves its event loop marked as running in the thread, between its calls too, and
    where one is marked no coroutine test can run and Django refuses to ask the database. So it is marked only inside
    of `opened`.
    """

    def __init__(self) -> None:
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kept: list[BrowserContext] = []

    @contextmanager
    def opened(self) -> Iterator[Browser]:
        """The browser. Contexts that are left open are closed, but for those that `keep` has named."""
        asyncio._set_running_loop(self._loop)
        try:
            browser = self._running()
            yield browser
            for context in browser.contexts:
                if context not in self._kept:
                    context.close()
        except BaseException:
            self._stop()  # who knows what it is still doing
            raise
        finally:
            asyncio._set_running_loop(None)

    def _running(self) -> Browser:
        if self._browser is not None and not self._browser.is_connected():
            self._stop()
        if self._browser is None:
            self._playwright = sync_playwright().start()
            self._loop = asyncio.get_running_loop()
            self._browser = self._playwright.chromium.launch(executable_path=find(), args=ARGUMENTS)
        return self._browser

    def _stop(self) -> None:
        playwright, browser = self._playwright, self._browser
        self._playwright = self._browser = self._loop = None
        self._kept.clear()
        if browser is not None:
            browser.close()
        if playwright is not None:
            playwright.stop()

    def keep(self, context: BrowserContext) -> None:
        """Leave this context open as long as the browser runs."""
        self._kept.append(context)

    def close(self) -> None:
        """End it, if it was started."""
        asyncio._set_running_loop(self._loop)
        try:
            self._stop()
        finally:
            asyncio._set_running_loop(None)


_BROWSER = OneBrowser()
opened, keep = _BROWSER.opened, _BROWSER.keep


@pytest.fixture
def chromium() -> Iterator[Browser]:
    """The browser. Contexts that a test leaves open are closed after it."""
    with opened() as browser:
        yield browser


def pytest_sessionfinish() -> None:
    _BROWSER.close()
