"""A body that comes in chunks, without a length, is read like any other, and has the same limit."""

from collections.abc import Iterator

import pytest

from tests.live.stack import Stack

pytestmark = pytest.mark.xdist_group("live-offline")
JSON = {"Content-Type": "application/json"}


def pieces(*texts: bytes) -> Iterator[bytes]:
    """httpx sends what it does not know the length of in chunks."""
    yield from texts


def test_what_comes_in_chunks_is_read(offline_stack: Stack) -> None:
    address = "/conversations/in-chunks/messages"
    message = (b'{"content": "Hello", ', b'"customer": {"subject": "cus_chunks"}}')
    key = JSON | {"Idempotency-Key": "in-chunks"}

    first = offline_stack.api.post(address, content=pieces(*message), headers=key)
    other = offline_stack.api.post(address, content=pieces(b'{"content": "Goodbye"}'), headers=key)

    assert first.status_code == 202, first.text
    assert other.json()["error"]["code"] == "idempotency_key_reused"


def test_too_much_in_chunks_is_refused(offline_stack: Stack) -> None:
    """13 MiB, where 12 is the limit."""
    address = "/conversations/in-chunks-2/messages"

    refused = offline_stack.api.post(address, content=pieces(*[b" " * 2**20] * 13), headers=JSON)

    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_large")
    assert offline_stack.api.get("/conversations/in-chunks-2").status_code == 404
