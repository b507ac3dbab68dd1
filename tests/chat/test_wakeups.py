"""Who is told that something is queued: one worker, which has room for it."""

import asyncio

import pytest
from django.conf import LazySettings
from redis import Redis

from agents.providers import close_models
from chat import submission, wakeups
from chat.engine import TurnEngine
from smartsupport.lib.threads import in_thread
from tests import rows
from tests.factories import on_loop
from tests.live.stack import until
from tests.scripted_model.fixture import RunningModel

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_of_those_who_wait_is_told(empty_valkey: None) -> None:
    async def wait() -> list[bool]:
        both = asyncio.gather(wakeups.woken(), wakeups.woken())
        await wakeups.wake()
        return await both

    assert sorted(on_loop(wait())) == [False, True]


def test_what_nobody_takes_does_not_pile_up(empty_valkey: None, valkey: Redis) -> None:
    async def wake_often() -> None:
        for _ in range(wakeups.KEPT + 10):
            await wakeups.wake()

    on_loop(wake_often())

    assert valkey.llen(wakeups.LIST) == wakeups.KEPT


def test_a_worker_that_is_full_leaves_it_to_the_others(
    empty_valkey: None,
    valkey: Redis,
    scripted_model: RunningModel,
    settings: LazySettings,
) -> None:
    settings.TURNS_AT_ONCE = 1
    settings.LLM_PROVIDER, settings.OPENAI_API_KEY = "openai", "none"
    settings.OPENAI_BASE_URL = scripted_model.url
    scripted_model.script({"match": {}, "reply": {"text": "One moment", "hang": True}})
    rows.agent("order_lookup", rows.reading_tool())
    customer_id = rows.customer().pk

    def ask(thread_id: str) -> None:
        submission.submit(
            customer_id=customer_id, thread_id=thread_id, content="Hello", client_message_id=None
        )

    async def two_messages() -> tuple[int, int]:
        engine = TurnEngine()
        working = asyncio.ensure_future(engine.run())
        try:
            await in_thread(lambda: ask("t-first"))
            await in_thread(lambda: until(lambda: engine._running and not waiting()))
            await in_thread(lambda: ask("t-second"))
            await in_thread(lambda: valkey.delete(wakeups.LIST))
            await wakeups.wake()
            return len(engine._running), await in_thread(lambda: valkey.llen(wakeups.LIST))
        finally:
            await engine.drain(0)
            working.cancel()
            await close_models()

    def waiting() -> bool:
        database = str(valkey.connection_pool.connection_kwargs["db"])
        return any(one["db"] == database and "b" in one["flags"] for one in valkey.client_list())

    assert on_loop(two_messages()) == (1, 1)


def test_a_worker_leaves_in_order_while_valkey_is_away(
    settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    on_loop(TurnEngine().drain(0))

    assert "side_work_failed" in caplog.text
    assert "turns_worker_stopped" in caplog.text
