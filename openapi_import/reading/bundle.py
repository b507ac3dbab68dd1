"""References that lead out of the document, followed once and made local: what they lead to is put under one key of the
root, and everything after this sees one document with local references only. Nothing is expanded.

Only what can be reached is looked at: all of the root, and of another document what a reference leads to. Values that
are data (examples, defaults, extensions) hold no references, whatever they look like.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from openapi_import.errors import SpecInvalid
from openapi_import.reading.faults import Fault, Faults
from openapi_import.reading.references import target
from openapi_import.reading.text import MAX_BYTES, MAX_NODES, Document, Text, as_document, escaped, read_text

KEY = "x-documents"
Fetch = Callable[[str], bytes]
"""The bytes at an address. Raises SpecInvalid with the reason where they cannot be had."""

_DATA = frozenset({"example", "examples", "default", "enum", "const"})
# The keys of these are names that the document chose, which may be `default` or begin with `x-`.
_NAMED = frozenset(
    "properties patternProperties $defs definitions dependentSchemas schemas responses parameters requestBodies "
    "headers securitySchemes securityDefinitions links callbacks pathItems mediaTypes paths webhooks content "
    "encoding".split()
)
_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")


@dataclass(frozen=True)
class Limits:
    """Over all documents of one reading together, the first one included."""

    bytes: int = MAX_BYTES
    nodes: int = MAX_NODES
    documents: int = 50


@dataclass
class _Source:
    """One document: `prefix` is where it stands in the bundle, "" for the root."""

    url: str
    base: str
    prefix: str
    value: Any
    names: dict[str, str] | None = field(default=None, repr=False)  # anchors and ids -> pointer within it


class Bundle:
    """The references of one document. `run` changes the document in place; `documents` lists what was fetched,
    [{"url", "bytes"}]."""

    def __init__(self, root: Text, base_url: str, faults: Faults, fetch: Fetch, limits: Limits) -> None:
        document = as_document(root)
        own = document.get("$self")
        base = _joined(base_url, own) if isinstance(own, str) else base_url
        self._root = _Source(base_url, base or base_url, "", document)
        self._faults = faults
        self._fetch = fetch
        self._limits = limits
        self._bytes, self._nodes = root.bytes, root.nodes
        self._key = KEY
        while self._key in document:
            self._key += "-"
        self._prefixes: dict[str, str] = {}  # {prefix: address}
        self._sources: dict[str, _Source | str] = {}  # by address; a refusal instead of what was refused
        for url in {base_url, self._root.base} - {""}:
            self._sources[urldefrag(url)[0]] = self._root
        self._waiting: list[tuple[_Source, Any, str, bool]] = [(self._root, document, "", False)]
        self._seen: set[tuple[int, bool]] = set()
        self._rewritten: set[int] = set()  # an alias of YAML is the same object as its anchor
        self.documents: list[dict[str, Any]] = []

    def run(self) -> None:
        while self._waiting:
            source, value, pointer, named = self._waiting.pop()
            if not isinstance(value, dict | list) or (id(value), named) in self._seen:
                continue
            self._seen.add((id(value), named))
            if isinstance(value, list):
                below = [(source, item, f"{pointer}/{index}", False) for index, item in enumerate(value)]
            else:
                below = list(self._children(source, value, pointer, named))
            self._waiting += reversed(below)
            if (
                isinstance(value, dict)
                and isinstance(value.get("$ref"), str)
                and id(value) not in self._rewritten
            ):
                self._rewritten.add(id(value))
                self._rewrite(source, value, pointer, named)

    def origin(self, pointer: str) -> tuple[str, str]:
        """(address, pointer) in the document that it came from; ("", pointer) for the root's own."""
        if pointer.startswith(f"/{self._key}/"):
            _, key, name, *rest = pointer.split("/")
            url = self._prefixes.get(f"/{key}/{name}")
            if url:
                return url, "".join(f"/{token}" for token in rest)
        return "", pointer

    def _children(
        self, source: _Source, value: dict[str, Any], pointer: str, named: bool
    ) -> Iterator[tuple[_Source, Any, str, bool]]:
        for key, child in value.items():
            if named or (key not in _DATA and (not key.startswith("x-") or key == "x-webhooks")):
                yield source, child, f"{pointer}/{escaped(key)}", key in _NAMED and not named

    def _rewrite(self, source: _Source, value: dict[str, Any], pointer: str, named: bool) -> None:
        try:
            local, there = self._local(source, value["$ref"])
        except SpecInvalid as error:
            self._faults.add(Fault(f"{source.prefix}{pointer}/$ref", error.message))
            return
        value["$ref"] = local
        try:
            found = target(self._root.value, local)
        except SpecInvalid:
            return  # a fault of whoever needs it
        self._waiting.append((there, found, unquote(local[1:])[len(there.prefix) :], named))

    def _local(self, source: _Source, reference: str) -> tuple[str, _Source]:
        """The reference as one into the bundle, and whose document it leads to. Raises SpecInvalid."""
        if not reference.startswith("#"):
            alike = self._meant(source, reference)
            if alike:
                return f"#{source.prefix}{alike}", source
        address, _, fragment = reference.partition("#")
        there = self._source(source, address) if address else source
        pointer = fragment if not fragment or fragment.startswith("/") else self._named_place(there, fragment)
        return f"#{there.prefix}{pointer}", there

    def _source(self, source: _Source, reference: str) -> _Source:
        """The document at an address, fetched unless it is known. Raises SpecInvalid."""
        url = _joined(source.base, reference)
        scheme = urlsplit(url).scheme if url else ""
        if url and (pointer := self._ids(source).get(url)):
            return _Source(source.url, source.base, source.prefix + pointer, None)
        if scheme not in ("http", "https"):
            if scheme:
                raise SpecInvalid(f"The reference {reference[:200]!r} does not lead to a web address.")
            raise SpecInvalid(
                f"The reference {reference[:200]!r} leads to another file, and where this document comes from is not "
                "known. Import it from its address, or put both into one document."
            )
        if url not in self._sources:
            try:
                self._sources[url] = self._fetched(url)
            except SpecInvalid as error:
                self._sources[url] = f"{url[:300]} could not be read. {error.message}"
        known = self._sources[url]
        if isinstance(known, str):
            raise SpecInvalid(known)
        return known

    def _fetched(self, url: str) -> _Source:
        if len(self.documents) + 1 >= self._limits.documents:
            raise SpecInvalid(f"The document refers to more than {self._limits.documents - 1} others.")
        text = read_text(
            self._fetch(url),
            filename=urlsplit(url).path,
            max_bytes=max(0, self._limits.bytes - self._bytes),
            max_nodes=max(0, self._limits.nodes - self._nodes),
        )
        if not isinstance(text.value, dict | list):
            raise SpecInvalid("It is neither an object nor a list.")
        self._bytes += text.bytes
        self._nodes += text.nodes
        self.documents.append({"url": url, "bytes": text.bytes})
        bundled = self._root.value.setdefault(self._key, {})
        stem = re.sub(
            r"[^A-Za-z0-9_-]+", "_", unquote(urlsplit(url).path).rpartition("/")[2].partition(".")[0]
        )[:60]
        name, number = stem or "document", 1
        while name in bundled:
            number += 1
            name = f"{stem or 'document'}_{number}"
        bundled[name] = text.value
        prefix = f"/{self._key}/{name}"
        self._prefixes[prefix] = url
        for fault in text.faults:
            self._faults.add(Fault(f"{prefix}{fault.pointer}", fault.message, fault.severity))
        return _Source(url, url, prefix, text.value)

    def _meant(self, source: _Source, reference: str) -> str:
        """The pointer that a reference without its `#/` means: a schema's bare name, as early documents wrote it."""
        if not _NAME.fullmatch(reference) or not isinstance(source.value, dict):
            return ""
        components = source.value.get("components")
        for at, named in (
            ("/definitions", source.value.get("definitions")),
            ("/components/schemas", components.get("schemas") if isinstance(components, dict) else None),
        ):
            if isinstance(named, dict) and reference in named:
                return f"{at}/{reference}"
        return ""

    def _named_place(self, source: _Source, fragment: str) -> str:
        """The pointer of a `$anchor`, or of a pointer that lacks its slash. Raises SpecInvalid."""
        found = self._ids(source).get(f"#{fragment}")
        if found is None and "/" in fragment:
            return f"/{fragment}"
        if found is None:
            raise SpecInvalid(f"The reference '#{fragment[:200]}' points to nothing.")
        return found

    def _ids(self, source: _Source) -> dict[str, str]:
        """{"#anchor" or absolute `$id`: pointer} of a document, found once."""
        if source.names is None:
            source.names = {}
            for value, pointer in _objects(source.value):
                for key in ("$anchor", "$dynamicAnchor"):
                    if isinstance(value.get(key), str):
                        source.names.setdefault(f"#{value[key]}", pointer)
                if pointer and isinstance(value.get("$id"), str):
                    source.names.setdefault(_joined(source.base, value["$id"]), pointer)
        return source.names


def _objects(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    waiting: list[tuple[Any, str]] = [(value, "")]
    seen: set[int] = set()
    while waiting:
        item, pointer = waiting.pop()
        if id(item) in seen or not isinstance(item, dict | list):
            continue
        seen.add(id(item))
        if isinstance(item, dict):
            yield item, pointer
            waiting += [(child, f"{pointer}/{escaped(key)}") for key, child in item.items()]
        else:
            waiting += [(child, f"{pointer}/{index}") for index, child in enumerate(item)]


def _joined(base: str, reference: str) -> str:
    """The absolute address without its fragment; "" where it is not valid."""
    try:
        return urldefrag(urljoin(base, reference.strip()))[0].replace(" ", "%20")
    except ValueError:
        return ""


def bundle(
    root: Text, *, base_url: str, faults: Faults, fetch: Fetch, limits: Limits
) -> tuple[Document, Bundle | None]:
    """The document with local references only, and how that was done (None where nothing led out of it)."""
    if not root.refers_out:
        return as_document(root), None
    made = Bundle(root, base_url, faults, fetch, limits)
    faults.origin = made.origin
    made.run()
    return as_document(root), made
