"""Ids, paths and sentences taken apart into lower-case words, in whatever style they are written."""

import re
from functools import lru_cache

WORD = re.compile(r"[A-Z]{2,}s?(?![a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]|\d+")
"""One word of camelCase, PascalCase, snake_case, kebab-case or plain text; `URLs` and `IDs` stay whole."""
LEVEL = re.compile(r"[./:#\s]+")
"""What stands between the levels of an id: `compute.disks.list`, `repos/create-fork`, `shop:cancel`."""
PLACEHOLDER = re.compile(r"\{[^{}]*\}|<[^<>]*>|(?<=/):\w+")
VERSION = re.compile(r"v?\d+([._-]\d+)*((alpha|beta|preview|rc)\d*)?", re.IGNORECASE)
MARKUP = re.compile(r"<[^<>]*>|[*_`#>]+")
LONGEST = 2_000
"""Characters of an id, a path or a text that are looked at; hostile ones may have megabytes."""


@lru_cache(maxsize=16_384)
def words(text: str) -> tuple[str, ...]:
    """`getOrderURLs` -> (get, order, urls); `list-all_orders` -> (list, all, orders)."""
    return tuple(word.lower() for word in WORD.findall(text[:LONGEST]))


def levels(operation_id: str) -> list[tuple[str, ...]]:
    """The words of each level of an id, outermost first: `shop.orders.cancelOrder` -> [(shop,), (orders,), ...]."""
    found = (words(level) for level in LEVEL.split(operation_id[:LONGEST]))
    return [level for level in found if level]


def segments(path: str) -> list[tuple[str, ...]]:
    """The words of the literal segments of a path, without placeholders and versions. A colon parts, too:
    `/v1/orders/{id}:cancel` -> [(orders,), (cancel,)]."""
    found = []
    for segment in re.split(r"[/:]", PLACEHOLDER.sub("/", path[:LONGEST].partition("?")[0])):
        if segment and not VERSION.fullmatch(segment) and (split := words(segment)):
            found.append(split)
    return found


def opening(text: str) -> str:
    """The first word of a text, lower-case, without markup; "" where there is none."""
    found = WORD.search(MARKUP.sub(" ", text[:LONGEST]))
    return found.group().lower() if found else ""
