"""Messages that troubleshooting quotes are said by the product, in these words."""

import re
from functools import cache

import pytest

from tests.docs import pages

PAGE = "docs/troubleshooting.md"
# The first cells of the rows below a head whose first cell says that this is what one reads.
TABLES = re.compile(r"^\| you read.*\n\|[-|]+\n((?:\|.*\n)+)", re.MULTILINE)
FOLDERS = ("agents", "analytics", "chat", "openapi_import", "replay", "smartsupport", ".ci")
ENDINGS = {".py", ".js", ".html", ".sh"}


def _quoted() -> list[str]:
    rows = [row for table in TABLES.findall(pages.text(PAGE)) for row in table.splitlines()]
    found = [code for row in rows for code in pages.CODE.findall(row.split(" | ")[0])]
    return [code for code in found if " " in code]


@cache
def _source() -> str:
    """All that the product says, with the literals that are written one below the other joined."""
    texts = [
        path.read_text(encoding="utf-8", errors="replace")
        for folder in FOLDERS
        for path in sorted((pages.ROOT / folder).rglob("*"))
        if path.suffix in ENDINGS
    ]
    return re.sub(r'"\s*\n\s*f?"', "", "\n".join(texts))


@pytest.mark.parametrize("message", _quoted())
def test_a_quoted_message_is_said(message: str) -> None:
    parts = [re.escape(part) for part in message.split("…") if part.strip()]

    assert parts
    assert re.search(r"[^\n]{1,90}".join(parts), _source()), message


def test_what_nobody_says_is_noticed() -> None:
    assert len(_quoted()) > 35
    assert "The business system cannot be reached by pigeon." not in _source()
