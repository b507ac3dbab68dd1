"""The process that reads one document: limits on itself first, then bytes in, JSON lines out.

Standard input: one JSON line of `Orders`, then the document's bytes; after a "want" a JSON line {"bytes": n} with n
bytes behind it, or {"refused": sentence}. Standard output: the lines that docs/openapi-reading.md lists. The process
ends when standard input does, when its parent is gone, or when it is done, whichever comes first.
"""

import gc
import hashlib
import json
import os
import queue
import resource
import select
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, BinaryIO

from openapi_import.errors import SpecInvalid
from openapi_import.reading.bundle import Fetch, Limits, bundle
from openapi_import.reading.dialects import label
from openapi_import.reading.faults import Fault, Faults
from openapi_import.reading.listed import listed
from openapi_import.reading.operations import Spec
from openapi_import.reading.text import as_document, read_text
from openapi_import.reading.validation import advise

OUT_OF_MEMORY = 3  # exit status
STAGE_EVERY = 0.1  # seconds
MOST_SAID = 256 * 1024 * 1024  # bytes; 11,422 operations of 20 MB of Microsoft Graph are 45 MB
MOST_COMPLAINTS = 64 * 1024  # bytes of standard error
BROKEN = "It could not be turned into a tool, for a reason of ours that the log of this server names."
Line = dict[str, Any]


@dataclass(frozen=True)
class Orders:
    """What the parent wants. `length`: bytes of the document. `memory_mib` and `cpu_seconds` are hard limits."""

    length: int
    memory_mib: int
    cpu_seconds: int
    max_bytes: int
    max_documents: int
    content_type: str = ""
    filename: str = ""
    base_url: str = ""
    strict: bool = False


class Failed(Exception):
    """The document as a whole cannot be used."""

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.message, self.pointer = message, pointer


class Parent:
    """The two pipes. A thread empties standard input and ends the process when there is nobody at the other end."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._came: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._rest = b""
        self._out: BinaryIO = sys.stdout.buffer
        threading.Thread(target=self._listen, daemon=True).start()

    def say(self, line: bytes) -> None:
        self._out.write(line)

    def flush(self) -> None:
        self._out.flush()

    def line(self) -> dict[str, Any]:
        while b"\n" not in self._rest:
            self._rest += self._came.get()
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def take(self, length: int) -> bytes:
        parts, have = [self._rest], len(self._rest)
        while have < length:
            parts.append(self._came.get())
            have += len(parts[-1])
        whole = b"".join(parts)
        self._rest = whole[length:]
        return whole[:length]

    def fetch(self, url: str) -> bytes:
        """Ask for a document. Raises SpecInvalid with the parent's reason."""
        self.say(_bytes({"kind": "want", "url": url}))
        self.flush()
        answer = self.line()
        if "refused" in answer:
            raise SpecInvalid(answer["refused"])
        return self.take(answer["bytes"])

    def _listen(self) -> None:
        waiting = select.poll()
        waiting.register(0, select.POLLIN | select.POLLHUP)
        while True:
            if not waiting.poll(1_000):
                if os.getppid() != self._parent:  # somebody else holds the pipe open: a fork of the parent
                    os._exit(1)
                continue
            came = os.read(0, 1 << 20)
            if not came:
                os._exit(1)
            self._came.put(came)


def main() -> int:
    """Read what the parent orders. The exit status is 0 whenever the last line is "end" or "failed"."""
    gc.disable()  # one short life; a limit on memory is set below
    parent = Parent()
    orders = Orders(**parent.line())
    _limit(orders)
    try:
        content = parent.take(orders.length)
        for line in encoded(read(content, orders, parent.fetch), MOST_SAID):
            parent.say(line)
        parent.say(_bytes({"kind": "end", "peak_kib": _peak_kib()}))
    except Failed as error:
        parent.say(_bytes({"kind": "failed", "message": error.message, "pointer": error.pointer}))
    except MemoryError:
        return _leave(OUT_OF_MEMORY)
    parent.flush()
    return _leave(0)


