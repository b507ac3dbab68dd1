"""Operations become Tool rows, by what a reviewer decided about each, all of them or none."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from agents.models import Access, Approver, Risk, Tool
from openapi_import.errors import SpecInvalid
from openapi_import.models import SpecSource
from openapi_import.reading.operations import Operation
from openapi_import.reading.recipes import Recipe, recipe
from openapi_import.reading.servers import server_url
from openapi_import.reading.text import Document
from smartsupport.lib.ids import canonical_json, digest
from smartsupport.lib.locks import one_at_a_time

BINDINGS = frozenset({"customer.id"})
READING_METHODS = frozenset({"GET", "HEAD"})
DEFINITION = re.compile(r'"\$ref":"#/\$defs/([^"]+)"')


@dataclass(frozen=True)
class Decision:
    """What a reviewer decided about one operation. Empty fields take the safe default: reading for GET and
    HEAD, else writing with staff's approval; the document's own words; nothing bound."""

    name: str = ""
    title: str = ""
    description: str = ""
    access: str = ""
    approval: str = ""
    risk: str = ""
    bound: Mapping[str, str] = field(default_factory=dict)  # {argument: "customer.id"}
    confirmation: str = ""
    repeat_safe: bool = False
    staff_above_argument: str = ""
    staff_above_amount: Decimal | None = None
    approvals_needed: int = 1
    requires: tuple[str, ...] = ()  # names of tools
    read_back: str = ""  # the operation id of a reading operation of the same document


def record_source(*, name: str, url: str, document: Document, title: str) -> tuple[SpecSource, bool]:
    """The source of that name with this document, and whether its document or address is new."""
    with transaction.atomic():
        one_at_a_time("tools publish")
        known = SpecSource.objects.filter(name=name).first()
        fresh = digest(document)
        if known and (known.document_hash, known.url) == (fresh, url):
            return known, False
        source, _ = SpecSource.objects.update_or_create(
            name=name,
            defaults={
                "url": url,
                "title": title[:200],
                "document_hash": fresh,
                "fetched_at": timezone.now(),
            },
        )
        return source, True


@transaction.atomic
def publish(
    source: SpecSource, operations: Iterable[Operation], decisions: Mapping[str, Decision]
) -> list[Tool]:
    """Create or update the tool of each operation, in the operations' order.

    decisions: by operation id. A new operation without one gets the safe defaults. A tool that exists keeps
    what was decided about it, and staff's later edits, unless there is a decision now; and if its method or
    path has changed, it is another operation under the old id and goes back to the safe defaults until
    somebody decides again. A tool keeps its name and whether it is enabled, unless the argument that names
    its customer has gone: then it is disabled. Raises SpecInvalid, and has then changed nothing.
    """
    one_at_a_time("tools publish")
    operations = list(operations)
    known = {
        tool.operation_id: tool
        for tool in Tool.objects.select_for_update().filter(source=source).order_by("name")
    }
    names = set(Tool.objects.values_list("name", flat=True))
    published = []
    for operation in operations:
        try:
            tool = _tool(source, operation, known.get(operation.operation_id), decisions, names)
        except SpecInvalid as error:
            raise SpecInvalid(f"{operation.method} {operation.path}: {error.message}") from None
        names.add(tool.name)
        published.append(tool)
    _read_back({**known, **{tool.operation_id: tool for tool in published}}, decisions)
    return published


def _read_back(tools: Mapping[str, Tool], decisions: Mapping[str, Decision]) -> None:
    """Name the tools that show how things stand, now that all of them are there."""
    for operation_id, decision in decisions.items():
        tool = tools.get(operation_id)
        if tool is None:
            continue
        reading = tools.get(decision.read_back) if decision.read_back else None
        if decision.read_back and (reading is None or reading.access != Access.READ):
            raise SpecInvalid(f"{operation_id}: there is no reading operation {decision.read_back!r}.")
        if tool.read_back_id != (reading.pk if reading else None):
            tool.read_back = reading
            tool.save(update_fields=["read_back", "updated_at"])


def disable_missing(source: SpecSource, operations: Iterable[Operation]) -> list[str]:
    """Disable the tools whose operation is no longer in the document. Returns their names."""
    present = [operation.operation_id for operation in operations]
    with transaction.atomic():
        gone = (
            Tool.objects.select_for_update()
            .filter(source=source, enabled=True)
            .exclude(operation_id__in=present)
        )
        for tool in gone:
            tool.enabled = False
            tool.save(update_fields=["enabled", "updated_at"])
        return [tool.name for tool in gone]


def tool_name(operation_id: str) -> str:
    """A name that every model provider takes: letters, digits, _ and -, at most 64. Where anything had to be
    changed, it ends in a hash that keeps similar ids apart."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", operation_id).strip("_") or "operation"
    if plain == operation_id and len(plain) <= 64:
        return plain
    return f"{plain[:55]}_{digest(operation_id)[:8]}"


