"""An import as a Python module of typed functions, to read and take away. It is never run here.

Everything that comes from a document goes into the syntax tree as a constant and is quoted when the tree is written, so
that no name and no text of a document can become code.
"""

import ast
import builtins
import json
import keyword
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from openapi_import.binding import arguments
from openapi_import.exports.chosen import chosen, clean, module_name
from openapi_import.exports.offered import offered
from openapi_import.models import Classification, ImportJob, SourceKind
from smartsupport.lib.errors import ServiceError

CLIENT = Path(__file__).with_name("python_client.txt")
TYPES = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "array": "list[Any]",
    "object": "dict[str, Any]",
}
DOCUMENTED = 2_000


class NoModule(ServiceError):
    code, status = "no_module", 409
    message = (
        "These are the tools of an MCP server, which no HTTP client can call. Export them as mcp or as yaml."
    )


def python(job: ImportJob) -> str:
    """The module's source: a small client, one function for each selected operation, and what it serves: `TOOLS`,
    {name: function}, `OFFERED`, {name: the tool as JSON}, `RENAMED`, {name: {argument: parameter of another name}}.

    Raises NoModule for the tools of an MCP server."""
    if job.kind == SourceKind.MCP:
        raise NoModule()
    rows = chosen(job)
    client = CLIENT.read_text(encoding="utf-8")
    taken = {
        *dir(builtins),
        *_globals(client),
        "NAME",
        "BASE_URL",
        "VARIABLES",
        "TOOLS",
        "OFFERED",
        "RENAMED",
    }
    names = {row.index: _free(row.name, "operation", taken) for row in rows}
    head = _head(job, rows)
    functions = [ast.unparse(_function(row, names[row.index])) for row in rows]
    listed = {
        "TOOLS": {row.name: names[row.index] for row in rows},
        "OFFERED": {row.name: repr(json.dumps(offered(row))) for row in rows},
        "RENAMED": {row.name: repr(renamed) for row in rows if (renamed := _renamed(row))},
    }
    end = "\n\n".join(f"{name} = {_mapping(entries)}" for name, entries in listed.items())
    served = 'if __name__ == "__main__":\n    serve()\n'
    return "\n\n\n".join([f"{head}\n\n{client.strip()}", *functions, end, served])


def variables(job: ImportJob, rows: Iterable[Classification]) -> list[str]:
    """The environment variables that the module reads: its base address, and one for each security scheme."""
    return [_base_url(job), *_secrets(job, rows).values()]


def _mapping(entries: dict[str, str]) -> str:
    """{name: code} as the source of a dictionary, an entry a line."""
    return "".join(["{\n", *(f"    {name!r}: {code},\n" for name, code in entries.items()), "}"])


def _renamed(row: Classification) -> dict[str, str]:
    return {argument: name for argument, name in _parameters(row).items() if argument != name}


def _parameters(row: Classification) -> dict[str, str]:
    """{argument: the parameter of the function that takes it}."""
    taken = {"send"}  # what the function itself calls
    return {
        argument: _free(argument, "argument", taken)
        for argument in arguments(row.tool.get("input_schema", {}))
    }


def _head(job: ImportJob, rows: list[Classification]) -> str:
    title = clean(job.title or job.name)
    secrets = _secrets(job, rows)
    told = "\n".join(f"    {variable}: {clean(scheme)}" for scheme, variable in secrets.items())
    docstring = (
        f"{title} {clean(job.version)}".strip()
        + f"\n\nFunctions for the {len(rows)} operations that were chosen. Needs the package httpx. Secrets are read "
        f"from the environment:\n{told or '    (none)'}\n{_base_url(job)} replaces the address of the API.\n"
    )
    body: list[ast.stmt] = [ast.Expr(ast.Constant(docstring))]
    constants = {"NAME": module_name(job), "BASE_URL": _base_url(job), "VARIABLES": secrets}
    for name, value in constants.items():
        body.append(ast.Assign([ast.Name(name, ast.Store())], _literal(value)))
    return ast.unparse(ast.fix_missing_locations(ast.Module(body, [])))


