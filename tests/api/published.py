"""The published OpenAPI document, made as `manage.py spectacular` makes it, any warning a failure."""

import io
import json
import warnings
from functools import cache
from typing import Any

from django.core.management import call_command
from jsonschema import Draft202012Validator

METHODS = ("get", "post", "put", "patch", "delete")
Operation = dict[str, Any]


@cache
def document() -> dict[str, Any]:
    """Not validated, which takes ten times as long: tests are named after its operations, so each process makes it.
    One of them validates it."""
    loaded: dict[str, Any] = json.loads(text("openapi-json"))
    return loaded


def text(format: str) -> str:
    """As `openapi` (YAML) or `openapi-json`."""
    out = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call_command("spectacular", format=format, fail_on_warn=True, stdout=out)
    return out.getvalue()


def operations() -> dict[str, Operation]:
    """By operation id; each with its `path` and `method`."""
    return {
        operation["operationId"]: operation | {"path": path, "method": method}
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with a value, by a schema of the document."""
    validator = Draft202012Validator(
        {**schema, "components": document()["components"]},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
