"""Which agent an operation belongs to, and which of its arguments say whose data it touches."""

import re
import unicodedata
from collections.abc import Iterable

from openapi_import.judging.endpoint import Endpoint
from openapi_import.judging.vocabulary import CLEAR_WRITING, EITHER, MODIFIERS, READING
from openapi_import.judging.words import LONGEST, levels, segments, words

BINDING = "customer.id"
NO_GROUP = "general"
GROUP_CHARACTERS = 64
NO_TOPIC = frozenset("default api apis rest controller service services resource endpoint endpoints".split())
NO_NOUN = (
    NO_TOPIC
    | frozenset("me my self mine public internal admin private web app rpc json".split())
    | MODIFIERS
    | READING
    | EITHER
    | CLEAR_WRITING
)

_FORMS = ("id", "uuid", "guid", "number", "no", "ref", "key")
_PERSONS = (
    "customer cust shopper buyer consumer guest patient passenger member subscriber policyholder cardholder"
).split()
TIERS: tuple[frozenset[tuple[str, ...]], ...] = (
    frozenset({("customer",), *((person, form) for person in _PERSONS for form in _FORMS)}),
    frozenset(("user", form) for form in ("id", "uuid", "guid")),
    frozenset(("account", form) for form in ("id", "uuid", "guid")),
)
"""Names of arguments that say who the customer is, the most telling first: with a customer id beside it, a user id is
somebody else's, and with a user id beside it an account is the company's. Exact: `target_user_id` is none."""
COLLECTIONS = frozenset((person + "s",) for person in _PERSONS) | {("users",)}
"""Path segments whose placeholder names the customer even where it is called `id`."""
NOT_THEIRS = frozenset(
    "admin administrator staff employee employees internal backoffice operator operators".split()
)
PLACED_ID = re.compile(r"/([^/{}]+)/\{(id|uuid)\}", re.IGNORECASE)


def group_of(endpoint: Endpoint) -> str:
    """A name of letters, digits and `_`, at most 64, from the first telling tag, else the first noun of the path.

    Reads and writes about one noun share a group: who may write is decided per operation, not per agent.
    """
    for tag in endpoint.tags:
        if group := _slug(words(_plain(tag)), NO_TOPIC):
            return group
    for segment in segments(endpoint.path):
        if group := _slug(words(_plain("_".join(segment))), NO_NOUN):
            return group
    for level in levels(_plain(endpoint.operation_id)):
        if group := _slug(level, NO_NOUN):
            return group
    return NO_GROUP


def customer_params_of(endpoint: Endpoint) -> dict[str, str]:
    """{argument: "customer.id"} for arguments that identify the customer and nobody else: a proposal to a reviewer."""
    if any(word in NOT_THEIRS for segment in segments(endpoint.path) for word in segment):
        return {}
    for tier in TIERS:
        found = {name: BINDING for name in endpoint.parameters if _said(name) in tier}
        if tier is TIERS[0] and not found:
            found = _placed(endpoint)
        if found:
            return found
    return {}


def _said(name: str) -> tuple[str, ...]:
    """The words of an argument's name; `X-Customer-Id` says no more than `customer_id`."""
    found = words(name)
    return found[1:] if found[:1] == ("x",) else found


def _placed(endpoint: Endpoint) -> dict[str, str]:
    """`id` in `/customers/{id}/orders`."""
    for collection, name in PLACED_ID.findall(endpoint.path[:LONGEST]):
        if words(collection) in COLLECTIONS and name in endpoint.parameters:
            return {name: BINDING}
    return {}


def _plain(text: str) -> str:
    """Letters without accents where there is such a form: `Réservations` -> `Reservations`."""
    return unicodedata.normalize("NFKD", text[:LONGEST]).encode("ascii", "ignore").decode()


def _slug(found: Iterable[str], without: frozenset[str]) -> str:
    kept = [word for word in found if word not in without and word != "v" and not word.isdigit()]
    return "_".join(kept)[:GROUP_CHARACTERS].strip("_")
