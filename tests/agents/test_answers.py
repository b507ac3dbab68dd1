"""What a business system answers, as it is kept and as the model is shown it."""

import hashlib
import json
from typing import Any

import httpx
import pytest

from agents import paging
from agents.answers import RESULT_LIMIT, decoded, error_text, fitted
from agents.models import Action, ActionStatus, Tool
from agents.projection import NOTHING_SHOWN, projected, steps
from agents.tool_http import Outcome, _answered
from agents.turn_messages import action_result, read_result
from smartsupport.lib.safe_http import Response

CALL = {"id": "call_1", "name": "list_orders"}


def answer(content: bytes, kind: str, status: int = 200, **headers: str) -> Response:
    return Response(status, httpx.Headers({"content-type": kind, **headers}), content, "", 1)


def reference(kind: str, content: bytes) -> dict[str, Any]:
    return {"content_type": kind, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@pytest.mark.parametrize(
    ("content", "kind", "value"),
    [
        (b'{"a": 1}', "application/json; charset=utf-8", {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', "application/json", {"a": 1}),
        ('{"a": "é"}'.encode("utf-16"), "application/json", {"a": "é"}),
        ('{"a": "é"}'.encode("latin-1"), "application/json; charset=ISO-8859-1", {"a": "é"}),
        (b'{"title": "No"}', "application/problem+json", {"title": "No"}),
        (b'{"a": 1}', "text/html", {"a": 1}),
        (b'[{"a": 1}]', "application/octet-stream", [{"a": 1}]),
        (b"42", "application/json", 42),
        (b"42", "text/plain", "42"),
        (b"not json", "application/json", "not json"),
        ("é".encode("latin-1"), "text/plain; charset=latin-1", "é"),
        ("id;name\n1;Größe".encode("cp1252"), "text/csv; charset=windows-1252", "id;name\n1;Größe"),
        (b"<order/>", "application/xml", "<order/>"),
        (b"<order/>", "application/soap+xml; charset=utf-8", "<order/>"),
        (b"", "application/pdf", None),
    ],
)
def test_what_is_json_or_text_is_read_as_that(content: bytes, kind: str, value: Any) -> None:
    assert decoded(answer(content, kind)) == value


@pytest.mark.parametrize(
    ("content", "kind", "named"),
    [
        (b"%PDF-1.7 \x00\x01", "application/pdf", "application/pdf"),
        (b"\x89PNG\r\n", "image/png", "image/png"),
        (b"{\x00\x01 not json", "application/octet-stream", "application/octet-stream"),
        (b"\xff\xfe\xfd", "", "application/octet-stream"),
        (b"42", "application/zip", "application/zip"),
    ],
)
def test_what_is_neither_is_named_and_not_shown(content: bytes, kind: str, named: str) -> None:
    assert decoded(answer(content, kind)) == reference(named, content)


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        ({"type": "about:blank", "title": "Gone", "detail": "Order 1 is gone."}, "Order 1 is gone."),
        ({"errors": [{"message": "Bad id"}]}, "Bad id"),
        ({"error": {"code": 5}, "message": "No stock"}, "No stock"),
        ("<html><body>nginx</body></html>", ""),
        ("too late\nfor this", "too late for this"),
        ([1], ""),
    ],
)
def test_an_error_answer_is_told_in_its_own_sentence(result: Any, sentence: str) -> None:
    assert error_text(result) == sentence


ORDERS = {
    "items": [
        {"id": 1, "lines": [{"sku": "a", "cost": 5}, {"sku": "b"}], "note": "x"},
        {"id": 2, "lines": [], "note": None},
    ],
    "total": 2,
    "by": {"eu": {"n": 1, "m": 2}, "us": {"n": 3}},
    "@odata.count": 7,
}


@pytest.mark.parametrize(
    ("paths", "shown"),
    [
        (["total"], {"total": 2}),
        (["items[].id"], {"items": [{"id": 1}, {"id": 2}]}),
        (
            ["items[].id", "items[].lines[].sku", "total"],
            {"items": [{"id": 1, "lines": [{"sku": "a"}, {"sku": "b"}]}, {"id": 2, "lines": []}], "total": 2},
        ),
        (["by.*.n"], {"by": {"eu": {"n": 1}, "us": {"n": 3}}}),
        (['"@odata.count"'], {"@odata.count": 7}),
        (["items[].note"], {"items": [{"note": "x"}, {"note": None}]}),
        (["items.id", "nowhere"], {"note": NOTHING_SHOWN}),
        ([], ORDERS),
    ],
)
def test_staff_choose_what_is_shown_of_an_answer(paths: list[str], shown: Any) -> None:
    assert projected(ORDERS, paths) == shown


def test_a_list_is_projected_and_text_and_files_stay_as_they_are() -> None:
    assert projected([{"a": 1, "b": 2}, {"b": 3}], ["[].a"]) == [{"a": 1}]
    assert projected("text", ["a"]) == "text"
    assert projected(reference("image/png", b"x"), ["a"]) == reference("image/png", b"x")


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "a[0]", "a[", 'a"b', "a.[]", "[]a", '"a'])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is not a path such as"):
        steps(path)


