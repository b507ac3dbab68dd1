"""Whose wish an action is: whoever asked for it is not the one who approves it. The only place that knows.

Somebody asked for it if they called its tool, or wrote for the customer in this turn or in an earlier one: what one
message asks for is often carried out after the next one, a bare "yes". So did they with what they wrote while a person
had the conversation, which belongs to no turn. And what an API key asks for is the wish of everybody who made the key,
or one before it, or the key that made it: they know its text, or have known it.
"""

from collections.abc import Collection

from django.apps import apps
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q

from agents.models import Action

OWN_WISH = "You asked for this yourself. Somebody else has to approve it."
WISH_OF_A_KEY = "An API key that you made asked for this. Somebody else has to approve it."
WISH_OF_THE_MAKER = "Whoever made this key or link asked for this. Somebody else has to approve it."
WISH_OF_A_KEY_BESIDE = "This was asked for by a key of the same maker. Somebody else has to approve it."


def wishes_of(*deciders: str) -> set[str]:
    """The deciders' ids under which these have asked: their own, and those of keys that a person among them made. One
    statement where there is a person."""
    own = {decider for decider in deciders if decider}
    people = {decider for decider in own if decider.startswith("user:")}
    return own | apps.get_model("chat.ApiKey").objects.asked_under(people)


def is_wish_of(*deciders: str) -> ExpressionWrapper:
    """Of rows of actions: whether one of the deciders (their ids), or an API key that one of them made, has asked."""
    return _is_asked_under(wishes_of(*deciders))


def has_asked(action: Action, *deciders: str) -> bool:
    """Whether this action is a wish of one of the deciders (their ids)."""
    known = [decider for decider in deciders if decider]
    return bool(known) and _holds(action, is_wish_of(*known))


def why_not(action: Action, by: str, *answers_for: str) -> str:
    """The same, in words for `by`, who wants to approve it and answers for the others; "" where they may."""
    if not has_asked(action, by, *answers_for):
        return ""
    if _holds(action, _is_asked_under([by])):
        return OWN_WISH
    if by.startswith("user:"):
        return WISH_OF_A_KEY
    # A key, or a link for somebody without an account: who made it is not the one who reads this.
    return WISH_OF_THE_MAKER if _holds(action, _is_asked_under(answers_for)) else WISH_OF_A_KEY_BESIDE


def _holds(action: Action, condition: ExpressionWrapper) -> bool:
    return bool(Action.objects.filter(condition, pk=action.pk).exists())


def _is_asked_under(deciders: Collection[str]) -> ExpressionWrapper:
    known = [decider for decider in deciders if decider]
    turns = apps.get_model("chat.Turn").objects.filter(
        asked_by__in=known,
        conversation=OuterRef("turn__conversation"),
        message_seq__lte=OuterRef("turn__message_seq"),
    )
    apart = apps.get_model("chat.Event").objects.filter(
        turn=None,
        kind="message_received",
        payload__asked_by__in=known,
        conversation=OuterRef("turn__conversation"),
        seq__lte=OuterRef("turn__message_seq"),
    )
    found = Exists(turns) | Exists(apart) if known else Q(pk__in=[])
    return ExpressionWrapper(found, output_field=BooleanField())
