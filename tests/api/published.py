"""The published OpenAPI document, made as `manage.py spectacular` makes it, any warning a failure."""

import io
import warnings
from functools import cache
from typing import Any

from django.core.management import call_command
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

METHODS = ("get", "post", "put", "patch", "delete")
Operation = dict[str, Any]


@cache
def document() -> dict[str, Any]:
    out = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call_command("spectacular", validate=True, fail_on_warn=True, stdout=out)
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(out.getvalue())
    return loaded


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
