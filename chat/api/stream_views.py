"""REST: a conversation as server-sent events. The view decides who may read what; `chat.streaming` sends it."""

import re
import time
from typing import Any, ClassVar

import jwt
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.authentication import get_authorization_header
from rest_framework.exceptions import Throttled, ValidationError
from rest_framework.request import Request

from agents.api.yaml_body import JsonWhateverAsked
from chat import limits, streaming
from chat.api import reads
from chat.api.own import AUTHENTICATION, MayCallOrOwn, TokenHolder
from chat.api.views import READ, THREAD
from chat.authentication import Integrator
from chat.stream_places import Caller, NoRoom, TooManyStreams, enter
from smartsupport.lib.api_view import ApiView
from smartsupport.lib.rest import checked_thread_id, read_query

LAST_EVENT_ID = "Last-Event-ID"
ID = "^[0-9]{0,18}$"
LARGEST_SEQ = 2**63 - 1
EXAMPLE = """retry: 2000

id: 41
data: {"type": "user_message", "content": "Where is order 1042?", "seq": 41, "thread_id": "shop-4711"}

data: {"type": "token", "content": "It is on", "offset": 0, "agent": "order_lookup", "thread_id": "shop-4711"}
"""


class StreamQuery(serializers.Serializer[Any]):
    after = serializers.IntegerField(
        min_value=0,
        max_value=LARGEST_SEQ,
        default=0,
        help_text="The `seq` after which to begin. `Last-Event-ID` wins over it.",
    )
    # Called as polyfills of EventSource call it. Described as an id or nothing: nothing must not be an id, too.
    lastEventId = serializers.RegexField(
        "^[0-9]{1,18}$",
        required=False,
        allow_blank=True,
        help_text="The same as the header `Last-Event-ID`, for readers that cannot send one.",
    )


class StreamView(ApiView):
    needs: ClassVar = {"GET": READ}
    problems: ClassVar = {"GET": (TooManyStreams, NoRoom)}
    authentication_classes = AUTHENTICATION
    permission_classes = [MayCallOrOwn]
    content_negotiation_class = JsonWhateverAsked

    @extend_schema(
        operation_id="stream_open",
        summary="A conversation as server-sent events",
        description=(
            "The frames of the chat socket, one in each event's `data`: those behind `after`, what is being written, "
            "then `resumed`, and from then on whatever happens. A frame that reports an event has its `seq` as the "
            "event's `id`; come back with it as `Last-Event-ID` and nothing is lost or told twice. The answer ends "
            "after a while (15 minutes), or when it may not be read any more: open it again. With a customer's own "
            "token, their own threads."
        ),
        tags=["Conversations"],
        parameters=[
            THREAD,
            StreamQuery,
            OpenApiParameter(
                LAST_EVENT_ID,
                str,
                OpenApiParameter.HEADER,
                pattern=ID,
                description="The last `id` you had; empty: none.",
            ),
        ],
        responses={
            (200, "text/event-stream"): OpenApiResponse(
                OpenApiTypes.STR,
                description="Events without an end.",
                examples=[OpenApiExample("A message, and the beginning of the answer", value=EXAMPLE)],
            )
        },
    )
    def get(self, request: Request, thread_id: str) -> HttpResponse:
        after = _position(request)
        caller, may_until = _caller(request)
        row = reads.conversation(checked_thread_id(thread_id))
        if caller.kind == "customer" and not limits.allows_now(limits.RESUMES, caller.id):
            raise Throttled(limits.WINDOW_SECONDS, "Too many streams were opened.")
        answer = HttpResponse(f"retry: {streaming.RETRY_MS}\n\n", content_type="text/event-stream")
        # A proxy that keeps what it gets until there is more would hold every word back.
        answer.headers["Cache-Control"] = "no-cache, no-store"
        answer.headers["X-Accel-Buffering"] = "no"
        scope = getattr(request._request, "scope", None)
        if scope is not None and request.method == "GET":
            scope[streaming.SCOPE] = enter(
                conversation_id=row.pk,
                thread_id=row.thread_id,
                after=min(after, row.last_seq),
                caller=caller,
                may_until=may_until,
            )
        return answer


def _position(request: Request) -> int:
    """Raises ValidationError (400)."""
    query = read_query(StreamQuery, request)
    last = request.headers.get(LAST_EVENT_ID, "").strip() or query.get("lastEventId", "")
    if not last:
        return int(query["after"])
    if not re.fullmatch(ID, last):
        raise ValidationError({LAST_EVENT_ID: ["Must be an id of this stream."]})
    return int(last)


def _caller(request: Request) -> tuple[Caller, float | None]:
    """Who reads, and until when their credential is good (`time.time`)."""
    who: Any = request.user
    if isinstance(who, Integrator):
        ends = who.key.expires_at
        return Caller("key", str(who.key.pk)), ends.timestamp() if ends else None
    if isinstance(who, TokenHolder):
        token = get_authorization_header(request).decode("latin-1").partition(" ")[2].strip()
        claims = jwt.decode(token, options={"verify_signature": False})  # which was verified to get here
        return Caller("customer", str(who.customer_id)), float(claims.get("exp", time.time()))
    session = request._request.session.session_key or ""
    return Caller("user", str(who.pk), session, READ.permission), None
