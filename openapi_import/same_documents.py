"""Of which operations the document says what their tools have already: asked of the database, which has both, so that
only what differs is loaded and looked at field by field.

Whatever it calls different may turn out to be the same: it compares values, not what they mean.
"""

from collections.abc import Collection, Iterable
from typing import Any, Protocol
from uuid import UUID

from django.db import connection

from agents.models import Tool
from openapi_import.many_rows import among
from openapi_import.models import Classification
from smartsupport.lib import own_headers

DOCUMENT = ("parameters", "request_body", "input_schema", "security", "response")
"""Fields of a tool that may be large."""
READ = """CROSS JOIN LATERAL jsonb_to_record(row.tool) AS read(
    server_url text, parameters jsonb, request_body jsonb, input_schema jsonb, security jsonb, response jsonb
)"""
"""The document's part of `row`, taken apart once."""


def person_headers(job_id: UUID) -> list[str]:
    """The names of headers, among the arguments of a job's operations, that say whose request it is: hidden from the
    model like what is bound (`binding.nobodys`)."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT one ->> 'name' FROM {Classification._meta.db_table} AS row, "  # noqa: S608
            """jsonb_path_query(row.tool, '$.parameters[*] ? (@.in == "header")') AS one WHERE row.job_id = %s""",
            [job_id],
        )
        return [name for (name,) in cursor.fetchall() if own_headers.names_person(name)]


def seen_by_model(bound: str) -> str:
    """SQL for `binding.seen_by_model` of `read`, less the pruning of `$defs`, which no reader leaves. bound: the column
    with {argument: binding}. It takes one parameter, `person_headers`, by the name of `hidden`."""
    names = f"""ARRAY(
        SELECT jsonb_object_keys({bound}) UNION ALL
        SELECT one ->> 'argument' FROM jsonb_array_elements(
            CASE WHEN %(hidden)s::text[] = '{{}}' THEN '[]' ELSE coalesce(read.parameters, '[]') END
        ) AS one WHERE one ->> 'in' = 'header' AND one ->> 'name' = ANY (%(hidden)s::text[])
    )"""  # noqa: S608  # a column of ours
    return f"""(SELECT (coalesce(read.input_schema, '{{}}') - 'required') || jsonb_build_object(
        'properties', coalesce(read.input_schema -> 'properties', '{{}}') - hidden.names
    ) || CASE
        WHEN coalesce(read.input_schema -> 'required', '[]') - hidden.names = '[]' THEN '{{}}'
        ELSE jsonb_build_object('required', (read.input_schema -> 'required') - hidden.names)
    END FROM (SELECT {names} AS names OFFSET 0) AS hidden)"""  # noqa: S608


# Each pair is looked up by its keys (LATERAL, LIMIT): right after an import the planner has no statistics, and would
# read all tools for each batch.
_DIFFERING = f"""
SELECT row.id FROM unnest(%(rows)s::bigint[], %(tools)s::uuid[]) AS pair(row_id, tool_id)
CROSS JOIN LATERAL (SELECT * FROM {Classification._meta.db_table} WHERE id = pair.row_id LIMIT 1) AS row
CROSS JOIN LATERAL (SELECT * FROM {Tool._meta.db_table} WHERE id = pair.tool_id LIMIT 1) AS tool
{READ}
WHERE NOT (
    tool.operation_id = row.operation_id AND tool.method = row.method AND tool.path = row.path
    AND tool.server_url = coalesce(read.server_url, '')
    AND tool.parameters = coalesce(read.parameters, '[]')
    AND tool.request_body IS NOT DISTINCT FROM read.request_body
    AND tool.security = coalesce(read.security, '[]')
    AND tool.response = coalesce(read.response, '{{}}')
    AND CASE
        WHEN tool.bound = '{{}}' AND %(hidden)s::text[] = '{{}}' THEN tool.input_schema = read.input_schema
        ELSE tool.input_schema = {seen_by_model("tool.bound")} AND jsonb_exists_all(
            coalesce(read.input_schema -> 'properties', '{{}}'), ARRAY(SELECT jsonb_object_keys(tool.bound))
        )
    END IS TRUE
)"""  # noqa: S608  # tables and columns of ours and nothing else


def differing(pairs: Iterable[tuple[int, UUID]], hidden: Collection[str]) -> set[int]:
    """Of (a row's primary key, its tool's): the rows that `meaning.differences` may find anything about. All others
    have the same method, path, server, arguments, security and answers as the tool, bound arguments included. hidden:
    `person_headers` of the rows' job."""
    pairs = list(pairs)
    if not pairs:
        return set()
    ids: dict[str, list[Any]] = {
        "rows": [row for row, _ in pairs],
        "tools": [tool for _, tool in pairs],
        "hidden": list(hidden),
    }
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERING, ids)
        return {pk for (pk,) in cursor.fetchall()}


class Row(Protocol):
    tool: Any

    @property
    def pk(self) -> int: ...


class Identified(Protocol):
    @property
    def pk(self) -> UUID: ...


def load_documents(rows: Collection[Row], tools: Iterable[Identified] = ()) -> None:
    """Put on these rows and tools, loaded without, what of a document they have."""
    if not rows:
        return
    of_rows = {row.pk: row for row in rows}
    found = Classification.objects.filter(pk__in=among(of_rows, "bigint")).values_list("pk", "tool")
    for pk, document in found.iterator():
        of_rows[pk].tool = document
    of_tools = {tool.pk: tool for tool in tools}
    stored = Tool.objects.filter(pk__in=among(of_tools, "uuid")).values_list("pk", *DOCUMENT)
    for pk, *values in stored.iterator():
        for name, value in zip(DOCUMENT, values, strict=True):
            setattr(of_tools[pk], name, value)


def has_document(row: Classification) -> bool:
    """Whether the row was loaded with what its document says. Of the others it is known that their tool has that."""
    return "tool" in row.__dict__
