"""Whatever comes in, the socket lives on: one answer to each frame, the first rule that fails, and nothing changed."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chat import protocol
from chat.models import Conversation
from smartsupport.lib.ids import is_thread_id
from tests import rows
from tests.factories import on_loop
from tests.isolation.sockets import Frame, of_token, open_line
from tests.isolation.world import changed, everything

THEIRS, OWN, NOBODYS = "theirs", "own", "nobodys"
LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


@pytest.fixture(autouse=True)
def company(request: pytest.FixtureRequest) -> None:
    own = request.getfixturevalue("settings")
    own.CUSTOMER_JWT_SECRET = "a-secret-of-the-company-0123456789"
    own.REFUSED_FRAMES_PER_MINUTE = 100_000


@pytest.fixture
def stranger(transactional_db: None) -> Any:
    """A customer with a finished conversation, beside another customer with one."""
    asks = rows.customer(subject="cus_eve")
    for customer, thread in ((asks, OWN), (rows.customer(), THEIRS)):
        rows.finish(rows.turn(customer, thread))
    return asks


TEXT = st.text(st.characters(exclude_categories=["Cs"]))  # lone surrogates are no UTF-8, and no text frame
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
NO_CONTENT = st.sampled_from([None, "", "  \n\t", 7, True, ["x"], {"text": "x"}, "x" * 10_001])
NO_THREAD = st.sampled_from(
    [None, "", 0, 7, True, [], [OWN], {}, "a b", OWN + "\n", "x" * 129, "é", "١", "\x00", "../x"]
)
NO_DECISION = st.sampled_from([None, "true", "false", "no", 1, 0, [], {}, {"approved": True}])


def built(kind: Any, thread: Any, **fields: Any) -> str:
    return json.dumps({"type": kind, "thread_id": thread, **fields})


def refused_frames() -> st.SearchStrategy[str | bytes]:
    """Frames of which none may be accepted: senseless ones, and sound ones in the wrong place."""
    kinds = st.sampled_from(sorted(protocol.TYPES - {"ping"}))
    rest = st.dictionaries(
        st.sampled_from(["content", "approved", "after", "turn_id", "interrupt_id", "before"]), ANY_JSON
    )
    others = [kind for kind in sorted(protocol.TYPES) if kind not in ("ping", "message")]
    return st.one_of(
        TEXT,
        st.binary(),
        ANY_JSON.map(json.dumps),
        st.integers(32_700, 32_900).map(lambda size: '{"type":"ping","pad":"' + "é" * (size // 2) + '"}'),
        st.builds(lambda kind, thread, fields: built(kind, thread, **fields), kinds, NO_THREAD, rest),
        st.builds(lambda kind, fields: built(kind, THEIRS, **fields), kinds, rest),
        st.builds(lambda kind, fields: built(kind, NOBODYS, **fields), st.sampled_from(others), rest),
        st.builds(
            lambda thread, content: built("message", thread, content=content),
            st.sampled_from([OWN, NOBODYS]),
            NO_CONTENT,
        ),
        st.builds(
            lambda approved: built("interrupt_response", OWN, approved=approved), NO_DECISION | st.booleans()
        ),
        st.builds(
            lambda after: built("resume", OWN, after=after), st.sampled_from([-1, "7", 1.5, True, None, []])
        ),
        st.builds(built, TEXT | st.sampled_from(["Message", "pong", "message "]), st.just(OWN)),
    )


def expected(sent: str | bytes) -> str | None:
    """The contract's message for this frame, the first rule that fails; None for a ping. A second reading of
    docs/chat-socket.md, which shares nothing with the product but the table there."""
    if len(sent if isinstance(sent, bytes) else sent.encode()) > 32_768:
        return "Message too large"
    try:
        if isinstance(sent, bytes):
            raise ValueError
        value = json.loads(sent, parse_constant=lambda name: json.loads(""))
    except (ValueError, RecursionError):
        return "Invalid JSON"
    if not isinstance(value, dict):
        return "Invalid JSON: expected object"
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in protocol.TYPES:
        return "Unknown message type"
    if kind == "ping":
        return None
    return _about_a_thread(kind, value)


def _about_a_thread(kind: str, value: dict[str, Any]) -> str:
    thread, content = value.get("thread_id"), value.get("content")
    if thread is None or thread == "":
        return "Missing thread_id"
    if not isinstance(thread, str) or not 1 <= len(thread) <= 128 or not LETTERS.issuperset(thread):
        return "Invalid thread_id format"
    if thread == THEIRS or (thread != OWN and kind != "message"):
        return "Thread not found"
    if kind == "message":
        blank = not isinstance(content, str) or not content.strip()
        return "Missing message content" if blank else "Message content too long"
    return {"interrupt_response": "Invalid interrupt response", "resume": "Invalid resume position"}[kind]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=40,
)
@given(frames=st.lists(refused_frames(), min_size=1, max_size=25))
@example(frames=["", "{", "[" * 32_768, '{"a":' * 6_000, "9" * 5_000, '{"type":NaN}', b"", b"\xff\xfe"])
@example(frames=[built("interrupt_response", OWN, approved=True, interrupt_id="\ud800")])
@example(frames=[built("resume", OWN, after=10**400), built("message", OWN, content="\x00 ")][:1])
def test_any_frame_gets_the_one_answer_of_the_contract_and_changes_nothing(
    stranger: Any, frames: list[str | bytes]
) -> None:
    before = everything()

    async def answered() -> list[list[Frame]]:
        async with open_line("/ws", of_token(stranger)) as line:
            found = []
            for frame in frames:
                found.append(await line.answers(frame))
                if expected(frame) is None:  # a ping, with the one behind it
                    assert [*found.pop(), await line.frame()] == [{"type": "pong"}]
            return found

    refused = [frame for frame in frames if expected(frame) is not None]
    for sent, answers in zip(refused, on_loop(answered()), strict=True):
        [answer] = answers
        assert (answer["type"], answer["message"]) == ("error", expected(sent)), sent
        assert set(answer) == {"type", "code", "message"}
    assert changed(before) == []


@given(st.text() | st.text(st.sampled_from(sorted(LETTERS)), min_size=120, max_size=135) | ANY_JSON)
@example("a" * 128)
@example("a" * 129)
@example("a\n")
@example("１２３")
@example("ſ")  # a letter that becomes an ASCII one in upper case
def test_a_thread_id_is_1_to_128_of_these_letters(value: Any) -> None:
    right = isinstance(value, str) and 1 <= len(value) <= 128 and LETTERS.issuperset(value)

    assert is_thread_id(value) is right


def test_after_all_that_the_conversation_goes_on(stranger: Any) -> None:
    async def said() -> list[list[Frame]]:
        async with open_line("/ws", of_token(stranger)) as line:
            odd: list[Any] = ["{", b"\x00", built("message", THEIRS, content="x"), built("stop", NOBODYS)]
            for frame in odd:
                await line.answers(frame)
            return [await line.answers(built("message", OWN, content="Hello"))]

    [[accepted, *_]] = on_loop(said())

    assert accepted["type"] == "accepted"
    assert Conversation.objects.get(thread_id=OWN).last_seq == accepted["seq"]