def _function(row: Classification, name: str) -> ast.Module:
    schemas = arguments(row.tool.get("input_schema", {}))
    required = set(row.tool.get("input_schema", {}).get("required", []))
    names = _parameters(row)
    ordered = sorted(schemas, key=lambda argument: argument not in required)
    recipe = {
        "method": row.method,
        "server_url": row.tool.get("server_url", ""),
        "path": row.path,
        "parameters": row.tool.get("parameters", []),
        "request_body": row.tool.get("request_body"),
        "security": [
            {scheme: {key: one[key] for key in ("kind", "in", "name", "scheme") if key in one}
             for scheme, one in way.items()}
            for way in row.tool.get("security", [])
        ],
    }  # fmt: skip
    values = ast.Dict(
        [ast.Constant(argument) for argument in schemas],
        [ast.Name(names[argument], ast.Load()) for argument in schemas],
    )
    call = ast.Call(ast.Name("send", ast.Load()), [_literal(recipe), values], [])
    function = ast.FunctionDef(
        name=name,
        args=ast.arguments(
            posonlyargs=[],
            args=[],
            kwonlyargs=[
                ast.arg(names[one], _annotation(schemas[one], optional=one not in required))
                for one in ordered
            ],
            kw_defaults=[None if one in required else ast.Constant(None) for one in ordered],
            defaults=[],
        ),
        body=[ast.Expr(ast.Constant(_docstring(row, schemas, names))), ast.Return(call)],
        decorator_list=[],
        returns=ast.Name("Any", ast.Load()),
    )
    return ast.fix_missing_locations(ast.Module([function], []))


def _docstring(row: Classification, schemas: dict[str, Any], names: dict[str, str]) -> str:
    text = clean(row.tool_description).strip()[:DOCUMENTED] or clean(row.title)
    lines = [text, "", clean(f"{row.method} {row.path}")]
    for argument, schema in schemas.items():
        said = schema.get("description", "") if isinstance(schema, dict) else ""
        words = " ".join(clean(said).split())[:300] if isinstance(said, str) else ""
        bound = "The customer's own, from the verified identity. " if argument in row.customer_params else ""
        if bound or words:
            lines.append(f"{names[argument]}: {bound}{words}".rstrip())
    return "\n".join("\n".join(lines).splitlines()).replace("\n", "\n    ") + "\n    "


def _annotation(schema: Any, *, optional: bool) -> ast.expr:
    kind = schema.get("type") if isinstance(schema, dict) else None
    name = TYPES.get(kind, "Any") if isinstance(kind, str) else "Any"
    return ast.parse(f"{name} | None" if optional and name != "Any" else name, mode="eval").body


def _literal(value: Any) -> ast.expr:
    """A JSON value as an expression."""
    if isinstance(value, dict):
        return ast.Dict(
            [ast.Constant(str(key)) for key in value], [_literal(item) for item in value.values()]
        )
    if isinstance(value, list | tuple):
        return ast.List([_literal(item) for item in value], ast.Load())
    return ast.Constant(value)


def _free(text: str, otherwise: str, taken: set[str]) -> str:
    """An identifier like `text` that nothing in `taken` is; it is taken then."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", text).strip("_") or otherwise
    plain = plain if not plain[0].isdigit() else f"{otherwise}_{plain}"
    plain = f"{plain}_" if keyword.iskeyword(plain) or keyword.issoftkeyword(plain) else plain
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain}_{number}"
    taken.add(name)
    return name


def _globals(source: str) -> Collection[str]:
    """What the client defines or imports."""
    found: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _base_url(job: ImportJob) -> str:
    return f"{module_name(job).upper()}_BASE_URL"


def _secrets(job: ImportJob, rows: Iterable[Classification]) -> dict[str, str]:
    """{security scheme: environment variable} of the schemes that the operations use."""
    taken = {_base_url(job)}
    schemes = dict.fromkeys(scheme for row in rows for way in row.tool.get("security", []) for scheme in way)
    return {scheme: _free(f"{module_name(job)}_{scheme}".upper(), "SECRET", taken) for scheme in schemes}
