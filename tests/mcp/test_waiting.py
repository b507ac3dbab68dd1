"""Waiting for a call leaves nothing behind: a process answers calls for weeks."""

from uuid import uuid4

import pytest
from channels.layers import get_channel_layer

from chat import events
from chat.mcp import waiting

pytestmark = pytest.mark.django_db(transaction=True)


async def test_who_has_waited_does_not_listen_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.05)
    layer, conversation_id = get_channel_layer(), uuid4()
    looks = 0

    def settled() -> bool:
        nonlocal looks
        looks += 1
        return looks == 3

    await waiting.until(settled, conversation_id, 60)
    await waiting.until(lambda: True, conversation_id, 60)
    await waiting.until(lambda: False, conversation_id, 0.1)

    assert looks == 3
    listening = layer._get_layer()
    assert events.group_of(conversation_id) not in "".join(listening.groups)
    assert not listening.channels
    assert waiting._waiting == 0
