"""The parts of an answer that staff chose to show to the model: paths such as `items[].id`, `total`, `data.*.name`,
`"@odata.count"` (in quotes where a name has a dot)."""

import re
from collections.abc import Sequence
from typing import Any

_STEP = re.compile(r'(?:"(?P<quoted>[^"]+)"|(?P<plain>[^."\[\]]+))(?P<lists>(?:\[\])*)|(?P<root>(?:\[\])+)')
Step = str | None
"""A key, "*" for every key, or None for every item of a list."""


def steps(path: str) -> tuple[Step, ...]:
    """`items[].id` as ("items", None, "id"). Raises ValueError with a sentence for what is no path."""
    found: list[Step] = []
    at = 0
    while True:
        step = _STEP.match(path, at)
        if step is None or (step["root"] and at):
            raise ValueError(f"“{path}” is not a path such as items[].id.")
        if not step["root"]:
            found.append(step["quoted"] or step["plain"].strip())
        found += [None] * ((step["lists"] or step["root"] or "").count("[]"))
        at = step.end()
        if at == len(path):
            return tuple(found)
        if path[at] != "." or at + 1 == len(path):
            raise ValueError(f"“{path}” is not a path such as items[].id.")
        at += 1


NOTHING_SHOWN = "The answer has none of the parts that are shown of it."


def projected(result: Any, paths: Sequence[str]) -> Any:
    """The parts of `result` at these paths, in their places; all of it without paths, or where it is no JSON."""
    if not paths or not isinstance(result, dict | list) or _is_reference(result):
        return result
    tree: dict[Step, Any] = {}
    for path in paths:
        try:
            branch = tree
            for step in steps(path):
                branch = branch.setdefault(step, {})
        except ValueError:  # stored before paths were checked
            continue
    shown = _part(result, tree)
    return {"note": NOTHING_SHOWN} if shown in (_ABSENT, {}, []) and result else shown


_ABSENT = object()


def _part(value: Any, tree: dict[Step, Any]) -> Any:
    if not tree:
        return value
    if isinstance(value, list):
        if None not in tree:
            return _ABSENT
        parts = [_part(item, tree[None]) for item in value]
        return [part for part in parts if part is not _ABSENT]
    if not isinstance(value, dict):
        return _ABSENT
    kept = {}
    for key, item in value.items():
        branch = tree.get(key, tree.get("*"))
        part = _ABSENT if branch is None else _part(item, branch)
        if part is not _ABSENT:
            kept[key] = part
    return kept if kept else _ABSENT


def _is_reference(result: Any) -> bool:
    return isinstance(result, dict) and result.keys() == {"content_type", "bytes", "sha256"}
