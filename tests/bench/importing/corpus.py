"""The documents: folders of files, read leniently for the judge's own use."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

SUFFIXES = (".json", ".yaml", ".yml")


def files(folders: list[Path], *, every: int = 1) -> list[Path]:
    """The documents below `folders`, sorted; only each `every`-th."""
    found = sorted(path for folder in folders for path in _below(folder))
    return found[::every]


def _below(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
        return
    yield from (path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())


def load(path: Path) -> Any:
    """The document as JSON values. Raises ValueError."""
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".json":
        return json.loads(text)
    try:
        loaded = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    return json.loads(json.dumps(loaded, default=str))


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Dates stay text."""


_Loader.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for key, resolvers in _Loader.yaml_implicit_resolvers.items()
}
