"""The process that reads documents: what it says, what it may use, and that nothing of it outlives anybody."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings

from openapi_import import reader
from openapi_import.errors import SpecInvalid
from openapi_import.waiting import Stopped
from tests.openapi_import.documents import document, parameter

HERE = "https://shop.example/api/openapi.json"
ROOT = Path(__file__).parents[2]
OK = {"responses": {"200": {"description": "ok"}}}
WANTING = document({"/a": {"$ref": "a.json"}, "/b": {"get": OK}})
Object = dict[str, Any]


def nothing(url: str) -> bytes:
    raise SpecInvalid(f"Nobody may fetch {url}.")


def lines(made: Object | bytes, **more: Any) -> list[Object]:
    content = made if isinstance(made, bytes) else json.dumps(made).encode()
    return list(reader.read(content, **({"base_url": HERE, "fetch": nothing, "stop": lambda: False} | more)))


def of(kind: str, found: list[Object]) -> list[Object]:
    return [line for line in found if line["kind"] == kind]


def readers() -> list[int]:
    """The processes of ours that read documents."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            with contextlib.suppress(OSError):
                if b"openapi_import.reading" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return found


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    yield
    assert readers() == []


def test_a_document_becomes_lines() -> None:
    made = document(
        {
            "/orders/{id}": {
                "get": OK
                | {"operationId": "getOrder", "parameters": [parameter("id", "path", required=True)]},
                "put": {"requestBody": {"$ref": "#/gone"}},
                "post": OK | {"callbacks": {"done": {"{$url}": {"post": {"summary": "Done"}}}}},
            }
        },
        components={"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        servers=[{"url": "/v1"}],
    )

    found = lines(made)

    kinds = list(dict.fromkeys(line["kind"] for line in found))
    assert kinds == ["stage", "header", "fault", "listed", "operation", "end"]
    (header,) = of("header", found)
    assert (header["title"], header["version"], header["dialect"], header["total"]) == (
        "Shop",
        "1",
        "OpenAPI 3.1",
        3,
    )
    assert header["security_schemes"] == {"key": {"kind": "http", "scheme": "bearer"}}
    assert (len(header["document_hash"]), header["documents"]) == (64, [])
    assert of("listed", found)[0]["item"]["name"] == "done"
    get, put, post = of("operation", found)
    assert (get["operation_id"], get["tool"]["server_url"]) == ("getOrder", "https://shop.example/v1")
    assert put["unusable"] == "The reference '#/gone' points to nothing."
    assert (post["unusable"], post["pointer"]) == ("", "/paths/~1orders~1{id}/post")
    assert of("fault", found)[0] == {
        "kind": "fault",
        "pointer": "/paths/~1orders~1{id}/put/requestBody/$ref",
        "message": "The reference '#/gone' points to nothing.",
        "severity": "error",
    }
    assert of("stage", found)[-1] == {"kind": "stage", "stage": "parsing", "done": 3, "total": 3}


def test_other_documents_are_fetched_by_the_parent() -> None:
    there = {
        "https://shop.example/api/a.json": {"post": OK | {"parameters": [{"$ref": "more/p.yaml#/q"}]}},
        "https://shop.example/api/more/p.yaml": {"q": parameter("q", description="x" * 3_000_000)},
    }
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return json.dumps(there[url]).encode()

    found = lines(WANTING, fetch=fetch)

    assert asked == list(there)
    assert [one["url"] for one in of("header", found)[0]["documents"]] == asked
    assert [
        one["tool"]["parameters"][0]["name"] for one in of("operation", found) if one["path"] == "/a"
    ] == ["q"]
    assert of("header", found)[0]["document_hash"] != of("header", lines(WANTING))[0]["document_hash"]


def test_what_the_parent_refuses_is_a_fault_of_what_needs_it() -> None:
    found = lines(WANTING)

    assert [one["path"] for one in of("operation", found)] == ["/b"]
    assert [(one["pointer"], one["message"]) for one in of("fault", found)] == [
        (
            "/paths/~1a/$ref",
            "https://shop.example/api/a.json could not be read. Nobody may fetch https://shop.example/api/a.json.",
        )
    ]


def test_strict_reading_ends_at_the_first_error() -> None:
    assert [line["kind"] for line in lines(document({"/b": {"get": OK}}), strict=True)][-1] == "end"

    found = lines(WANTING, strict=True)

    assert found[-1]["kind"] == "failed"
    assert found[-1]["pointer"] == "/paths/~1a/$ref"
    assert found[-1]["message"].startswith(
        "Strict reading ends at the first fault. https://shop.example/api/a.json"
    )
    assert of("operation", found) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"words", "not an object"),
        (b"[" * 200_000, "levels deep"),
        (b"a: " + b"{a: " * 200_000, "levels deep"),
        (b'{"openapi": "3.1.0"}', "no paths"),
        (b"x" * 20_000, "larger than 9 KiB"),
    ],
    ids=["words", "deep", "deep yaml", "no paths", "large"],
)
def test_a_document_that_is_none_fails_in_words(content: bytes, words: str, settings: LazySettings) -> None:
    settings.IMPORT_MAX_BYTES = 10_000 if words.startswith("larger") else settings.IMPORT_MAX_BYTES

    found = lines(content)

    assert found[-1]["kind"] == "failed"
    assert words in found[-1]["message"]
    assert of("operation", found) == []