def _tool(
    source: SpecSource,
    operation: Operation,
    tool: Tool | None,
    decisions: Mapping[str, Decision],
    names: set[str],
) -> Tool:
    made = recipe(operation)
    decision = decisions.get(operation.operation_id)
    values: dict[str, Any] = {
        "method": operation.method,
        "path": operation.path,
        "server_url": server_url(operation.servers, source.url),
        "parameters": made.parameters,
        "request_body": made.request_body,
    }
    if tool is None:
        values |= {"name": _free_name(operation, decision or Decision(), names)}
        values |= _decided(operation, decision or Decision())
    elif decision is not None:
        values |= _decided(operation, decision) | ({"name": decision.name} if decision.name else {})
    elif (tool.method, tool.path) != (operation.method, operation.path):
        values |= _decided(operation, Decision(title=tool.title)) | {"bound": tool.bound}
    bound = values.get("bound", tool.bound if tool else {})
    missing = [argument for argument in bound if argument not in made.input_schema["properties"]]
    if missing and decision is not None:
        raise SpecInvalid(f"There is no argument {missing[0]!r} to bind.")
    if missing:
        values["enabled"] = False
    values["input_schema"] = _without(made, bound)
    return _save(tool or Tool(source=source, operation_id=operation.operation_id), values)


def _decided(operation: Operation, decision: Decision) -> dict[str, Any]:
    reads = operation.method in READING_METHODS
    access = decision.access or (Access.READ if reads else Access.WRITE)
    unknown = [binding for binding in decision.bound.values() if binding not in BINDINGS]
    if unknown:
        raise SpecInvalid(f"Unknown binding {unknown[0]!r}. Known: {', '.join(sorted(BINDINGS))}.")
    return {
        "title": (decision.title or operation.summary or operation.operation_id)[:120],
        "description": (
            decision.description or operation.description or operation.summary or operation.operation_id
        )[:4000],
        "access": access,
        "approval": decision.approval or (Approver.NONE if access == Access.READ else Approver.STAFF),
        "risk": decision.risk or (Risk.SAFE if access == Access.READ else Risk.DESTRUCTIVE),
        "bound": dict(decision.bound),
        "confirmation": decision.confirmation,
        "repeat_safe": decision.repeat_safe,
        "staff_above_argument": decision.staff_above_argument,
        "staff_above_amount": decision.staff_above_amount,
        "approvals_needed": decision.approvals_needed,
        "requires": list(decision.requires),
    }


def _free_name(operation: Operation, decision: Decision, names: set[str]) -> str:
    name = decision.name or tool_name(operation.operation_id)
    if name not in names:
        return name
    if decision.name:
        raise SpecInvalid(f"There is already a tool named {name!r}.")
    return f"{name[:55]}_{digest([operation.operation_id, *sorted(names)])[:8]}"


def _without(made: Recipe, bound: Mapping[str, str]) -> dict[str, Any]:
    """The schema that the model sees: without bound arguments, and definitions that only they needed."""
    schema = dict(made.input_schema)
    schema["properties"] = {name: part for name, part in schema["properties"].items() if name not in bound}
    required = [name for name in schema.pop("required", []) if name not in bound]
    if required:
        schema["required"] = required
    definitions = schema.pop("$defs", {})
    wanted: dict[str, Any] = {}
    waiting = DEFINITION.findall(canonical_json(schema))
    while waiting:
        name = waiting.pop()
        if name in definitions and name not in wanted:
            wanted[name] = definitions[name]
            waiting += DEFINITION.findall(canonical_json(definitions[name]))
    return {**schema, "$defs": wanted} if wanted else schema


def _save(tool: Tool, values: dict[str, Any]) -> Tool:
    """Write only what differs: an unchanged tool keeps its time of change, and nobody rebuilds anything."""
    if not tool._state.adding and all(getattr(tool, key) == value for key, value in values.items()):
        return tool
    for key, value in values.items():
        setattr(tool, key, value)
    try:
        tool.full_clean(exclude=["source"], validate_unique=False)
    except ValidationError as error:
        raise SpecInvalid(" ".join(error.messages)) from None
    tool.save()
    return tool
