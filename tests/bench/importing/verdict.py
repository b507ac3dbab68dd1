"""Is a tool usable? Each operation of a document is one of: usable, missing, or faulty with a reason."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs

from tests.bench.importing.sampler import sample
from tests.bench.importing.spec_schemas import Dangling, without_patterns
from tests.bench.importing.spec_server import Sent, SpecServer

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
META = jsonschema_rs.Draft202012Validator({"$ref": "https://json-schema.org/draft/2020-12/schema"})


@dataclass(frozen=True)
class Candidate:
    """A tool as a product offers it. `request`: makes what it would send of these arguments."""

    method: str
    path: str
    name: str
    schema: dict[str, Any]
    request: Callable[[dict[str, Any]], Sent] = field(repr=False)
    placeholders: Callable[[str], bool] = lambda name: True  # whether it fills this one in
    proofs: frozenset[tuple[str, str]] = (
        frozenset()
    )  # (place, lower-case name) of what its stored credentials send


@dataclass
class Verdict:
    operations: int = 0
    usable: int = 0
    not_judged: int = 0  # usable as far as it goes, but no sample instance could be made
    full_refused: int = 0  # usable, but the instance with every optional part was refused
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    full_examples: list[str] = field(default_factory=list)


def judge(document: dict[str, Any], tools: list[Candidate]) -> Verdict:
    """Every operation of the document against the tools that were made of it."""
    server = SpecServer(document)
    verdict = Verdict()
    names = Counter(tool.name for tool in tools)
    by_operation = {(tool.method, tool.path): tool for tool in tools}
    for method, path in server.operations():
        verdict.operations += 1
        tool = by_operation.get((method, path))
        fault = "no tool" if tool is None else _static(server, tool, names[tool.name]) or _live(server, tool)
        if fault in ("", "not judged") or fault.startswith("full"):
            verdict.usable += 1
            verdict.not_judged += fault == "not judged"
            verdict.full_refused += fault.startswith("full")
            if fault.startswith("full") and len(verdict.full_examples) < 5:
                verdict.full_examples.append(f"{method} {path}: {fault}")
            continue
        verdict.reasons[fault.partition(":")[0][:60]] += 1
        if len(verdict.examples) < 5:
            verdict.examples.append(f"{method} {path}: {fault}")
    return verdict


def _static(server: SpecServer, tool: Candidate, times: int) -> str:
    if not NAME.fullmatch(tool.name):
        return "illegal name"
    if times > 1:
        return "name used twice"
    if not META.is_valid(tool.schema):
        return "schema breaks its meta-schema"
    if tool.schema.get("type") != "object":
        return "schema is no object"
    try:
        _validator(tool.schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        return f"schema is not self-contained: {error}"
    for name in re.findall(r"\{([^{}]+)\}", tool.path):
        if not tool.placeholders(name):
            return "a path parameter is missing"
    return ""


def _validator(schema: dict[str, Any]) -> Any:
    """Patterns that are fine for JavaScript may be too large for Rust's engine; they are not checked then."""
    try:
        return jsonschema_rs.Draft202012Validator(schema)
    except (jsonschema_rs.ValidationError, ValueError):
        return jsonschema_rs.Draft202012Validator(without_patterns(schema))


def _live(server: SpecServer, tool: Candidate) -> str:
    """Whether the server takes the request of the least instance and of a full one."""
    validator = _validator(tool.schema)
    judged = False
    for full in (False, True):
        try:
            arguments = sample(tool.schema, full=full)
        except (TypeError, ValueError, KeyError, RecursionError):
            continue
        if not isinstance(arguments, dict) or not validator.is_valid(arguments):
            continue
        judged = True
        try:
            sent = tool.request(arguments)
        except Exception as error:  # whatever it is, the tool makes no request
            return f"{'full: ' if full else ''}no request ({type(error).__name__}): {str(error)[:200]}"
        try:
            refusals = server.refusals(tool.method, tool.path, sent, tool.proofs)
        except (Dangling, jsonschema_rs.ValidationError, RecursionError):
            return "not judged"  # the document itself points to nothing here, or to what is no schema
        if refusals:
            return f"{'full: ' if full else ''}request refused: {refusals[0]}"
    return "" if judged else "not judged"