def test_the_model_sees_what_staff_chose_and_the_rest_is_kept() -> None:
    outcome = Outcome(True, ORDERS)
    tool = Tool(projection=["total"])
    action = Action(status=ActionStatus.SUCCEEDED, tool=tool, result=ORDERS)

    read = json.loads(str(read_result(CALL, outcome, shown=tool.projection).content))
    written = json.loads(str(action_result(CALL, action).content))

    assert read == written == {"ok": True, "result": {"total": 2}}
    assert outcome.result == action.result == ORDERS


def test_a_long_list_is_shown_to_where_it_fits_and_says_so() -> None:
    rows = [{"n": n, "text": "x" * 100} for n in range(2_000)]
    outcome = Outcome(True, {"rows": rows, "total": 2_000})

    text = str(read_result(CALL, outcome, more="There are more.").content)

    shown = json.loads(text)
    kept = len(shown["result"]["rows"])
    assert RESULT_LIMIT - 2_000 < len(text) <= RESULT_LIMIT
    assert shown["result"] == {"rows": rows[:kept], "total": 2_000}
    assert shown["note"] == (
        f"There are more. The answer was cut: only the first {kept} of 2,000 items are here. "
        "Ask for less, or for a part."
    )
    assert len(outcome.result["rows"]) == 2_000


def test_a_long_text_is_cut_and_says_so() -> None:
    text = fitted({"ok": True, "result": "x" * 100_000})

    assert len(text) <= RESULT_LIMIT
    assert text.endswith("characters left out]")
    assert fitted({"ok": True, "result": "x" * 100}) == json.dumps({"ok": True, "result": "x" * 100})


PARAMETERS = [
    {"argument": name, "name": name, "in": "query"} for name in ("page", "cursor", "starting_after", "limit")
]


def listing(*names: str) -> Tool:
    return Tool(parameters=[one for one in PARAMETERS if one["name"] in names])


@pytest.mark.parametrize(
    ("result", "names", "told"),
    [
        ({"items": [], "next_cursor": "abc"}, ["cursor"], 'cursor "abc"'),
        ({"meta": {"next_cursor": "abc"}}, ["cursor", "page"], 'cursor "abc"'),
        ({"data": [{"id": "a"}, {"id": "b"}], "has_more": True}, ["starting_after"], 'starting_after "b"'),
        ({"links": {"next": {"href": "/orders?page=3&limit=5"}}}, ["page", "limit"], "page 3"),
        ({"@odata.nextLink": "https://x.example/?cursor=zz"}, ["cursor"], 'cursor "zz"'),
        ({"page": 2, "total_pages": 9}, ["page"], "page 3"),
        ({"metadata": {"continue": "tok"}}, ["cursor"], 'cursor "tok"'),
        ({"next_page": 4}, ["page"], "page 4"),
        ({"hasMore": True}, [], ""),
        ({"paging": {"cursors": {"after": "x"}, "next": "https://x.example/?after=x"}}, [], ""),
    ],
)
def test_an_answer_that_is_one_page_says_how_to_get_the_next(
    result: Any, names: list[str], told: str
) -> None:
    sentence = paging.more(listing(*names), result)

    assert sentence.startswith(paging.MORE)
    assert sentence.endswith(f"with the same arguments and {told}." if told else paging.ASK)


@pytest.mark.parametrize(
    ("known", "result", "told"),
    [
        ({"kind": "cursor", "argument": "from", "next": "meta.key"}, {"meta": {"key": "k9"}}, 'from "k9".'),
        ({"kind": "page", "argument": "p", "next": "then"}, {"then": 4}, "p 4."),
        (
            {"kind": "page", "argument": "p", "items": "data", "total": "all"},
            {"data": [1, 2], "all": 9},
            "another p.",
        ),
        ({"kind": "page", "argument": "p", "more": "last"}, {"last": False}, paging.ASK),
        ({"kind": "page", "argument": "p", "more": "last"}, {"last": True}, ""),
        ({"kind": "link", "argument": "", "next": "next_uri"}, {"next_uri": "/o?page=2"}, "page 2."),
        ({"kind": "page", "argument": "p", "items": "data", "total": "all"}, {"data": [1], "all": 1}, ""),
        ({"kind": "cursor", "argument": "from", "next": "meta.key"}, {"meta": {"key": None}}, ""),
        (None, {"data": [1]}, ""),
    ],
)
def test_the_document_says_where_pages_are_named(known: Any, result: Any, told: str) -> None:
    tool = listing("page")
    tool.response = {"content_types": [], "binary": False, "paging": known}

    sentence = paging.more(tool, result)

    assert sentence.endswith(told)
    assert bool(sentence) == bool(told)


@pytest.mark.parametrize(
    "result",
    [
        {"has_more": False, "next": None, "next_cursor": ""},
        {"page": 9, "total_pages": 9},
        {"items": [1, 2]},
        [1, 2],
        "next",
        None,
        {"page": True, "total_pages": True},
    ],
)
def test_an_answer_that_is_whole_says_nothing_of_pages(result: Any) -> None:
    assert paging.more(listing("page", "cursor"), result) == ""


def test_a_link_header_names_the_next_page() -> None:
    link = '<https://x.example/o?page=1>; rel="prev", <https://x.example/o?page=3&limit=5>; rel="last next"'
    outcome = _answered(answer(b"[1]", "application/json", link=link))

    sentence = paging.more(listing("page", "limit"), outcome.result, outcome.next_link)

    assert sentence.endswith("and page 3.")
    assert paging.next_link('<https://x.example/o?page=1>; rel="prev"') == ""
    assert paging.next_link("<" * 50_000) == ""
