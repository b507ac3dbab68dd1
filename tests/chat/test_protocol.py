"""Frames of the client, row by row in the order of the contract. Pure: no server, no database."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat.protocol import FRAME_LIMIT_BYTES, BadFrame, client_message_id, parse, resume_after

THREAD = "thread-1"


def refusal(text: str | None, binary: bytes | None = None) -> tuple[str, str]:
    with pytest.raises(BadFrame) as caught:
        parse(text, binary)
    return caught.value.code, caught.value.message


def frame(**fields: Any) -> str:
    return json.dumps({"type": "message", "thread_id": THREAD, **fields})


def padded(size: int, letter: str = "a") -> str:
    """A message frame of exactly `size` bytes, its content made of `letter`."""
    empty = len(json.dumps({"type": "ping", "pad": ""}))
    letters, rest = divmod(size - empty, len(letter.encode()))
    return json.dumps({"type": "ping", "pad": letter * letters + "a" * rest}, ensure_ascii=False)


@pytest.mark.parametrize("letter", ["a", "é", "単", "🙂"])
def test_the_limit_counts_bytes_and_includes_its_last_one(letter: str) -> None:
    exact, over = padded(FRAME_LIMIT_BYTES, letter), padded(FRAME_LIMIT_BYTES + 1, letter)
    assert (len(exact.encode()), len(over.encode())) == (32_768, 32_769)

    assert parse(exact, None).type == "ping"
    assert refusal(over) == ("message_too_large", "Message too large")


def test_a_binary_frame_is_measured_too_and_is_never_json() -> None:
    assert refusal(None, b"x" * 32_769) == ("message_too_large", "Message too large")
    assert refusal(None, b'{"type":"ping"}') == ("invalid_json", "Invalid JSON")
    assert refusal(None, b"") == ("invalid_json", "Invalid JSON")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "hello",
        "{",
        '{"type":"ping"',
        "{'type':'ping'}",
        '{"type":"ping"} {}',
        '{"type":"ping","x":NaN}',
        '{"type":"ping","x":Infinity}',
        '{"type":"ping","x":-Infinity}',
        '{"type":"ping","x":' + "9" * 5_000 + "}",  # more digits than Python converts
        "[" * 32_768,
        '{"a":' * 6_000,
        "\ufeff" + '{"type":"ping"}',
        '{"type":"ping","x":"\t"}',
    ],
)
def test_what_is_not_json(text: str) -> None:
    assert refusal(text) == ("invalid_json", "Invalid JSON")


@pytest.mark.parametrize(
    "text", ["[]", '["type"]', "null", "true", "1", "1.5", '"ping"', '[{"type":"ping"}]']
)
def test_json_that_is_no_object(text: str) -> None:
    assert refusal(text) == ("invalid_json", "Invalid JSON: expected object")


def test_deep_nesting_is_measured_before_it_is_read() -> None:
    assert refusal("[" * 100_000)[1] == "Message too large"


@pytest.mark.parametrize(
    "kind",
    [None, "", "Message", "ping ", "message\n", "pong", 1, True, ["ping"], {"ping": 1}, 1.5, "__class__"],
)
def test_unknown_types(kind: Any) -> None:
    text = json.dumps({"type": kind, "thread_id": THREAD})

    assert refusal(text) == ("unknown_type", "Unknown message type")


def test_a_frame_without_a_type() -> None:
    assert refusal("{}") == ("unknown_type", "Unknown message type")


@pytest.mark.parametrize("kind", ["message", "interrupt_response", "resume", "stop"])
@pytest.mark.parametrize("thread", [{}, {"thread_id": ""}, {"thread_id": None}])
def test_missing_thread_ids(kind: str, thread: dict[str, Any]) -> None:
    assert refusal(json.dumps({"type": kind, **thread})) == ("missing_thread_id", "Missing thread_id")


@pytest.mark.parametrize(
    "thread_id",
    [
        "a" * 129,
        "thread\n",
        "\nthread",
        "a b",
        " ",
        "thread/1",
        "thread.1",
        "thré",
        "１２３",  # full-width digits
        "١٢٣",
        "a\x00",
        "\ud800",
        0,
        1,
        False,
        True,
        1.5,
        [],
        ["thread"],
        {},
        {"id": "thread"},
    ],
)
def test_thread_ids_of_the_wrong_form(thread_id: Any) -> None:
    assert refusal(frame(thread_id=thread_id)) == ("invalid_thread_id", "Invalid thread_id format")


@pytest.mark.parametrize("thread_id", ["a", "A-z_09", "-", "_", "0", "a" * 128])
def test_thread_ids_of_the_right_form(thread_id: str) -> None:
    assert parse(frame(thread_id=thread_id), None).thread_id == thread_id


def test_a_ping_needs_no_thread() -> None:
    assert parse('{"type":"ping","thread_id":["?"]}', None).thread_id == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{" + " " * 32_768, "Message too large"),  # and not JSON
        ('["' + "a" * 32_768 + '"]', "Message too large"),  # and no object
        ('{"type":"?","thread_id":""}', "Unknown message type"),
        ('{"type":"message","content":""}', "Missing thread_id"),
        ('{"type":"message","thread_id":"?","content":""}', "Invalid thread_id format"),
    ],
)
def test_the_first_rule_that_fails_is_told(text: str, message: str) -> None:
    assert refusal(text)[1] == message


@pytest.mark.parametrize(
    ("given_id", "known_as"), [("m-1", "m-1"), ("消息 1", "消息 1"), (7, "7"), ("7", "7")]
)
def test_client_message_ids_are_kept(given_id: Any, known_as: str) -> None:
    assert client_message_id(parse(frame(client_message_id=given_id), None)) == known_as


@pytest.mark.parametrize("given_id", [None, "", True, False, 1.5, [], ["m"], {}, {"id": "m"}])
def test_what_is_no_client_message_id(given_id: Any) -> None:
    assert client_message_id(parse(frame(client_message_id=given_id), None)) is None


@pytest.mark.parametrize("odd", ["x" * 201, "a\nb", "a\x00b", "\ud800", "\u202eabc"])
def test_an_odd_client_message_id_still_tells_messages_apart(odd: str) -> None:
    known_as = client_message_id(parse(frame(client_message_id=odd), None))
    again = client_message_id(parse(frame(client_message_id=odd), None))
    other = client_message_id(parse(frame(client_message_id=odd + "y"), None))

    assert known_as == again != other
    assert known_as is not None
    assert len(known_as) <= 200
    assert known_as.isprintable()


@pytest.mark.parametrize(("after", "position"), [(0, 0), (7, 7), (2**63 - 1, 2**63 - 1)])
def test_resume_positions(after: int, position: int) -> None:
    assert resume_after(parse(frame(type="resume", after=after), None)) == position


def test_a_resume_without_a_position_starts_at_the_beginning() -> None:
    assert resume_after(parse(frame(type="resume"), None)) == 0


@pytest.mark.parametrize("after", [-1, 2**63, 10**400, True, False, "7", "", 1.0, None, [], {}])
def test_what_is_no_resume_position(after: Any) -> None:
    with pytest.raises(BadFrame) as caught:
        resume_after(parse(frame(type="resume", after=after), None))

    assert (caught.value.code, caught.value.message) == ("invalid_resume", "Invalid resume position")


ANY_TEXT = st.text(st.characters(categories=None))  # lone surrogates too
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
    max_leaves=10,
)
FIELD = st.sampled_from(
    ["type", "thread_id", "content", "client_message_id", "after", "approved", "interrupt_id"]
)
TYPE = st.sampled_from(["message", "interrupt_response", "resume", "stop", "ping"])


def survives(text: str | None, binary: bytes | None) -> None:
    """Whatever comes in: a frame with a thread id of the right form, or BadFrame."""
    try:
        parsed = parse(text, binary)
        client_message_id(parsed)
        resume_after(parsed)
    except BadFrame:
        return
    assert parsed.type == "ping" or 1 <= len(parsed.thread_id) <= 128


@given(ANY_TEXT)
@example("\ud800")
@example("[" * 30_000)
@example('{"a":' * 5_000 + "1" + "}" * 5_000)
def test_any_text_is_a_frame_or_refused(text: str) -> None:
    survives(text, None)


@given(st.binary())
def test_any_bytes_are_refused(binary: bytes) -> None:
    with pytest.raises(BadFrame):
        parse(None, binary)


@given(st.dictionaries(FIELD, ANY_JSON), TYPE)
def test_any_object_is_a_frame_or_refused(fields: dict[str, Any], kind: str) -> None:
    survives(json.dumps({**fields, "type": kind}), None)
    survives(json.dumps({**fields, "type": kind, "thread_id": THREAD}), None)
