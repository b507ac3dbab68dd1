"""The chat socket: frames in, service calls, frames out. It runs no turn: one socket's frames are handed over one at a
time, and a `stop` would wait behind it."""

import asyncio
import json
import re
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import structlog
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import Error as DatabaseError
from django.http.cookie import parse_cookie
from redis.exceptions import RedisError

from agents import approvals
from chat import (
    events,
    feedback,
    identity,
    limits,
    protocol,
    stopping,
    submission,
    transcript,
    turns,
    unavailable,
)
from chat.dispatching import DirectConsumer
from chat.following import Following, stay_awake
from chat.frames import Frame
from chat.models import Conversation, Event
from chat.protocol import BadFrame, ClientFrame
from chat.watch import watch
from smartsupport.lib.errors import ServiceError, ThreadNotFound
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.text import storable
from smartsupport.lib.threads import in_thread

log = structlog.get_logger(__name__)

UNAUTHORIZED = 4001
TRY_AGAIN_LATER = 1013
THREADS_PER_SOCKET = 50
BROKE = "An error occurred processing your message."
OF_A_DECISION = (approvals.AlreadyDecided, approvals.NotAllowed, approvals.ToolChanged)
"""Why a decision is refused: told always."""


class ChatConsumer(DirectConsumer, AsyncWebsocketConsumer):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await unavailable.broker_answers()
            await super().__call__(scope, receive, send)
        except (RedisError, OSError) as error:
            if hasattr(self, "base_send"):  # Channels sets it when this socket can hear from Valkey
                raise
            await unavailable.refuse(send, error)

    async def connect(self) -> None:
        self.positions: dict[UUID, Following] = {}
        self.order = asyncio.Lock()  # one frame after another, whoever has something to send
        self.visitor: identity.Visitor | None = None
        given = _credentials(self.scope)
        try:
            self.visitor = await in_thread(lambda: identity.identify(**given))
        except ServiceError:
            await self.accept()
            await self.close(code=UNAUTHORIZED, reason="Unauthorized")
            return
        except DatabaseError as error:
            await unavailable.refuse(self.base_send, error)
            return
        if self.visitor.new_cookie and not await limits.allows(limits.NEW_VISITORS, self._address()):
            self.visitor = None
            await self.accept()
            await self.close(code=TRY_AGAIN_LATER, reason=submission.RateLimited.message)
            return
        try:
            await stay_awake()
        except (RedisError, OSError) as error:
            self.visitor = None
            await unavailable.refuse(self.base_send, error)
            return
        unavailable.accepted()
        headers = (
            [(b"set-cookie", _cookie_header(self.visitor.new_cookie))] if self.visitor.new_cookie else []
        )
        await self.accept(headers=headers)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.visitor is None:
            return
        try:
            frame = protocol.parse(text_data, bytes_data)
            structlog.contextvars.bind_contextvars(conversation_id=frame.thread_id)
            await HANDLERS[frame.type](self, frame)
        except ServiceError as refusal:
            await self._send(_error_frame(await self._as_told(refusal)))
        except (DatabaseError, RedisError, OSError):
            log.exception("frame_failed")
            await self._send({"type": "error", "code": "unavailable", "message": BROKE})

    async def disconnect(self, code: int) -> None:
        watch().remove(self)
        for conversation_id in self.positions:
            try:
                await self.channel_layer.group_discard(events.group_of(conversation_id), self.channel_name)
            except (RedisError, OSError) as error:  # nobody is told anything by it either
                log.warning("group_not_left", error=str(error) or type(error).__name__)

    # Frames of the client

    async def _message(self, frame: ClientFrame) -> None:
        visitor = self._visitor()
        client_id = protocol.client_message_id(frame)
        submit = partial(
            submission.submit,
            customer_id=visitor.customer_id,
            thread_id=frame.thread_id,
            content=frame.fields.get("content"),
            client_message_id=client_id,
            strategy=frame.fields.get("multitask_strategy"),
            new_customer=visitor.make_row,
        )
        async with self.order:  # nothing of the log is sent before its own message is known as such
            accepted = await in_thread(submit)
            follows = accepted.conversation_id in self.positions
            joins = not follows and accepted.seq + accepted.repeated > 1
            position = await self._follow(accepted.conversation_id, frame.thread_id, sent=accepted.seq - 1)
            if position.sent < accepted.seq:
                # First what came before it: a client that is cut off right after `accepted` resumes from its `seq`.
                await position.send_up_to(accepted.seq - 1)
                position.sent = accepted.seq  # `accepted` tells it
            await self._send(
                {
                    "type": "accepted",
                    "thread_id": accepted.thread_id,
                    "client_message_id": storable(frame.fields["client_message_id"]) if client_id else None,
                    "turn_id": str(accepted.turn_id) if accepted.turn_id else None,
                    "seq": accepted.seq,
                    "position": accepted.position,
                    **accepted.usage,
                }
            )
        if not follows or accepted.repeated:  # otherwise the group has told this socket everything, and will
            await position.catch_up()
        if joins:
            await position.show_written()

    async def _interrupt_response(self, frame: ClientFrame) -> None:
        conversation = await self._owned(frame.thread_id)
        approved = frame.fields.get("approved")
        given = frame.fields.get("interrupt_id")
        if approved is not True and approved is not False:
            raise _invalid_response()
        joins = conversation.pk not in self.positions
        position = await self._follow(conversation.pk, frame.thread_id)
        if joins:
            await position.show_written()
        action_id = await in_thread(lambda: _action_meant(conversation, given))
        by = approvals.Decider(kind="customer", name="the customer", customer_id=self._visitor().customer_id)
        try:
            await in_thread(lambda: approvals.decide(action_id=action_id, approved=approved, by=by))
        except approvals.ApprovalExpired as expired:
            await self._tell_expired(position, expired)
            return
        await position.catch_up()

    async def _tell_expired(self, position: Following, expired: approvals.ApprovalExpired) -> None:
        """Tell it once: by the event, where this answer was the first to find out, or else in a frame of its own."""
        before = position.sent
        await position.catch_up()
        interrupt_id = expired.extra["interrupt_id"]
        if not await in_thread(lambda: _expired_since(position.conversation_id, before, interrupt_id)):
            told = {"type": "interrupt_expired", "thread_id": position.thread_id, **expired.extra}
            await self._send({**told, "message": expired.message})

    async def _resume(self, frame: ClientFrame) -> None:
        conversation = await self._owned(frame.thread_id)
        after = protocol.resume_after(frame)
        if not await limits.allows(limits.RESUMES, conversation.customer_id):
            raise submission.RateLimited()
        position = await self._follow(conversation.pk, frame.thread_id)
        await position.resume(after, conversation.last_seq)
        await self._send({"type": "resumed", "thread_id": frame.thread_id, "seq": position.sent})

    async def _history(self, frame: ClientFrame) -> None:
        conversation = await self._owned(frame.thread_id)
        before, limit = protocol.history_wanted(frame)
        page = await in_thread(lambda: transcript.page(conversation, before=before, limit=limit))
        await self._send({"type": "history", "thread_id": frame.thread_id, **page.answer()})

    async def _stop(self, frame: ClientFrame) -> None:
        visitor = self._visitor()
        await in_thread(lambda: stopping.stop(customer_id=visitor.customer_id, thread_id=frame.thread_id))

    async def _retry(self, frame: ClientFrame) -> None:
        visitor, given = self._visitor(), frame.fields.get("turn_id")
        conversation = await self._owned(frame.thread_id)
        turn_id = parse_uuid(given) if given is not None else None
        if given is not None and turn_id is None:
            raise turns.NotRetriable()
        position = await self._follow(conversation.pk, frame.thread_id)
        retry = partial(turns.retry, customer_id=visitor.customer_id, thread_id=frame.thread_id)
        await in_thread(lambda: retry(turn_id=turn_id))
        await position.catch_up()

    async def _feedback(self, frame: ClientFrame) -> None:
        visitor = self._visitor()
        conversation = await self._owned(frame.thread_id)
        said = feedback.checked(frame.fields)
        await feedback.allow(visitor.customer_id)
        position = await self._follow(conversation.pk, frame.thread_id)
        give = partial(feedback.give, thread_id=frame.thread_id, said=said, customer_id=visitor.customer_id)
        given = await in_thread(give)
        if given.seq <= position.sent:  # it stands since before: answered all the same
            for answer in given.frames:
                await self._send(answer)
        await position.catch_up()

    async def _ping(self, frame: ClientFrame) -> None:
        await self._send({"type": "pong"})

    # Messages of the conversation's group

    async def conversation_events(self, message: dict[str, Any]) -> None:
        if position := self._position_of(message):
            await self._told(position.events_came(message))

    async def conversation_live(self, message: dict[str, Any]) -> None:
        if position := self._position_of(message):
            await self._told(position.live_came(message["frame"]))

    async def _told(self, telling: Awaitable[None]) -> None:
        """Where something is missing before a message, and cannot be read for the moment, the watch finds out soon."""
        try:
            await telling
        except (DatabaseError, RedisError, OSError) as error:
            log.warning("news_not_told", error=str(error) or type(error).__name__)

    # How far this socket is

    def _position_of(self, message: dict[str, Any]) -> Following | None:
        return self.positions.get(UUID(message["conversation"]))

    async def _follow(self, conversation_id: UUID, thread_id: str, sent: int | None = None) -> Following:
        """Join the conversation's group, once. What was said before is sent on `resume` only."""
        position = self.positions.get(conversation_id)
        if position is not None:
            return position
        if len(self.positions) >= THREADS_PER_SOCKET:
            oldest = next(iter(self.positions))
            await self.channel_layer.group_discard(events.group_of(oldest), self.channel_name)
            del self.positions[oldest]
        await self.channel_layer.group_add(events.group_of(conversation_id), self.channel_name)
        if sent is None:
            sent = await in_thread(
                lambda: Conversation.objects.values_list("last_seq", flat=True).get(pk=conversation_id)
            )
        position = self.positions[conversation_id] = Following(
            conversation_id, thread_id, sent, send=self._send_all, order=self.order
        )
        if sent:
            await position.know_ended()
        watch().add(self)
        return position

    def told(self) -> dict[UUID, int]:
        return {position.conversation_id: position.sent for position in self.positions.values()}

    async def catch_up(self, conversation_id: UUID) -> None:
        if position := self.positions.get(conversation_id):
            await position.catch_up()

    async def _as_told(self, refusal: ServiceError) -> ServiceError:
        """The refusal, or to a customer of whom too much was refused already only that. Decisions are exempt."""
        if isinstance(refusal, OF_A_DECISION):
            return refusal
        told = await limits.allows(limits.REFUSED_FRAMES, self._visitor().customer_id)
        return refusal if told else submission.RateLimited()

    def _address(self) -> str:
        return limits.address_of_socket(self.scope.get("client"), self.scope.get("headers", []))

    async def _owned(self, thread_id: str) -> Conversation:
        customer_id = self._visitor().customer_id
        owned = Conversation.objects.filter(thread_id=thread_id, customer_id=customer_id)
        conversation = await in_thread(owned.first)
        if conversation is None:
            raise ThreadNotFound()
        return conversation

    def _visitor(self) -> identity.Visitor:
        assert self.visitor is not None
        return self.visitor

    async def _send_all(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            await self._send(frame)

    async def _send(self, frame: Frame) -> None:
        await self.send(text_data=json.dumps(frame, ensure_ascii=False))


HANDLERS = {
    "message": ChatConsumer._message,
    "interrupt_response": ChatConsumer._interrupt_response,
    "resume": ChatConsumer._resume,
    "history": ChatConsumer._history,
    "stop": ChatConsumer._stop,
    "retry": ChatConsumer._retry,
    "feedback": ChatConsumer._feedback,
    "ping": ChatConsumer._ping,
}


def _invalid_response() -> BadFrame:
    return BadFrame("Invalid interrupt response", code="invalid_interrupt_response")


def _action_meant(conversation: Conversation, given: object) -> UUID:
    """The action that an answer is for: the one it names, if it is of this conversation, or the only one pending."""
    if given is None:
        pending = turns.awaiting_ids(conversation.pk)
        if len(pending) != 1:
            raise _invalid_response()
        return pending[0]
    action_id = parse_uuid(given)
    if action_id is None or not turns.has_action(conversation.pk, action_id):
        raise _invalid_response()
    return action_id


def _expired_since(conversation_id: UUID, seq: int, interrupt_id: str) -> bool:
    """Whether an event after `seq` tells that the action has expired."""
    newer = Event.objects.filter(conversation_id=conversation_id, seq__gt=seq, kind="approval_expired")
    return newer.filter(payload__interrupt_id=interrupt_id).exists()


def _error_frame(refusal: ServiceError) -> Frame:
    shown = {name: value for name, value in refusal.extra.items() if name != "by_name"}
    return {"type": "error", "code": refusal.code, "message": refusal.message, **shown}


def _credentials(scope: dict[str, Any]) -> dict[str, str | None]:
    """The token and the framed visitor of the query string, and our cookie; None where there is none."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    header = b"; ".join(value for name, value in scope.get("headers", []) if name == b"cookie")
    return {
        "token": query["token"][0] if "token" in query else None,
        "framed": query["visitor"][0] if "visitor" in query else None,
        "cookie": parse_cookie(header.decode("latin-1")).get(identity.COOKIE),
    }


def _cookie_header(value: str) -> bytes:
    secure = "; Secure" if settings.SESSION_COOKIE_SECURE else ""
    text = f"{identity.COOKIE}={value}; Path=/; Max-Age={identity.COOKIE_MAX_AGE}; HttpOnly; SameSite=Lax{secure}"
    return re.sub(r"[\r\n]", "", text).encode("ascii")
