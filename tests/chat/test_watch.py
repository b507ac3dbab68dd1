"""What the broker lost, sockets read from the log by themselves."""

import asyncio
from uuid import UUID

import pytest

from chat.models import Conversation
from chat.watch import Watch
from smartsupport.lib.threads import in_thread
from tests import rows
from tests.factories import close_threads

pytestmark = pytest.mark.django_db(transaction=True)


class Socket:
    """A follower of one conversation that notes when it is told to read on; a broken one fails then."""

    def __init__(self, conversation: Conversation, told: int, *, broken: bool = False) -> None:
        self.positions = {conversation.pk: told}
        self.broken = broken
        self.read_on = asyncio.Event()

    def told(self) -> dict[UUID, int]:
        return self.positions

    async def catch_up(self, conversation_id: UUID) -> None:
        self.read_on.set()
        if self.broken:
            raise RuntimeError("The connection is gone.")


async def test_who_is_behind_reads_on_though_another_socket_is_broken() -> None:
    conversation = await in_thread(lambda: rows.turn(rows.customer()).conversation)
    await in_thread(conversation.refresh_from_db)
    late, broken = Socket(conversation, 0), Socket(conversation, 0, broken=True)
    up_to_date = Socket(conversation, conversation.last_seq)
    watch = Watch()
    for socket in (broken, late, up_to_date):
        watch.add(socket)

    async with asyncio.timeout(60):  # it looks every few seconds
        await asyncio.gather(broken.read_on.wait(), late.read_on.wait())

    assert not up_to_date.read_on.is_set()
    for socket in (broken, late, up_to_date):
        watch.remove(socket)
    assert watch._looking is not None
    await watch._looking
    await asyncio.to_thread(close_threads)