def _peak_kib() -> int:
    """The most memory that this program had, 0 where the system does not say. `getrusage` would count what the parent
    had when it started us."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0


def encoded(lines: Iterator[Line], most: int) -> Iterator[bytes]:
    """The lines as bytes. Raises Failed when there are more than `most` of these: with references and aliases, a small
    document can have twenty thousand operations of a megabyte each."""
    said = 0
    for line in lines:
        whole = _bytes(line)
        said += len(whole)
        if said > most:
            raise Failed(f"The tools of this document would be larger than {most // 1024 // 1024} MiB.")
        yield whole


def read(content: bytes, orders: Orders, fetch: Fetch) -> Iterator[Line]:
    """The lines about a document but for the last. Raises Failed."""
    faults = Faults()
    yield _stage("validating", 0, 1)
    try:
        text = read_text(
            content, content_type=orders.content_type, filename=orders.filename, max_bytes=orders.max_bytes
        )
        as_document(text)
    except SpecInvalid as error:
        raise Failed(error.message) from None
    for fault in text.faults:
        faults.add(fault)
    sha = hashlib.sha256(content)

    def fetch_and_count(url: str) -> bytes:
        came = fetch(url)
        sha.update(came)
        return came

    limits = Limits(bytes=orders.max_bytes, documents=orders.max_documents)
    try:
        document, bundled = bundle(
            text, base_url=orders.base_url, faults=faults, fetch=fetch_and_count, limits=limits
        )
        spec = Spec(document, faults, base_url=orders.base_url)
    except SpecInvalid as error:
        raise Failed(error.message, getattr(error, "pointer", "")) from None
    advise(document, spec.dialect, faults)
    total = len(spec.places)
    yield {
        "kind": "header",
        "title": spec.title,
        "version": spec.version,
        "dialect": label(spec.dialect),
        "total": total,
        "document_hash": sha.hexdigest(),
        "security_schemes": spec.schemes,
        "documents": bundled.documents if bundled else [],
    }
    yield from _faults(faults, strict=orders.strict)
    yield _stage("parsing", 0, total)
    for item in listed(document, spec.places, spec.dialect):
        yield {"kind": "listed", "item": asdict(item)}
    yield from _operations(spec, faults, total, strict=orders.strict)


def _operations(spec: Spec, faults: Faults, total: int, *, strict: bool) -> Iterator[Line]:
    from openapi_import.reading.build import Names, build

    names = Names()
    said = time.monotonic()
    for done, operation in enumerate(spec.operations(), 1):
        try:
            built = build(operation, names).as_json()
        except Exception as error:
            # A fault of ours in one operation; the other operations are of use without it.
            traceback.print_exc()
            faults.error(operation.pointer, BROKEN)
            if operation.unusable:
                raise Failed(BROKEN, operation.pointer) from error
            built = build(
                replace(operation, parameters=(), request_body=None, unusable=BROKEN), names
            ).as_json()
        yield from _faults(faults, strict=strict)
        yield {"kind": "operation", **built}
        if time.monotonic() - said > STAGE_EVERY:
            said = time.monotonic()
            yield _stage("parsing", done, total)
    yield from _faults(faults, strict=strict)
    yield _stage("parsing", total, total)


def _faults(faults: Faults, *, strict: bool) -> Iterator[Line]:
    for fault in faults.fresh():
        yield _line(fault)
        if strict and fault.severity == "error":
            where = f" In {fault.document}:" if fault.document else ""
            raise Failed(f"Strict reading ends at the first fault.{where} {fault.message}", fault.pointer)


def _line(fault: Fault) -> Line:
    line: Line = {
        "kind": "fault",
        "pointer": fault.pointer,
        "message": fault.message,
        "severity": fault.severity,
    }
    return line | ({"document": fault.document} if fault.document else {})


def _bytes(line: Line) -> bytes:
    return json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def _stage(stage: str, done: int, total: int) -> Line:
    return {"kind": "stage", "stage": stage, "done": done, "total": total}


def _limit(orders: Orders) -> None:
    """No more memory or processor time than ordered, no files but the last words, no core left behind."""
    for what, most in (
        (resource.RLIMIT_AS, orders.memory_mib * 1024 * 1024),
        (resource.RLIMIT_CPU, orders.cpu_seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, MOST_COMPLAINTS),
    ):
        _, hard = resource.getrlimit(what)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))


def _leave(status: int) -> int:
    """At once: taking apart a document of 10 MiB takes longer than reading it."""
    sys.stdout.flush()
    os._exit(status)
