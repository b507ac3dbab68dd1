"""What the reader built of each operation, with what the rules judge, as rows in batches."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import connection

from agents.mcp_tools import METHOD as MCP
from openapi_import import binding
from openapi_import.holding import Held
from openapi_import.judging import rules
from openapi_import.judging.endpoint import Endpoint, Judgement
from openapi_import.judging.raising import Opinion, raised
from openapi_import.models import Classification
from openapi_import.storable import storable
from smartsupport.lib.text import readable

BATCH = 200


class Rows:
    """The classifications of one reading. `total`: how many there are; `usable`: how many of them can be tools."""

    def __init__(self, held: Held, job_id: uuid.UUID) -> None:
        self._held = held
        self._job_id = job_id
        self._batch: list[Classification] = []
        self.total = 0
        self.usable = 0
        self.opinions: Mapping[str, Opinion] = {}
        """{operation id: what somebody else says against it}"""

    def add(self, built: dict[str, Any]) -> None:
        """Take one operation, in the shape of `reading.build.Built.as_json`. Raises LeaseLost when a batch is written
        and the job is not ours any more."""
        row = _row(self._job_id, self.total, storable(built))
        if against := self.opinions.get(built["operation_id"]):
            take(row, raised(judgement(row), against, who="The server"), "rules")
        self._batch.append(row)
        self.total += 1
        self.usable += not built["unusable"]
        if len(self._batch) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what waits. Raises LeaseLost, and has then written nothing."""
        batch, self._batch = self._batch, []
        if batch:
            with self._held.writing(classified_count=self.total, usable_count=self.usable):
                _copy_in(batch)


def _copy_in(rows: list[Classification]) -> None:
    """Insert by COPY: with `bulk_create`, escaping the tools' JSON takes longer than all the rest."""
    fields = [field for field in Classification._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    table = connection.ops.quote_name(Classification._meta.db_table)
    statement = f"COPY {table} ({columns}) FROM STDIN"
    # Postgres answers at the end of the copy, where Django does not look after its errors by itself.
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(
                [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields]
            )


def endpoint(row: Classification) -> Endpoint:
    """What is judged of an operation."""
    schema = row.tool.get("input_schema", {})
    scopes = {scope for way in row.tool.get("security", []) for needed in way.values() for scope in needed}
    # A tool of an MCP server is no HTTP operation: its name is all that there is.
    has_method = row.method != MCP
    return Endpoint(
        method=row.method if has_method else "",
        path=row.path if has_method else "",
        operation_id=row.operation_id,
        summary=row.summary,
        description=row.description,
        tags=tuple(str(tag) for tag in row.tags),
        parameters=tuple(schema.get("properties", {})),
        scopes=tuple(sorted(scopes)),
        deprecated=row.deprecated,
    )


def judgement(row: Classification) -> Judgement:
    """What stands on a row."""
    return Judgement(
        access=row.access_type,  # type: ignore[arg-type]  # choices of the model
        uncertain=row.uncertain,
        risk=row.risk,  # type: ignore[arg-type]
        approval=row.approval,  # type: ignore[arg-type]
        agent_group=row.agent_group,
        customer_params=row.customer_params,
        confidence=row.confidence,
        reason=row.reason,
    )


def judged_fields(judgement: Judgement) -> dict[str, Any]:
    """The fields of a row that a judgement decides."""
    return {
        "access_type": judgement.access,
        "risk": judgement.risk,
        "approval": judgement.approval,
        "agent_group": judgement.agent_group[:64],
        "customer_params": dict(judgement.customer_params),
        "confidence": judgement.confidence,
        "uncertain": judgement.uncertain,
        "reason": judgement.reason[:1000],
    }


def take(row: Classification, judgement: Judgement, by: str) -> None:
    """Put a judgement on a row that is not saved yet, and keep it as what was judged."""
    fields = judged_fields(judgement)
    fields["customer_params"] = binding.with_namesakes(fields["customer_params"], row.tool)
    for name, value in fields.items():
        setattr(row, name, value)
    row.judged = {name: value for name, value in fields.items() if name != "uncertain"}
    row.judged_by = by


def _row(job_id: uuid.UUID, index: int, built: dict[str, Any]) -> Classification:
    row = Classification(
        job_id=job_id,
        index=index,
        operation_id=built["operation_id"][:500],
        method=built["method"],
        path=built["path"][:2000],
        pointer=built["pointer"][:2200],
        summary=readable(built["summary"])[:500],
        description=readable(built["description"]),
        tags=[readable(tag) for tag in built["tags"]],
        deprecated=built["deprecated"],
        tool=built["tool"],
        losses=built["losses"],
        unusable=built["unusable"][:500],
        name=built["name"],
        title=readable(built["title"])[:120] or built["name"],
        tool_description=readable(built["tool_description"]),
        selected=not built["unusable"],
    )
    take(row, rules.judge(endpoint(row)), "rules")
    return row
