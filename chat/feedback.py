"""What customers thought: whether their question was solved, a score, a comment. Given in the chat, asked for or not.

The whole standing answer is in the newest `feedback_given` event; `Conversation.solved` and `score` repeat it, written
in the same transaction. It is no activity: nobody has said anything, so no turn starts, an expired conversation stays
expired and a resolved one resolved. It is in no list of kinds that a prompt, a summary or a webhook is made of.

`chat.feedback_asking` asks. `Conversation.unasked` is what both keep to: whether anybody wrote since the customer was
asked, or answered without being asked.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from agents import facts
from chat import events, limits
from chat.frames import Frame, Shown, of_event
from chat.models import Conversation, Event
from chat.submission import RateLimited
from smartsupport.lib.errors import ServiceError, ThreadNotFound
from smartsupport.lib.text import storable

log = structlog.get_logger(__name__)

KIND = "feedback_given"
SCORES = range(1, 6)
COMMENT_LIMIT = 1_000
LIMIT = limits.Limit("feedback", "FEEDBACK_PER_MINUTE")
"""By customer."""


class InvalidFeedback(ServiceError):
    code, status, message = "invalid_feedback", 400, "Invalid feedback"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a customer said: None and "" where they said nothing."""

    solved: bool | None = None
    score: int | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """An answer in the conversation's log. `repeated`: it stood there already, and nothing was written."""

    conversation_id: UUID
    thread_id: str
    seq: int
    answer: Answer
    repeated: bool
    frames: tuple[Frame, ...] = ()


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Of a frame or a body what belongs to an answer: `solved` true or false, `score` a whole number from 1 to 5,
    `comment` at most 1,000 characters. At least one of them is there. Raises InvalidFeedback.
    """
    said: dict[str, Any] = {name: fields[name] for name in ("solved", "score", "comment") if name in fields}
    if not said:
        raise InvalidFeedback()
    score, comment = said.get("score", 1), said.get("comment", "")
    if not isinstance(said.get("solved", True), bool):
        raise InvalidFeedback()
    if isinstance(score, bool) or not isinstance(score, int) or score not in SCORES:
        raise InvalidFeedback()
    if not isinstance(comment, str) or len(comment) > COMMENT_LIMIT:
        raise InvalidFeedback()
    if "comment" in said:
        said["comment"] = storable(comment.strip())
    return said


@transaction.atomic
def give(*, thread_id: str, said: Mapping[str, Any], customer_id: UUID | None = None) -> Given:
    """Record what a customer said, as `checked` has it; what they said before and leave out now stays as it is.

    `customer_id`: whose conversation it has to be; None is an integrator. Raises ThreadNotFound, InvalidFeedback.
    """
    # The row's lock makes look and write one step, and keeps the time of the last activity from moving meanwhile.
    rows = Conversation.objects.select_for_update(no_key=True).filter(thread_id=thread_id)
    conversation = (rows if customer_id is None else rows.filter(customer_id=customer_id)).first()
    if conversation is None:
        raise ThreadNotFound()
    known = Event.objects.filter(conversation=conversation, kind=KIND).order_by("-seq").first()
    before = _answer(known) if known else Answer()
    answer = replace(before, **said)
    if known and answer == before:
        return _repeated(conversation, known)
    if answer == Answer():  # a comment without a word in it is no answer
        raise InvalidFeedback()
    batch = events.append(conversation.pk, [facts.feedback_given(**asdict(answer))])
    Conversation.objects.filter(pk=conversation.pk).update(
        solved=answer.solved,
        score=answer.score,
        unasked=False,
        last_activity_at=conversation.last_activity_at,
    )
    log.info("feedback_given", conversation_id=str(conversation.pk), solved=answer.solved, score=answer.score)
    return Given(conversation.pk, thread_id, batch.first, answer, False, tuple(batch.frames))


def _answer(event: Event) -> Answer:
    payload = event.payload
    return Answer(payload.get("solved"), payload.get("score"), payload.get("comment", ""))


def _repeated(conversation: Conversation, known: Event) -> Given:
    place = Shown(conversation.thread_id, known.seq, known.kind, None, "", known.payload, known.created_at)
    found = Given(conversation.pk, conversation.thread_id, known.seq, _answer(known), True)
    return replace(found, frames=tuple(of_event(place)))


async def allow(customer_id: UUID) -> None:
    """Raises RateLimited for a customer who says too much of it."""
    if not await limits.allows(LIMIT, customer_id):
        raise RateLimited()


def allow_now(customer_id: UUID) -> None:
    """The same, for code that has no event loop."""
    if not limits.allows_now(LIMIT, customer_id):
        raise RateLimited()
