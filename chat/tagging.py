"""Tags: words that staff sort conversations by. A new one is made by being used.

What becomes of a conversation's tags is an event, `tagged`, outside of any turn: as a note it has no frame, is in no
prompt, summary, webhook or customer's history, and is no activity of the conversation.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from uuid import UUID

import structlog
from django.db import transaction

from agents import facts
from agents.approvals import Decider
from chat import events
from chat.models import Conversation, Tag
from smartsupport.lib.errors import ServiceError, ThreadNotFound
from smartsupport.lib.text import storable

log = structlog.get_logger(__name__)

MOST = 10
LONGEST = 40
SUGGESTED = 8
_Link = Conversation.tags.through


class InvalidTag(ServiceError):
    code, status = "invalid_tag", 400
    message = f"A tag has 1 to {LONGEST} characters and no comma."


class TooManyTags(ServiceError):
    code, status = "too_many_tags", 409
    message = f"A conversation has at most {MOST} tags. Remove one first."


def normal(name: object) -> str:
    """A tag as it is kept: small letters, single spaces. Raises InvalidTag."""
    if not isinstance(name, str):
        raise InvalidTag()
    text: str = " ".join(unicodedata.normalize("NFKC", storable(name)).lower().split())
    if not 1 <= len(text) <= LONGEST or "," in text or not text.isprintable():
        raise InvalidTag()
    return text


@transaction.atomic
def add(*, conversation_ids: Iterable[UUID], name: object, by: Decider) -> tuple[int, int]:
    """Give conversations a tag: (how many have it now that did not, how many are full). Those that have it keep it; ids
    that do not exist are left out. Raises InvalidTag. Seven statements at most, however many there are."""
    word = normal(name)
    locked = Conversation.objects.select_for_update(no_key=True).filter(pk__in=list(conversation_ids))
    known = set(locked.order_by("pk").values_list("pk", flat=True))
    if not known:
        return 0, 0
    [tag] = _made([word], by)
    had: dict[UUID, set[UUID]] = {}
    for link in _Link.objects.filter(conversation_id__in=known):
        had.setdefault(link.conversation_id, set()).add(link.tag_id)
    without = [pk for pk in known if tag.pk not in had.get(pk, ())]
    room = [pk for pk in without if len(had.get(pk, ())) < MOST]
    _Link.objects.bulk_create([_Link(conversation_id=pk, tag_id=tag.pk) for pk in room])
    _tell(room, by, added=[word])
    log.info("conversations_tagged", tag=word, count=len(room), by_name=by.name)
    return len(room), len(without) - len(room)


@transaction.atomic
def remove(*, conversation_id: UUID, name: object, by: Decider) -> bool:
    """Take a tag away; whether it was there. Raises InvalidTag."""
    word = normal(name)
    # The row's lock, so that what is told of has become of the tags in this order.
    Conversation.objects.select_for_update(no_key=True).filter(pk=conversation_id).first()
    gone, _ = _Link.objects.filter(conversation_id=conversation_id, tag__name=word).delete()
    if gone:
        _tell([conversation_id], by, removed=[word])
        log.info("conversation_untagged", tag=word, conversation_id=str(conversation_id), by_name=by.name)
    return bool(gone)


@transaction.atomic
def put(*, thread_id: str, names: Sequence[object], by: Decider) -> list[str]:
    """Let a conversation have exactly these tags, at most 10; they come back in order.

    Raises ThreadNotFound, InvalidTag, TooManyTags, with nothing changed.
    """
    words = sorted({normal(name) for name in names})
    if len(words) > MOST:
        raise TooManyTags()
    row = Conversation.objects.select_for_update(no_key=True).filter(thread_id=thread_id).first()
    if row is None:
        raise ThreadNotFound()
    wanted = {tag.pk: tag.name for tag in _made(words, by)}
    had = dict(_Link.objects.filter(conversation=row).values_list("tag_id", "tag__name"))
    removed, added = had.keys() - wanted.keys(), wanted.keys() - had.keys()
    _Link.objects.filter(conversation=row, tag_id__in=removed).delete()
    _Link.objects.bulk_create([_Link(conversation_id=row.pk, tag_id=pk) for pk in added])
    _tell([row.pk], by, added=[wanted[pk] for pk in added], removed=[had[pk] for pk in removed])
    log.info("conversation_tags_put", tags=words, conversation_id=str(row.pk), by_name=by.name)
    return words


def suggestions(begins: str = "", *, but: Iterable[str] = ()) -> list[str]:
    """Tags that begin like this, or else have it in them; without those in `but`."""
    text = " ".join(storable(begins).lower().split())[:LONGEST]
    rows = Tag.objects.exclude(name__in=list(but))
    if not text:
        return list(rows.order_by("name").values_list("name", flat=True)[:SUGGESTED])
    found = list(rows.filter(name__contains=text).order_by("name").values_list("name", flat=True)[:50])
    return sorted(found, key=lambda name: (not name.startswith(text), name))[:SUGGESTED]


def _tell(
    ids: Sequence[UUID], by: Decider, *, added: Sequence[str] = (), removed: Sequence[str] = ()
) -> None:
    """One event in each of these conversations, whose rows this transaction has locked; none where nothing changed."""
    if not ids or not (added or removed):
        return
    events.append_each(
        facts.tagged(added=sorted(added), removed=sorted(removed), by_name=by.name),
        chosen="SELECT id FROM chat_conversation WHERE id = ANY(%(ids)s::uuid[])",
        changes="last_activity_at = c.last_activity_at",
        parameters={"ids": list(ids)},
    )


def _made(words: Sequence[str], by: Decider) -> list[Tag]:
    """The tags of these names; those that nobody has used yet are made. Two who make one at once get the same."""
    fresh = [Tag(name=word, created_by=by.name[:150]) for word in words]
    Tag.objects.bulk_create(fresh, ignore_conflicts=True)
    return list(Tag.objects.filter(name__in=words))
