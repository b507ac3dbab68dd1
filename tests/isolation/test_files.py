"""Files: what is meant for browsers is served to everybody, and nothing else of the product's folder."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.test import Client

from tests.isolation.world import MARK, changed, everything

ROOT = Path(settings.BASE_DIR)
FOR_BROWSERS = {
    ".css",
    ".js",
    ".mjs",
    ".svg",
    ".png",
    ".ico",
    ".woff",
    ".woff2",
    ".map",
    ".html",
    ".txt",
    ".md",
    ".gif",
    ".ttf",
    ".eot",
}
NEVER_LOOKED_INTO = {".venv", "node_modules", "__pycache__", "static", ".git"}
SPELLINGS = (
    "/{}",
    "/static/{}",
    "/static/../{}",
    "/static/%2e%2e/{}",
    "/static/..%2f{}",
    "/static//{}",
    "/media/{}",
)


def served() -> Iterator[str]:
    for finder in get_finders():
        for path, _ in finder.list([]):
            yield path


def of_ours() -> list[str]:
    """One file of each kind in each folder of the checkout that is not for browsers, and what is kept beside it."""
    found = [".env", ".git/config", ".git/HEAD", ".local/secret", "db.sqlite3", "smartsupport/settings.py"]
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in NEVER_LOOKED_INTO]
        kinds = {Path(name).suffix: Path(folder, name) for name in sorted(files)}
        found += [str(path.relative_to(ROOT)) for path in kinds.values()]
    return found


def test_what_is_served_is_made_for_browsers() -> None:
    files = list(served())

    assert "chat/page.js" in files
    odd = [path for path in files if Path(path).suffix not in FOR_BROWSERS and "LICENSE" not in path]
    assert odd == []


def test_no_file_that_people_upload_is_served() -> None:
    """There are none. Whoever adds uploads has to say here who may read them."""
    assert not settings.MEDIA_URL.strip("/")
    assert not settings.MEDIA_ROOT


@pytest.mark.django_db
def test_a_served_file_is_the_same_for_everybody_and_changes_nothing(client: Client) -> None:
    before = everything()

    for path in ("chat/page.js", "console/console.css"):
        answer = client.get(f"/static/{path}")
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
        assert answer.status_code == 200
        assert MARK.encode() not in content
        assert client.post(f"/static/{path}").status_code in (403, 404, 405)

    assert changed(before) == []


@pytest.mark.django_db
def test_nothing_else_of_the_folder_is_served(client: Client) -> None:
    found = of_ours()
    assert {"manage.py", "pyproject.toml"} <= set(found)
    assert len(found) > 50

    answered = {}
    for path in found:
        for spelling in SPELLINGS:
            url = spelling.format(quote(path))
            answered[url] = client.get(url).status_code

    assert {url: status for url, status in answered.items() if status not in (400, 404)} == {}
