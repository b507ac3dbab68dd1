"""What is wrong with a document as a whole, found in one walk. It advises: nothing is left out because of it.

The official schemas with a fast validator (jsonschema-rs) were measured instead: importing it costs 50 to 120 ms and
15 MB in a process that reads GitHub's 1,000 operations in 0.2 s; its sentences name keywords of the schema instead of
what to do; and it knows nothing of references that point to nothing, which are what hurts.
"""

from typing import Any

from openapi_import.errors import SpecInvalid
from openapi_import.reading.faults import Faults
from openapi_import.reading.references import target
from openapi_import.reading.text import Document, escaped

TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null", "file"})
_DATA = frozenset({"example", "examples", "default", "enum", "const"})
# The keys of these are names that the document chose; what is under them is schemas.
_SCHEMAS = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "schemas"}
)
_NAMED = _SCHEMAS | frozenset(
    "responses parameters requestBodies headers securitySchemes securityDefinitions links callbacks pathItems "
    "paths webhooks content encoding mediaTypes".split()
)
_SUBSCHEMA = frozenset(
    "schema items additionalProperties not if then else contains propertyNames itemSchema".split()
)
_SUBSCHEMAS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NODE, _SCHEMA, _NAMES, _SCHEMA_NAMES = range(4)


def advise(document: Document, dialect: str, faults: Faults) -> None:
    """Add the faults of a document: what is missing at its top, references that point to nothing, and schemas that
    cannot mean anything."""
    _top(document, dialect, faults)
    _Walk(document, faults).run()


def _top(document: Document, dialect: str, faults: Faults) -> None:
    info = document.get("info")
    if not isinstance(info, dict):
        faults.warning("/info", "The document does not say what API it describes.")
    else:
        for key in ("title", "version"):
            if not isinstance(info.get(key), str):
                faults.warning(f"/info/{key}", f"The API's {key} is missing or is not text.")
    for key, kind, name in (
        ("servers", list, "a list"),
        ("tags", list, "a list"),
        ("components", dict, "an object"),
        ("definitions", dict, "an object"),
    ):
        if key in document and not isinstance(document[key], kind):
            faults.error(f"/{key}", f"Here should be {name}.")
    shapes: dict[str, str] = {}
    paths = document.get("paths")
    for path in paths if isinstance(paths, dict) else ():
        shape = "/".join("{}" if step[:1] == "{" and step[-1:] == "}" else step for step in path.split("/"))
        if "{}" in shape and shapes.setdefault(shape, path) != path:
            faults.warning(
                f"/paths/{escaped(path)}", f"The path differs from {shapes[shape][:200]} in names only."
            )


class _Walk:
    def __init__(self, document: Document, faults: Faults) -> None:
        self.document = document
        self.faults = faults
        self.good: set[str] = set()

    def run(self) -> None:
        waiting: list[tuple[Any, str, int]] = [(self.document, "", _NODE)]
        seen: set[int] = set()
        while waiting:
            value, pointer, what = waiting.pop()
            if id(value) in seen:
                continue
            seen.add(id(value))
            if type(value) is list:
                for index, item in enumerate(value):
                    if type(item) is dict or type(item) is list:
                        waiting.append((item, f"{pointer}/{index}", what))
                continue
            if "$ref" in value and type(value["$ref"]) is str:
                self.reference(value["$ref"], pointer)
            if what == _SCHEMA:
                self.schema(value, pointer)
            named = what in (_NAMES, _SCHEMA_NAMES)
            for key, child in value.items():
                if type(child) is not dict and type(child) is not list:
                    continue
                if named:
                    below = _SCHEMA if what == _SCHEMA_NAMES else _NODE
                elif key in _DATA or key[:2] == "x-":
                    continue
                elif key in _SUBSCHEMA or key in _SUBSCHEMAS:
                    below = _SCHEMA
                elif key in _NAMED and type(child) is dict:
                    below = _SCHEMA_NAMES if key in _SCHEMAS else _NAMES
                else:
                    below = _NODE
                step = key if "/" not in key and "~" not in key else escaped(key)
                waiting.append((child, f"{pointer}/{step}", below))

    def reference(self, reference: str, pointer: str) -> None:
        if reference in self.good:
            return
        try:
            target(self.document, reference)
        except SpecInvalid as error:
            self.faults.error(f"{pointer}/$ref", error.message)
        else:
            self.good.add(reference)

    def schema(self, schema: dict[str, Any], pointer: str) -> None:
        declared = schema.get("type")
        if declared is not None and not (type(declared) is str and declared in TYPES):
            names = declared if isinstance(declared, list) else [declared]
            if not all(isinstance(name, str) and name in TYPES for name in names):
                self.faults.warning(
                    f"{pointer}/type", f"There is no type {str(declared)[:50]!r}; any value is taken."
                )
        for key, kind, name in (
            ("properties", dict, "an object"),
            ("required", list, "a list"),
            ("enum", list, "a list"),
        ):
            if key in schema and not isinstance(schema[key], kind):
                self.faults.warning(f"{pointer}/{key}", f"Here should be {name}; it was ignored.")
