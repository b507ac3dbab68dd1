"""Whether an answer says that there is more, and how the model gets it. What is looked at are the usual ways of
saying so: `Link: <..>; rel="next"` (RFC 8288), and fields of the answer; the document's own hints come first."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from agents.models import Tool

MORE = "There are more results than these."
ASK = "Ask for the next ones, or for fewer, where the tool lets you."
INSIDE = (
    "meta",
    "metadata",
    "pagination",
    "paging",
    "page",
    "pageinfo",
    "links",
    "responsemetadata",
    "cursor",
    "cursors",
)
FLAGS = frozenset({"hasmore", "hasnext", "hasnextpage", "istruncated", "moreresults", "moreitemsavailable"})
NEXT = {
    "nextcursor": "cursor",
    "nextpage": "page",
    "nextpagetoken": "pagetoken",
    "nexttoken": "nexttoken",
    "nextoffset": "offset",
    "nextmarker": "marker",
    "continuationtoken": "continuationtoken",
    "endcursor": "after",
    "next": "",
    "nextlink": "",
    "nexturl": "",
    "nexthref": "",
    "nextrecordsurl": "",
    "odatanextlink": "",
}
"""Names of fields, with the parameter that usually takes their value."""
TAKES_A_TOKEN = (
    "cursor",
    "pagetoken",
    "after",
    "nexttoken",
    "continue",
    "marker",
    "continuationtoken",
    "startingafter",
)
COUNTED = ("page", "offset", "start", "skip", "pagenumber", "startindex", "since")
LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[^\s=;,"]+(?:\s*=\s*(?:"[^"]*"|[^\s;,"]*))?)*)')
REL = re.compile(r';\s*rel\s*=\s*"?([^";,]*)', re.IGNORECASE)


def next_link(header: str) -> str:
    """The address that a Link header names as the next page; "" where it names none."""
    for url, parameters in LINK.findall(header[:8_000]):
        rel = REL.search(parameters)
        if rel and "next" in rel[1].lower().split():
            return str(url)[:2_000]
    return ""


def more(tool: Tool, result: Any, link: str = "") -> str:
    """A sentence that says that there is more, and how to get it; "" where nothing says so."""
    arguments = {_plain(one["name"]): one["argument"] for one in tool.parameters if one["in"] == "query"}
    if link:
        return _sentence(_from_link(arguments, link))
    if told := _by_the_document(tool, arguments, result):
        return told
    if not isinstance(result, dict):
        return ""
    hints = dict(_hints(result))
    for name, usual in NEXT.items():
        value = hints.get(name)
        if isinstance(value, dict):
            value = value.get("href")
        if value in (None, "", False) or not isinstance(value, str | int):
            continue
        if value is True:
            return _sentence({})
        if isinstance(value, str) and ("://" in value or value.startswith(("/", "?"))):
            return _sentence(_from_link(arguments, value))
        return _sentence(_from_token(arguments, usual, value))
    if any(hints.get(flag) is True for flag in FLAGS):
        return _sentence(_from_last_item(arguments, result))
    page = _page_before_the_last(hints)
    if page:
        return _sentence({arguments["page"]: page + 1} if "page" in arguments else {})
    return ""


def _by_the_document(tool: Tool, arguments: Mapping[str, str], result: Any) -> str:
    """What `Tool.response` knows of this tool's pages: where the answer has what, and which argument asks for more."""
    known = tool.response.get("paging") if isinstance(tool.response, dict) else None
    if not isinstance(known, dict):
        return ""
    argument = str(known.get("argument") or "")
    following = _at(result, known.get("next"))
    if isinstance(following, dict):
        following = following.get("href")
    if isinstance(following, str) and ("://" in following or following.startswith(("/", "?"))):
        return _sentence(_from_link(arguments, following))
    if following and isinstance(following, str | int) and following is not True:
        return _sentence({argument: following} if argument else {})
    flag = _at(result, known.get("more"))
    last = _plain(str(known.get("more")).rpartition(".")[2]) in ("last", "islast")
    if isinstance(flag, bool) and flag is not last:
        return _sentence(_from_last_item(arguments, result)) if isinstance(result, dict) else _sentence({})
    items, total = _at(result, known.get("items")), _at(result, known.get("total"))
    if argument and isinstance(items, list) and type(total) is int and total > len(items) > 0:
        return f"These are {len(items)} of {total:,}. To get others, call this again with another {argument}."
    return ""


def _at(result: Any, path: object) -> Any:
    """The value at a path such as `meta.next`; None where there is none."""
    if not isinstance(path, str) or not path:
        return None
    if isinstance(result, dict) and path in result:
        return result[path]  # a name may have a dot itself
    for name in path.split("."):
        if not isinstance(result, dict):
            return None
        result = result.get(name)
    return result


def _plain(name: object) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def _hints(result: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Fields by their plain names; those of the answer itself win over those inside `meta` and the like."""
    for key, value in result.items():
        if isinstance(value, dict) and _plain(key) in INSIDE:
            for inner, one in value.items():
                if not isinstance(one, dict | list) or (isinstance(one, dict) and "href" in one):
                    yield _plain(inner), one
            yield from (
                (_plain(k), v) for one in value.values() if isinstance(one, dict) for k, v in one.items()
            )
    yield from ((_plain(key), value) for key, value in result.items())
    # Kubernetes says `metadata.continue`
    metadata = result.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("continue"), str) and metadata["continue"]:
        yield "continuationtoken", metadata["continue"]


def _from_link(arguments: Mapping[str, str], url: str) -> dict[str, Any]:
    """What the next page's address has in its query and the tool has as arguments, except what names no page."""
    try:
        pairs = parse_qsl(urlsplit(url).query)
    except ValueError:
        return {}
    found = {_plain(name): value for name, value in pairs}
    told: dict[str, Any] = {
        arguments[name]: int(value) if name in COUNTED and value.isdecimal() else value
        for name, value in found.items()
        if name in arguments and name in (*COUNTED, *TAKES_A_TOKEN)
    }
    return told


def _from_token(arguments: Mapping[str, str], usual: str, value: str | int) -> dict[str, Any]:
    names = (usual, "page") if isinstance(value, int) or value.isdecimal() else (usual, *TAKES_A_TOKEN)
    name = next((one for one in names if one in arguments), None)
    return {arguments[name]: value} if name else {}


def _from_last_item(arguments: Mapping[str, str], result: Mapping[str, Any]) -> dict[str, Any]:
    """Where pages begin after an item (`starting_after`): the last one's id."""
    lists = [value for value in result.values() if isinstance(value, list) and value]
    last = lists[0][-1] if len(lists) == 1 else None
    if "startingafter" in arguments and isinstance(last, dict) and isinstance(last.get("id"), str | int):
        return {arguments["startingafter"]: last["id"]}
    return {}


def _page_before_the_last(hints: Mapping[str, Any]) -> int:
    """The number of this page where the answer counts more pages; otherwise 0."""
    page = hints.get("page") or hints.get("currentpage")
    pages = hints.get("totalpages") or hints.get("pagecount") or hints.get("lastpage")
    return page if type(page) is int and type(pages) is int and page < pages else 0


def _sentence(wanted: Mapping[str, Any]) -> str:
    if not wanted:
        return f"{MORE} {ASK}"
    told = " and ".join(
        f"{name} {json.dumps(value, ensure_ascii=False)[:300]}" for name, value in wanted.items()
    )
    return f"{MORE} To get the next ones, call this again with the same arguments and {told}."
