"""The parent of the process that reads documents: starts it, feeds it, passes its lines on, and ends it.

What a hostile document does to its reader (memory, time, a crash) ends in that process; here it becomes one sentence.
"""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import IO, Any

import structlog
from django.conf import settings

from openapi_import.reading.child import OUT_OF_MEMORY, Orders
from openapi_import.waiting import Stopped
from smartsupport.lib.errors import ServiceError

logger = structlog.get_logger(__name__)
LOOK_EVERY = 0.2  # seconds between two looks at `stop` and the clock
MAX_LINE = 64 * 1024 * 1024
Line = dict[str, Any]


class ReadingFailed(ServiceError):
    """The process that reads died, or needed more memory or time than it may. The message says which."""

    code = "reading_failed"
    status = 422

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


def read(
    content: bytes,
    *,
    content_type: str = "",
    filename: str = "",
    base_url: str = "",
    strict: bool = False,
    fetch: Callable[[str], bytes],
    stop: Callable[[], bool],
) -> Iterator[Line]:
    """The lines about a document as they come (docs/openapi-reading.md); the last one is "end" or "failed".

    `base_url`: where it came from; relative servers and references are relative to it. `fetch` gets a document that
    this one refers to, or raises a ServiceError whose message becomes a fault. `stop` is asked several times a second.
    The process is gone when the generator is: closed, exhausted or raised. Raises ReadingFailed, Stopped.
    """
    orders = Orders(
        length=len(content),
        memory_mib=settings.IMPORT_MEMORY_MIB,
        cpu_seconds=int(settings.IMPORT_SECONDS) + 1,
        max_bytes=settings.IMPORT_MAX_BYTES,
        max_documents=settings.IMPORT_MAX_DOCUMENTS,
        content_type=content_type,
        filename=filename,
        base_url=base_url,
        strict=strict,
    )
    with tempfile.TemporaryFile() as complaints:
        process = _start(complaints)
        try:
            exchange = _Exchange(process, stop, time.monotonic() + settings.IMPORT_SECONDS)
            exchange.send(json.dumps(asdict(orders)).encode() + b"\n" + content)
            for line in exchange.lines():
                if line["kind"] == "want":
                    _answer(exchange, line["url"], fetch)
                    continue
                if line["kind"] in ("end", "failed"):
                    _log(complaints)
                    yield line
                    return
                yield line
            raise _died(process, complaints)
        finally:
            _end(process)


def _start(complaints: IO[bytes]) -> "subprocess.Popen[bytes]":
    """The process knows nothing of ours: no settings, no environment, no files but its code."""
    kept = {
        name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ
    }
    return subprocess.Popen(
        [sys.executable, "-X", "utf8", "-m", "openapi_import.reading"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        cwd=settings.BASE_DIR,
        env=kept | {"MALLOC_ARENA_MAX": "1"},  # an arena a thread would count as 64 MiB of its memory
        bufsize=0,
    )


class _Exchange:
    """Writing to the process and reading from it at once, so that neither waits for the other for ever."""

    def __init__(self, process: "subprocess.Popen[bytes]", stop: Callable[[], bool], deadline: float) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin.fileno(), process.stdout.fileno()
        os.set_blocking(self._in, False)
        self._stop = stop
        self._deadline = deadline
        self._looked = 0.0
        self._unsent = memoryview(b"")
        self._came = bytearray()

    def send(self, content: bytes) -> None:
        """Queue bytes; they are written while lines are waited for."""
        self._unsent = memoryview(bytes(self._unsent) + content)

    def lines(self) -> Iterator[Line]:
        """Until the process closes its end. Raises Stopped, ReadingFailed for too much time."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ)
            while True:
                self._look()
                if self._unsent and self._in not in selector.get_map():
                    selector.register(self._in, selectors.EVENT_WRITE)
                for key, _ in selector.select(LOOK_EVERY):
                    if key.fd == self._in:
                        self._write()
                        if not self._unsent:
                            selector.unregister(self._in)
                    elif not self._read():
                        return
                yield from self._whole_lines()

    def _look(self) -> None:
        now = time.monotonic()
        if now > self._deadline:
            raise ReadingFailed(
                f"Reading the document took longer than {settings.IMPORT_SECONDS} seconds and was given up. "
                "Make it smaller, or raise IMPORT_SECONDS."
            )
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            if self._stop():
                raise Stopped()

    def _write(self) -> None:
        try:
            self._unsent = self._unsent[os.write(self._in, self._unsent[: 1 << 20]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it is gone; what it wrote before is still to be read
            self._unsent = memoryview(b"")

    def _read(self) -> bool:
        came = os.read(self._out, 1 << 20)
        self._came += came
        if len(self._came) > MAX_LINE:
            raise ReadingFailed("The reader of the document wrote a line that is too long.")
        return bool(came)

    def _whole_lines(self) -> Iterator[Line]:
        end = self._came.rfind(b"\n") + 1
        if not end:
            return
        whole, self._came = bytes(self._came[:end]), self._came[end:]
        for line in whole.splitlines():
            self._look()
            yield json.loads(line)


def _answer(exchange: _Exchange, url: str, fetch: Callable[[str], bytes]) -> None:
    try:
        content = fetch(url)
    except ServiceError as error:
        exchange.send(json.dumps({"refused": error.message}).encode() + b"\n")
    else:
        exchange.send(json.dumps({"bytes": len(content)}).encode() + b"\n" + content)


def _log(complaints: IO[bytes]) -> str:
    """What the process wrote to its standard error, which is of interest to whoever mends it, not to who imports."""
    complaints.seek(0)
    said = complaints.read(100_000).decode(errors="replace").strip()
    if said:
        logger.error("import_reader_complained", said=said[-4_000:])
    return said


def _died(process: "subprocess.Popen[bytes]", complaints: IO[bytes]) -> ReadingFailed:
    status = process.wait()
    said = _log(complaints)
    logger.error("import_reader_died", status=status)
    if status == OUT_OF_MEMORY or "MemoryError" in said[-500:]:
        return ReadingFailed(
            f"Reading the document needs more than {settings.IMPORT_MEMORY_MIB} MiB of memory and was given up. "
            "Make it smaller, or raise IMPORT_MEMORY_MIB."
        )
    return ReadingFailed(
        "The process that reads documents ended before it was done. Try again; if it happens again, this document "
        "cannot be read."
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Whatever it is doing."""
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.wait()
