"""Which API keys belong together: what took whose place, which key made which, and who made them.

A replaced key is the same integrator as before, and nobody becomes another one by making a key. So a key's parent is
what it replaces, or else the key that made it; a line is followed to its beginning, however long it is. It has no
circles, as a key comes after its parent.
"""

from collections.abc import Collection
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models.expressions import RawSQL

_KEYS = """
keys AS NOT MATERIALIZED (
    SELECT id, created_by, replaces_id, COALESCE(
        replaces_id, CASE WHEN created_by LIKE 'key:%%' THEN substr(created_by, 5)::uuid END) AS parent
    FROM chat_apikey
)
"""
_LINE = f"""
(WITH RECURSIVE {_KEYS}, line(id, created_by, parent, depth) AS (
    SELECT k.id, k.created_by, k.parent, 0 FROM keys k WHERE k.id = chat_apikey.id
    UNION ALL
    SELECT k.id, k.created_by, k.parent, depth + 1 FROM keys k JOIN line ON k.id = line.parent
) SELECT array_prepend('key:' || (SELECT id FROM line ORDER BY depth DESC LIMIT 1),
                       (SELECT array_agg(DISTINCT created_by::text) FROM line WHERE created_by LIKE 'user:%%')))
"""  # noqa: S608 - our own text
_BEGINNINGS = f"""
WITH RECURSIVE {_KEYS}, line(id, parent) AS (
    SELECT id, parent FROM keys WHERE created_by = ANY(%s)
    UNION
    SELECT k.id, k.parent FROM keys k JOIN line ON k.id = line.parent
) SELECT line.id FROM line LEFT JOIN chat_apikey p ON p.id = line.parent WHERE p.id IS NULL
"""  # noqa: S608 - our own text
_MADE = f"""
WITH RECURSIVE {_KEYS}, before(id, replaces_id) AS (
    SELECT id, replaces_id FROM keys WHERE id = %s
    UNION
    SELECT k.id, k.replaces_id FROM keys k JOIN before ON k.id = before.replaces_id
), made(id) AS (
    SELECT k.id FROM keys k JOIN before ON k.parent = before.id WHERE k.replaces_id IS NULL
    UNION
    SELECT k.id FROM keys k JOIN made ON k.parent = made.id
) SELECT id FROM made
"""  # noqa: S608 - our own text


def line() -> RawSQL:
    """An annotation of ApiKey rows: `key:<id>` of the first key of the line that a row ends, which is its decider's id,
    and then the people (`user:<id>`) who made any key of it."""
    return RawSQL(_LINE, (), output_field=ArrayField(models.TextField()))  # noqa: S611 - our own text


def beginnings(makers: Collection[str]) -> set[str]:
    """`key:<id>` of the first keys of all lines in which one of these people (`user:<id>`) made a key: what is asked
    for with them is asked for under that id. One statement."""
    if not makers:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_BEGINNINGS, [list(makers)])
        return {f"key:{found}" for (found,) in cursor.fetchall()}


def made_by(key_id: UUID) -> list[UUID]:
    """The keys that this one made, and all that came of those; those of keys whose place it took, too. What took its
    own place is not among them: that is the same integrator. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_MADE, [key_id])
        return [found for (found,) in cursor.fetchall()]
