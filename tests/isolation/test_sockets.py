"""Every frame of the chat socket, sent by whoever must not, also those added later. See docs/isolation.md."""

from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client

from chat import consumers, protocol
from chat.consumers import ChatConsumer
from chat.models import Conversation, Customer, Event
from chat.protocol import ClientFrame
from chat.routing import websocket
from smartsupport.lib.threads import in_thread
from tests import rows
from tests.factories import on_loop
from tests.isolation import public
from tests.isolation.routes import Ids
from tests.isolation.sockets import (
    PATIENCE_SECONDS,
    Credentials,
    Frame,
    frame,
    of_cookie,
    of_token,
    open_line,
    paths,
    same_for_both,
    types,
)
from tests.isolation.world import MARK, World, changed, everything, plant

NOT_FOUND = {"type": "error", "code": "thread_not_found", "message": "Thread not found"}


@pytest.fixture
def world(transactional_db: None) -> World:
    return plant()


def everybody_else(world: World) -> list[Credentials]:
    """Who is not the owner: the other customer, somebody new, and whoever is somebody only elsewhere."""
    visitor = Customer.objects.create(name="Visitor")
    staff = Client()
    staff.force_login(rows.staff("root", superuser=True))
    session = staff.cookies[settings.SESSION_COOKIE_NAME].value
    return [
        of_token(world.stranger),
        of_cookie(world.stranger),
        of_cookie(visitor),
        Credentials("nobody"),
        Credentials("a superuser", headers={"cookie": f"{settings.SESSION_COOKIE_NAME}={session}"}),
        Credentials("an API key", headers={"x-api-key": rows.key("admin")}),
    ]


def faults(kind: str, path: str, world: World) -> list[str]:
    """What is wrong with how frames of this type treat those whose thread it is not."""
    found: list[str] = []
    for credentials in everybody_else(world):
        before = everything()
        theirs, nobodys = on_loop(_both(kind, path, credentials, world))
        where = f"{kind} by {credentials.who}"
        if MARK in str(theirs) + str(nobodys):
            found.append(f"{where}: tells what is somebody else's")
        if kind in public.FRAMES_FOR_EVERYBODY:
            continue
        if theirs != [NOT_FOUND]:
            found.append(f"{where}: somebody else's thread is answered {theirs}")
        if kind not in public.FRAMES_THAT_OPEN and theirs != nobodys:
            found.append(f"{where}: tells somebody else's thread from none: {nobodys}")
        if tables := changed(before):
            found.append(f"{where}: changed {', '.join(tables)}")
    return found


async def _both(
    kind: str, path: str, credentials: Credentials, world: World
) -> tuple[list[Frame], list[Frame]]:
    """The answers for the owner's thread, and for one that nobody has."""
    async with open_line(path, credentials) as line:
        theirs = await line.answers(frame(kind, world.theirs.thread_id, world.theirs))
        if kind in public.FRAMES_THAT_OPEN:
            return theirs, []
        return theirs, await line.answers(frame(kind, world.nobodys.thread_id, world.nobodys))


def test_there_are_frames_to_try() -> None:
    assert {"message", "interrupt_response", "resume", "stop", "ping"} <= set(types())
    assert set(types()) == set(consumers.HANDLERS)
    assert paths() == ["/ws"] or len(paths()) > 1


@pytest.mark.parametrize("path", paths())
@pytest.mark.parametrize("kind", types())
def test_somebody_elses_thread_does_not_exist(kind: str, path: str, world: World) -> None:
    assert faults(kind, path, world) == []


@pytest.mark.parametrize("path", paths())
@pytest.mark.parametrize("kind", types())
def test_somebody_elses_ids_in_the_own_thread_are_ids_of_nothing(kind: str, path: str, world: World) -> None:
    mine = [rows.turn(world.stranger, f"mine-{place}") for place in range(2)]
    for turn in mine:
        rows.finish(turn)
    before = _of_owner(world)

    async def tried(thread_id: str, ids: Ids) -> str:
        async with open_line(path, of_token(world.stranger)) as line:
            answers = await line.answers(frame(kind, thread_id, ids))
        return same_for_both(answers, thread_id)

    theirs = on_loop(tried("mine-0", world.theirs))
    nobodys = on_loop(tried("mine-1", world.nobodys))

    assert MARK not in theirs
    if kind != "message":  # each has a client_message_id of its own, and a place of its own in the queue
        assert theirs == nobodys
    assert _of_owner(world) == before


def _of_owner(world: World) -> list[Any]:
    """All that is the owner's."""
    conversations = Conversation.objects.filter(customer=world.owner)
    found: list[Any] = [
        *conversations.values_list(),
        *Event.objects.filter(conversation__in=conversations).values_list(),
    ]
    for conversation in conversations:
        found += [*conversation.turns.order_by("pk").values_list()]
        for turn in conversation.turns.order_by("pk"):
            found += [*turn.actions.order_by("pk").values_list()]
    return sorted(map(str, found))


@pytest.mark.parametrize("path", paths())
def test_without_a_customers_credential_there_is_no_socket(path: str, world: World, settings: Any) -> None:
    """Where visitors may not chat: neither staff nor keys are customers, and a visitor's cookie is none either."""
    settings.ALLOW_ANONYMOUS_CHAT = False
    callers = [one for one in everybody_else(world) if not one.query]
    before = everything()

    async def turned_away(credentials: Credentials) -> tuple[int, str]:
        headers = [(name.encode(), value.encode()) for name, value in credentials.headers.items()]
        communicator = WebsocketCommunicator(websocket, path, headers=headers)
        await communicator.connect(timeout=PATIENCE_SECONDS)
        closed = await communicator.receive_output(timeout=PATIENCE_SECONDS)
        return closed["code"], closed["reason"]

    for caller in callers:
        assert on_loop(turned_away(caller)) == (4001, "Unauthorized"), caller.who
    assert changed(before) == []


async def _peek(socket: ChatConsumer, sent: ClientFrame) -> None:
    """A frame type that somebody added and that forgets whose thread it is."""
    row = await in_thread(Conversation.objects.filter(thread_id=sent.thread_id).first)
    await socket._send({"type": "peeked", "line": row.last_line if row else None})


def test_a_leaking_frame_that_somebody_adds_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "TYPES", protocol.TYPES | {"peek"})
    monkeypatch.setitem(consumers.HANDLERS, "peek", _peek)
    assert "peek" in types()

    found = faults("peek", "/ws", world)

    assert any("peek by a token: tells what is somebody else's" in fault for fault in found), found
    assert any("tells somebody else's thread from none" in fault for fault in found)
