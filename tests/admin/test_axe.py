"""Whether everybody can use the console: axe-core finds nothing on any page, light and dark, wide and narrow."""

from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.test import Client
from playwright.sync_api import Page as BrowserPage

from tests import rows
from tests.admin.console_pages import furnished, pages
from tests.admin.roles_table import SIDEBAR
from tests.admin.test_browser import staff_browser, wired

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
OF_COLOURS = ["color-contrast", "link-in-text-block"]
"""What another theme can change."""
DRAWN = """() => !document.documentElement.hasAttribute('x-cloak')
    && !document.querySelector('span.help-tooltip[aria-label]:not([role])')
    && document.fonts.ready.then(() => true)"""
STILL = "document.getAnimations().every(one => one.effect.getComputedTiming().endTime === Infinity)"
"""A colour that is still turning into another has the contrast of neither."""
SIDEBAR_ELEMENT = "#nav-sidebar"


def violations(page: BrowserPage, *, only: list[str] | None = None, without: str = "") -> list[str]:
    """What axe finds on the page as it is: rule, where, and what it says. `only`: these rules. `without`: what this
    selector names."""
    chosen = {"type": "rule", "values": only} if only else {"type": "tag", "values": TAGS}
    options = {"resultTypes": ["violations"], "runOnly": chosen}
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)  # by the devtools protocol: the page's own policy forbids foreign scripts
    where = {"include": [["html"]], "exclude": [[without]]} if without else None
    run = "([where, options]) => axe.run(where || document, options)"
    found = page.evaluate(run, [where, options])["violations"]
    return [
        f"{rule['id']}: {node['target']} {node['html'][:160]} {_why(node)}"
        for rule in found
        for node in rule["nodes"][:3]
    ]


def _why(node: Any) -> str:
    return "; ".join(check["message"] for check in [*node["any"], *node["all"], *node["none"]])


def wear(page: BrowserPage, theme: Literal["light", "dark"]) -> None:
    """As the theme does when it is chosen: the console by a class, the chat page by what the system says."""
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.evaluate("dark => document.documentElement.classList.toggle('dark', dark)", theme == "dark")
    page.wait_for_function(STILL)


def faults(page: BrowserPage, name: str, url: str) -> list[str]:
    """What axe finds in each theme and width; the page is loaded once. The sidebar, which is two thirds of most pages
    and the same on all but for the link that is marked, is looked at on the pages that it leads to."""
    known = SIDEBAR_ELEMENT if name not in SIDEBAR else ""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(url)
    wired(page).wait_for_function(DRAWN)
    found = [f"{name} wide, light: {fault}" for fault in violations(page, without=known)]
    wear(page, "dark")
    found += [f"{name} wide, dark: {fault}" for fault in violations(page, only=OF_COLOURS, without=known)]
    page.set_viewport_size({"width": 390, "height": 844})
    found += [f"{name} narrow, dark: {fault}" for fault in violations(page)]
    wear(page, "light")
    return found + [f"{name} narrow, light: {fault}" for fault in violations(page, only=OF_COLOURS)]


def test_nobody_is_kept_out_of_any_page(live_server: Any, client: Client) -> None:
    client.force_login(rows.staff("walker", superuser=True))
    ids = furnished()
    found = list(pages(client, ids))
    assert set(SIDEBAR) - {page.name for page in found} <= {"index"}

    with staff_browser(live_server) as (page, _):
        faulty = [fault for one in found for fault in faults(page, one.name, one.url)]
        faulty += faults(page, "chat", "/")
        page.context.clear_cookies()
        faulty += faults(page, "login", "/admin/login/")

    assert not faulty, "\n" + "\n".join(faulty)
