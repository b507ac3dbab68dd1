"""A made-up business with an API of 1,000 operations, as an OpenAPI document: the same bytes every time.

`TABLE` is what it is made from: one line a resource, "area | name | fields | actions | parts". Every resource can be
listed, shown, created, changed and deleted; an action is an operation of its own (`cancel`, `mark as paid`), and so is
listing, adding and removing each of its parts.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Operation = dict[str, Any]

TABLE = Path(__file__).with_name("tool_choice_resources.txt")
UNCOUNTED = ("equipment", "evidence")
OPERATIONS = 1000
SPARE = ("delete", "remove", "add")


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Operation]] = {}
    for method, path, operation in _thinned(list(_operations())):
        paths.setdefault(path, {})[method] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Harbour & Vale business API", "version": "1.0.0"},
        "servers": [{"url": "https://api.harbour-vale.example/v1"}],
        "paths": paths,
    }


def _thinned(operations: list[tuple[str, str, Operation]]) -> list[tuple[str, str, Operation]]:
    """Exactly `OPERATIONS` of them: of what deletes, removes and adds parts, some are left out evenly."""
    spare = [operation for operation in operations if operation[2]["operationId"].startswith(SPARE)]
    surplus = len(operations) - OPERATIONS
    left_out = {spare[index * len(spare) // surplus][2]["operationId"] for index in range(surplus)}
    return [operation for operation in operations if operation[2]["operationId"] not in left_out]


def _operations() -> Iterator[tuple[str, str, Operation]]:
    for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]:
        area, name, fields, actions, parts = (part.strip() for part in line.split("|"))
        yield from _resource(area, name, _listed(fields), _listed(actions), _listed(parts))


def _resource(
    area: str, name: str, fields: list[str], actions: list[str], parts: list[str]
) -> Iterator[tuple[str, str, Operation]]:
    many = plural(name)
    place = f"/{_slug(many)}" if area == many else f"/{area}/{_slug(many)}"
    item = f"{place}/{{{_snake(name)}_id}}"
    key = [_path_parameter(name)]
    a = f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
    filters = [_query(field, f"Only {many} with this {field}.") for field in fields[:3]]
    yield "get", place, _made(f"list {many}", f"List {many}", f"Pages through {many}, newest first.", filters)
    yield "get", item, _made(f"get {name}", f"Get {a}", f"Returns {a} by its id.", key)
    yield "post", place, _made(f"create {name}", f"Create {a}", f"Creates {a}.", [], fields)
    yield (
        "patch",
        item,
        _made(f"update {name}", f"Update {a}", f"Changes the given fields of {a}.", key, fields),
    )
    yield "delete", item, _made(f"delete {name}", f"Delete {a}", f"Deletes {a} for good.", key)
    for action in actions:
        yield "post", f"{item}/{_slug(action)}", _action(name, a, action, key)
    for part in parts:
        yield from _part(item, name, a, part, key)


def _action(name: str, a: str, action: str, key: list[Any]) -> Operation:
    verb, _, rest = action.partition(" ")
    summary = f"{verb.capitalize()} {a}{' ' + rest if rest else ''}"
    return _made(f"{verb} {name} {rest}".strip(), summary, f"{summary}.", key, [])


def _part(item: str, name: str, a: str, part: str, key: list[Any]) -> Iterator[tuple[str, str, Operation]]:
    single = _singular(part)
    path, one = f"{item}/{_slug(part)}", f"{item}/{_slug(part)}/{{{_snake(single)}_id}}"
    both = [*key, _path_parameter(single)]
    yield "get", path, _made(f"list {name} {part}", f"List {part} of {a}", f"All {part} of {a}.", key)
    yield (
        "post",
        path,
        _made(
            f"add {name} {single}", f"Add {part} to {a}", f"Adds one of the {part} of {a}.", key, ["value"]
        ),
    )
    yield (
        "delete",
        one,
        _made(
            f"remove {name} {single}", f"Remove {part} from {a}", f"Removes one of the {part} of {a}.", both
        ),
    )


def _made(
    identifier: str, summary: str, description: str, parameters: list[Any], fields: list[str] | None = None
) -> Operation:
    operation: Operation = {
        "operationId": _camel(identifier),
        "summary": summary,
        "description": description,
        "parameters": parameters,
        "responses": {"200": {"description": "Done."}},
    }
    if fields:
        properties = {_snake(field): {"type": "string", "description": f"The {field}."} for field in fields}
        schema = {"type": "object", "properties": properties}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _path_parameter(name: str) -> dict[str, Any]:
    field = f"{_snake(name)}_id"
    described = f"Which {name} is meant."
    return {
        "name": field,
        "in": "path",
        "required": True,
        "description": described,
        "schema": {"type": "string"},
    }


def _query(field: str, described: str) -> dict[str, Any]:
    return {"name": _snake(field), "in": "query", "description": described, "schema": {"type": "string"}}


def plural(name: str) -> str:
    if name in UNCOUNTED:
        return name
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + ("es" if name.endswith(("s", "ch", "sh", "x")) else "s")


def _singular(part: str) -> str:
    if part in UNCOUNTED:
        return part
    return part[:-3] + "y" if part.endswith("ies") else part.removesuffix("s")


def _listed(text: str) -> list[str]:
    return [] if text == "-" else [item.strip() for item in text.split(",")]


def _slug(words: str) -> str:
    return words.replace(" ", "-")


def _snake(words: str) -> str:
    return words.replace(" ", "_").replace("-", "_")


def _camel(words: str) -> str:
    first, *rest = words.replace("-", " ").split()
    return first + "".join(word.capitalize() for word in rest)


if __name__ == "__main__":
    print(json.dumps(document(), indent=1))
