"""Links lead somewhere, and every page is found from the index."""

from pathlib import PurePosixPath

import pytest

from tests.docs import pages


def _target(page: str, link: str) -> tuple[str, str]:
    """The path from the checkout's root, and the anchor."""
    path, _, anchor = link.partition("#")
    if not path:
        return page, anchor
    parts: list[str] = []
    for part in (PurePosixPath(page).parent / path).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts), anchor


def _inside(page: str) -> list[str]:
    return [link for link in pages.links(page) if "://" not in link and not link.startswith("mailto:")]


@pytest.mark.parametrize("page", pages.names())
def test_links_lead_somewhere(page: str) -> None:
    broken = []
    for link in _inside(page):
        path, anchor = _target(page, link)
        there = (pages.ROOT / path).exists()
        if not there or (anchor and path.endswith(".md") and anchor not in pages.anchors(path)):
            broken.append(link)

    assert broken == []


def test_every_page_is_found_from_the_index() -> None:
    reached, open_ones = {pages.INDEX}, [pages.INDEX]
    while open_ones:
        page = open_ones.pop()
        for link in _inside(page):
            path, _ = _target(page, link)
            if path.endswith(".md") and path not in reached and (pages.ROOT / path).exists():
                reached.add(path)
                open_ones.append(path)

    assert [page for page in pages.names() if page not in reached] == []
    assert "docs/README.md" in [_target("README.md", link)[0] for link in _inside("README.md")]


def test_the_index_names_every_page_of_the_folder() -> None:
    named = {_target(pages.INDEX, link)[0] for link in _inside(pages.INDEX)}

    assert [
        page for page in pages.names() if page.startswith("docs/") and page not in named | {pages.INDEX}
    ] == []


def test_anchors_are_those_of_github() -> None:
    assert "an-mcp-server-as-a-source-of-tools" in pages.anchors("docs/mcp.md")
    assert "what-happens-when-something-dies" in pages.anchors("README.md")
