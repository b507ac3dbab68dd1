"""The API's search: of any conversations, those in which something was said, or whose customer, thread or reference
fits; by the expressions and indexes of the console's.

A rare word is found by its index. A word that many lines have is looked for in the newest conversations, one after the
other, where the index would have to read every line that has it. Both find the same.
"""

from typing import Any

from django.db import connection
from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL

from chat.models import Conversation
from chat.search_words import CUSTOMER, LINES, QUERY, SAID, Wanted

NEWEST = 2_000
"""Events that are looked through to see whether a word is common."""
ENOUGH = 5
"""Lines among those from which on it is."""

_ASKED = f"""
WITH word AS MATERIALIZED (SELECT {QUERY} AS asked), newest AS MATERIALIZED ({LINES}
      AND id > (SELECT coalesce(max(id), 0) - {NEWEST} FROM chat_event)
)
SELECT asked::text, (
    SELECT count(*) FROM (SELECT FROM newest WHERE to_tsvector('simple', said) @@ asked LIMIT {ENOUGH}) AS fitting)
FROM word
"""  # noqa: S608 - our own text
_SPOKEN = f"SELECT conversation_id FROM ({LINES} AND to_tsvector('simple', {SAID}) @@ %s::tsquery) AS lines"  # noqa: S608
# OFFSET 0 keeps the index of words out: it would be read as a whole for each conversation.
_SPOKEN_IN = f"""
SELECT true FROM ({LINES} AND conversation_id = chat_conversation.id OFFSET 0) AS lines
WHERE to_tsvector('simple', said) @@ %s::tsquery LIMIT 1
"""  # noqa: S608 - our own text
_NAMED = f"""
SELECT conversation.id FROM chat_conversation AS conversation
JOIN (SELECT id FROM chat_customer WHERE {CUSTOMER} @@ %s::tsquery) AS who ON who.id = conversation.customer_id
UNION SELECT id FROM chat_conversation WHERE thread_id LIKE %s
"""  # noqa: S608 - our own text


def with_words(rows: QuerySet[Conversation], typed: str) -> QuerySet[Conversation]:
    """Those of `rows` that fit; none where there is nothing in `typed` to look for. One statement now, two for a
    reference; the rows are for the caller to read, within a bound (`smartsupport.lib.bounded`). Raises OnlyLeftOut."""
    wanted = Wanted.of(typed)
    if wanted is None:
        return rows.none()
    if wanted.only_a_thread():
        return rows.filter(thread_id__startswith=wanted.text)
    with connection.cursor() as cursor:
        cursor.execute(_ASKED, wanted.asked)
        query, among_newest = cursor.fetchone()
    values: list[Any]
    if wanted.reference is not None:
        known = Conversation.objects.filter(wanted.reference).values_list("pk", flat=True)
        named, values = "SELECT unnest(%s::uuid[])", [list(known)]
    else:
        named, values = _NAMED, [query, wanted.thread]
    if among_newest < ENOUGH:
        return rows.filter(pk__in=RawSQL(f"{_SPOKEN} UNION {named}", [query, *values]))  # noqa: S611 - our own text
    said = RawSQL(_SPOKEN_IN, [query], output_field=BooleanField())  # noqa: S611 - our own text
    return rows.filter(Q(said) | Q(pk__in=RawSQL(named, values)))  # noqa: S611 - our own text
