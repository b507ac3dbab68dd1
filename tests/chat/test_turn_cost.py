"""What a turn asks of Postgres and Valkey. A turn that looks something up takes these statements and commands and no
other, in its web process and in its worker: one that is added is paid for by every message of every customer."""

import re
from collections import Counter
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import LazySettings
from redis import asyncio as redis

from agents.models import Tool
from agents.providers import close_models
from chat import submission
from chat.engine import TurnEngine
from chat.models import Turn
from smartsupport.lib import valkey
from smartsupport.lib.threads import in_thread
from tests import rows
from tests.agents.graph_script import answers, call, routed
from tests.factories import on_loop
from tests.lib.wire import Wire, always, response
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.django_db(transaction=True)

BUSINESS = response(body=b'{"status": "packed"}', content_type="application/json")
KEY = {"shop_key": {"kind": "apiKey", "in": "header", "name": "X-Key"}}
OPENED = {"SELECT chat_customer", "SELECT chat_conversation", "INSERT chat_conversation"}
QUEUED = {"UPDATE chat_customer": 1, "INSERT chat_turn": 1, "events": 1}
LOCKED = {"SELECT chat_customer": 1, "SELECT chat_turn": 1, "SELECT chat_conversation": 2}
LOOKED_UP = {
    "SELECT chat_event": 1,
    "SELECT registry": 1,
    "SELECT agents_tool": 1,
}
# Events: the route, the call, its result; then the reply together with the end, which seals the turn.
WORKED = {"UPDATE chat_turn": 1, **LOOKED_UP, "events": 4}
TOLD = {"LPUSH": 1, "PUBLISH": 1}  # a worker and the sockets
# Four batches of events, the circuit breaker, and in the end the text for late joiners is deleted.
SHOWN = {"PUBLISH": 4, "EVAL": 1, "DEL": 1}
HOUSEKEEPING = re.compile(r"SELECT (1|set_config\(.*)|")


class Asked:
    """What was asked since the last look: kinds of statements, and commands."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._statements: Counter[str] = Counter()
        self._commands: Counter[str] = Counter()
        for cursor in (psycopg.Cursor, psycopg.AsyncCursor):
            for name in ("execute", "executemany"):
                self._watch(monkeypatch, cursor, name, lambda query: self._statements.update(_kind(query)))
        self._watch(
            monkeypatch, redis.Redis, "execute_command", lambda word: self._commands.update([str(word)])
        )

    def _watch(self, monkeypatch: pytest.MonkeyPatch, owner: type[Any], name: str, note: Any) -> None:
        original = getattr(owner, name)

        def watched(this: Any, first: Any, *rest: Any, **options: Any) -> Any:
            note(first)
            return original(this, first, *rest, **options)

        monkeypatch.setattr(owner, name, watched)

    def look(self) -> tuple[dict[str, int], dict[str, int]]:
        """Without the pieces of text, each of which is sent and kept: how many there are is a matter of speed."""
        self._commands["PUBLISH"] -= self._commands.pop("SET", 0)
        seen = dict(self._statements), dict(self._commands)
        self._statements.clear()
        self._commands.clear()
        return seen


def _kind(query: object) -> list[str]:
    """[] for what looks after a connection, not after a turn."""
    text = " ".join(str(query).split())
    if HOUSEKEEPING.fullmatch(text):
        return []
    if text.startswith("WITH held"):
        return ["events"]
    if text.startswith("SELECT md5("):
        return ["SELECT registry"]
    if text.startswith("SELECT seq, kind, payload"):
        return ["SELECT chat_event"]
    found = re.match(r'(SELECT|INSERT|UPDATE|DELETE)(?: INTO| FROM)? "?(\w+)', text)
    return [f"{found[1]} {found[2]}" if found else text]


async def answered(
    engine: TurnEngine, asked: Asked, customer_id: UUID, thread_id: str, content: str
) -> list[Any]:
    """What the web process asks for to take the message, and the worker to answer it."""
    submit = partial(submission.submit, customer_id=customer_id, thread_id=thread_id, content=content)
    asked.look()
    accepted = await in_thread(lambda: submit(client_message_id=content))
    taken = asked.look()
    await engine._claim_all()
    [run] = engine._running.values()
    assert run.task is not None
    await run.task
    worked = asked.look()
    turns = Turn.objects.filter(conversation=accepted.conversation_id, message_seq=accepted.seq)
    assert await in_thread(lambda: list(turns.values_list("status", flat=True))) == ["completed"]
    return [*taken, *worked]


def test_a_turn_asks_for_this_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings, scripted_model: RunningModel
) -> None:
    settings.LLM_PROVIDER, settings.OPENAI_API_KEY = "openai", "none"
    settings.OPENAI_BASE_URL = scripted_model.url
    settings.SAFE_HTTP_ALLOWED_HOSTS = ["127.0.0.1"]
    rows.agent("order_lookup", rows.reading_tool(security=[KEY, {}]))
    customer_id = rows.customer().pk
    asks = answers(call("get_order_status", {"order_id": "1042"}))
    scripted_model.script(*[routed("order_lookup"), asks, answers(text="Packed.")] * 2)
    scripted_model.script(asks, answers(text="Still."))
    asked = Asked(monkeypatch)

    async def conversations() -> list[list[Any]]:
        engine = TurnEngine()
        await engine._runner.open()
        say = partial(answered, engine, asked, customer_id)
        try:
            async with Wire(always(BUSINESS)) as business:
                await in_thread(lambda: Tool.objects.update(server_url=business.url))
                # The first turn of all reads the registry and opens connections.
                await say("warm", "What is the status of order 1042?")
                first = await say("cost", "What is the status of order 1042?")
                return [first, await say("cost", "And what is the status of order 1042 now?")]
        finally:
            await engine.drain(1)
            await valkey.close()
            await close_models()

    first, follow_up = on_loop(conversations())

    assert first == [{**dict.fromkeys(OPENED, 1), **QUEUED}, TOLD, WORKED, SHOWN]
    assert follow_up == [{**LOCKED, **QUEUED}, TOLD, WORKED, SHOWN]