def test_a_document_that_needs_too_much_memory_is_given_up(settings: LazySettings) -> None:
    settings.IMPORT_MEMORY_MIB = 128

    with pytest.raises(reader.ReadingFailed, match=r"needs more than 128 MiB of memory") as failed:
        lines(b"[" + b"[]," * 3_000_000 + b"[]]")

    assert failed.value.pointer == ""


def test_a_document_that_takes_too_long_is_given_up(settings: LazySettings) -> None:
    settings.IMPORT_SECONDS = 0.2

    with pytest.raises(reader.ReadingFailed, match=r"took longer than 0\.2 seconds"):
        lines(b"- a: b\n" * 600_000)


def test_a_process_that_is_killed_is_told_in_words() -> None:
    def kill(url: str) -> bytes:
        (victim,) = readers()
        os.kill(victim, signal.SIGKILL)
        return b"{}"

    with pytest.raises(reader.ReadingFailed, match=r"ended before it was done"):
        lines(WANTING, fetch=kill)


def test_an_error_of_the_parent_ends_the_process() -> None:
    def fail(url: str) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lines(WANTING, fetch=fail)


def test_stopping_ends_the_process() -> None:
    seen: list[int] = []

    def stop() -> bool:
        seen.extend(readers())
        return bool(seen)

    with pytest.raises(Stopped):
        lines(b"- a: b\n" * 600_000, stop=stop)

    assert len(seen) == 1


def test_a_process_that_does_not_listen_any_more_is_ended_too() -> None:
    frozen: list[int] = []

    def freeze(url: str) -> bytes:
        frozen.extend(readers())
        os.kill(frozen[0], signal.SIGSTOP)
        return b"{}"

    with pytest.raises(Stopped):
        lines(WANTING, fetch=freeze, stop=lambda: bool(frozen))


def test_leaving_early_ends_the_process() -> None:
    reading = reader.read(json.dumps(WANTING).encode(), base_url=HERE, fetch=nothing, stop=lambda: False)

    assert next(reading)["kind"] == "stage"
    assert len(readers()) == 1
    reading.close()

    assert readers() == []


def test_the_process_knows_no_secrets_and_holds_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hush")
    seen: list[bytes] = []
    files: list[str] = []

    def look(url: str) -> bytes:
        (child,) = readers()
        seen.append(Path(f"/proc/{child}/environ").read_bytes())
        files.extend(os.readlink(link) for link in Path(f"/proc/{child}/fd").iterdir())
        return b"{}"

    lines(WANTING, fetch=look)

    names = {pair.partition(b"=")[0].decode() for pair in seen[0].split(b"\0") if pair}
    assert names <= {"PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "MALLOC_ARENA_MAX"}
    held = [name for name in files if not name.startswith(("pipe:", "anon_inode:"))]
    assert len(held) == 1  # its last words
    assert held[0].endswith("(deleted)")


PARENT = """
import os, signal, sys
from pathlib import Path
from django.conf import settings
settings.configure(BASE_DIR=sys.argv[1], IMPORT_MAX_BYTES=10**6, IMPORT_MAX_DOCUMENTS=5, IMPORT_MEMORY_MIB=512,
                   IMPORT_SECONDS=60)
from openapi_import import reader

def fetch(url):
    (child,) = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    fork = os.fork() if sys.argv[3] == "forked" else 0
    if sys.argv[3] == "forked" and not fork:
        signal.pause()
    print(child, fork, flush=True)
    signal.pause()

list(reader.read(sys.argv[2].encode(), base_url="https://shop.example/", fetch=fetch, stop=lambda: False))
"""


@pytest.mark.parametrize("holder", ["alone", "forked"])
def test_no_reader_outlives_its_parent(holder: str) -> None:
    """Also where a fork of the parent keeps the other end of the pipe open."""
    command = [sys.executable, "-c", PARENT, str(ROOT), json.dumps(WANTING), holder]
    parent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child, fork = map(int, parent.stdout.readline().split())
    try:
        watched = os.pidfd_open(child)
        parent.kill()
        parent.wait()

        ended, _, _ = select.select([watched], [], [], 60)

        os.close(watched)
        assert ended, "the reader lives on"
    finally:
        parent.stdout.close()
        if fork:
            os.kill(fork, signal.SIGKILL)


def test_the_process_is_small() -> None:
    """What it imports for a JSON document: nothing that could connect, and nothing that takes long to start."""
    command = "import sys, openapi_import.reading.child, openapi_import.reading.build; print(*sys.modules)"

    output = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )

    loaded = {name.partition(".")[0] for name in output.stdout.split()}
    assert "openapi_import" in loaded
    unwanted = {
        "django",
        "socket",
        "_socket",
        "ssl",
        "http",
        "httpx",
        "httpcore",
        "asyncio",
        "yaml",
        "jsonschema",
    }
    assert loaded & unwanted == set()
