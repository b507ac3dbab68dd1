"""What an operation answers, as far as a call needs to know it: kinds of content, files, whether it comes in pages."""

from functools import lru_cache
from typing import Any

from openapi_import.reading.described import Operation, Response
from openapi_import.reading.schemas import Schemas

MAX_KINDS = 10
_TEXT = ("json", "xml", "yaml", "javascript", "html", "csv", "x-www-form-urlencoded", "graphql", "jwt", "sql")
# Names of parameters and fields as `_key` makes them, the likeliest first.
_CURSOR = tuple(
    """
    cursor startingafter pagetoken nexttoken continuationtoken continue after marker bookmark
    nextcursor pagecursor exclusivestartkey scrollid sinceid startafter $skiptoken
    """.split()
)
_PAGE = tuple(
    """
    page pagenumber pageno pagenum pageindex currentpage p
    """.split()
)
_OFFSET = tuple(
    """
    offset skip $skip start startindex from firstresult startat
    """.split()
)
_SIZE = tuple(
    """
    limit perpage pagesize size count maxresults $top top maxitems resultsperpage pagelimit take
    rows num maxkeys first max
    """.split()
)
_NEXT = tuple(
    """
    nextcursor nextpagetoken nexttoken continuationtoken continue cursor endcursor nextmarker marker
    nextpage next nexturl nextlink @odata.nextlink odata.nextlink after lastevaluatedkey scrollid
    bookmark nextpageuri nextpageurl nexturi
    """.split()
)
_LINKS = tuple(
    """
    nexturl nextlink @odata.nextlink odata.nextlink nextpageuri nextpageurl nexturi
    """.split()
)
_MORE = tuple(
    """
    hasmore hasnext hasnextpage more istruncated nextpageexists morerecords islast last
    """.split()
)
_TOTAL = tuple(
    """
    total totalcount totalresults totalitems count totalsize totalelements
    """.split()
)
_ITEMS = tuple(
    """
    items data results value records entries list content rows values objects
    """.split()
)
_INSIDE = tuple(
    """
    paging pagination meta metadata links pageinfo page cursors responsemetadata resultinfo
    """.split()
)


def response_of(
    operation: Operation, schemas: Schemas, parameters: list[dict[str, Any]], arguments: dict[str, Any]
) -> dict[str, Any]:
    """As `Tool.response`: {"content_types": [..], "binary": bool, "paging": {..}|null}.

    paging: {"kind": "cursor|page|offset|link", "argument", "size", "items", "next", "more", "total"}: `argument` asks
    for another page ("" for a link), `size` limits how many there are on one ("" for none); the others are paths in
    the answer ("paging.next"), "" where there is none. parameters: those of the recipe; arguments: their schemas.
    """
    success = _success(operation.responses)
    kinds = list(success.content)[:MAX_KINDS] if success else []
    kind = next((kind for kind in kinds if "json" in kind.lower()), kinds[0] if kinds else "")
    schema = success.content[kind] if success and kind else None
    binary = bool(kind) and _is_binary(kind, schemas.resolved(schema))
    paging = None if binary else _paging(schema, schemas, parameters, arguments)
    return {"content_types": kinds, "binary": binary, "paging": paging}


def _success(responses: tuple[Response, ...]) -> Response | None:
    """The answer to a call that worked: 200, else the lowest 2xx that has content, else the default."""

    def rank(response: Response) -> tuple[bool, bool, str]:
        return not response.content, response.status == "default", response.status

    found = [one for one in responses if one.status[:1] == "2" or one.status == "default"]
    return min(found, key=rank, default=None)


def _is_binary(kind: str, schema: Any) -> bool:
    plain = kind.partition(";")[0].strip().lower()
    raw = schema if isinstance(schema, dict) else {}
    if "json" in plain:
        return False
    if raw.get("format") == "binary" or raw.get("type") == "file":
        return not plain.startswith("text/")
    if plain.startswith("text/") or any(word in plain for word in _TEXT) or "*" in plain.partition("/")[0]:
        return False
    return raw.get("type") not in ("object", "array")


def _paging(
    schema: Any, schemas: Schemas, parameters: list[dict[str, Any]], arguments: dict[str, Any]
) -> dict[str, str] | None:
    asked = {_key(entry["name"]): entry["argument"] for entry in parameters if entry["in"] == "query"}
    fields = _fields(schema, schemas)
    answered = {name: path for name, (path, _) in fields.items()}

    def first(names: tuple[str, ...], among: dict[str, str]) -> str:
        return next((among[name] for name in names if name in among), "")

    size, follow = first(_SIZE, asked), first(_NEXT, answered)
    found = {
        "kind": "",
        "argument": "",
        "size": size,
        "items": _items(schema, schemas, fields),
        "next": follow,
    }
    found |= {"more": first(_MORE, answered), "total": first(_TOTAL, answered)}
    for kind, names in (("cursor", _CURSOR), ("page", _PAGE), ("offset", _OFFSET)):
        if argument := first(names, asked):
            if kind != "cursor" and arguments.get(argument, {}).get("type") not in ("integer", "number"):
                continue  # `from` and `start` are dates more often than not
            evidence = bool(size or follow or found["more"] or found["total"])
            if evidence or argument.lower() in ("page", "offset", "cursor"):
                return found | {"kind": kind, "argument": argument}
    if link := first(_LINKS, answered):
        return found | {"kind": "link", "next": link}
    return None


def _fields(schema: Any, schemas: Schemas) -> dict[str, tuple[str, Any]]:
    """{name: (path, schema)} of an answer's own properties and of those of its `paging`, `meta` and the like."""
    found: dict[str, tuple[str, Any]] = {}
    top = _properties(schema, schemas)
    for name, part in top.items():
        found.setdefault(_key(name), (name, part))
    for name, part in top.items():
        if _key(name) in _INSIDE:
            for inner, schema_of in _properties(part, schemas).items():
                found.setdefault(_key(inner), (f"{name}.{inner}", schema_of))
    for inside in _INSIDE:  # `page` may be a number, or an object of numbers
        if inside in found and _properties(found[inside][1], schemas):
            del found[inside]
    return found


def _items(schema: Any, schemas: Schemas, fields: dict[str, tuple[str, Any]]) -> str:
    """The path of the list of an answer; "" where the answer is the list, or has none."""
    lists = {
        name: path
        for name, (path, part) in fields.items()
        if "." not in path and _is_list(schemas.resolved(part))
    }
    return next((lists[name] for name in _ITEMS if name in lists), next(iter(lists.values()), ""))


def _is_list(schema: Any) -> bool:
    return isinstance(schema, dict) and (schema.get("type") == "array" or "items" in schema)


def _properties(schema: Any, schemas: Schemas, hops: int = 0) -> dict[str, Any]:
    found = schemas.resolved(schema)
    if not isinstance(found, dict) or hops > 4:
        return {}
    properties: dict[str, Any] = {}
    for part in found["allOf"] if isinstance(found.get("allOf"), list) else ():
        properties |= _properties(part, schemas, hops + 1)
    if isinstance(found.get("properties"), dict):
        properties |= found["properties"]
    return properties


@lru_cache(maxsize=8_192)
def _key(name: str) -> str:
    return name.lower().replace("-", "_").replace("_", "").replace("page[", "page").replace("]", "")
