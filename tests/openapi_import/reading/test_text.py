"""From bytes to values, and what is refused on the way, quickly and without harm."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from openapi_import.errors import SpecInvalid
from openapi_import.reading.text import MAX_NODES, read_document, read_text

DEEP = "The document is nested more than 100 levels deep"


def value(text: str) -> Any:
    return read_text(text.encode()).value


def refusal(content: bytes, **more: Any) -> str:
    with pytest.raises(SpecInvalid) as refused:
        read_document(content, **more)
    return refused.value.message


def test_json_and_yaml_are_told_apart_by_what_they_are() -> None:
    made = {"openapi": "3.1.0", "x": [1, 2.5, None, True, "é 😀"]}
    as_json, as_yaml = json.dumps(made), 'openapi: "3.1.0"\nx: [1, 2.5, null, true, é 😀]\n'

    for content_type, filename in [
        ("application/json", ""), ("application/yaml", ""), ("text/plain", "a.json"), ("", "a.yml"), ("", ""),
    ]:  # fmt: skip
        for text in (as_json, as_yaml):
            assert read_document(text.encode(), content_type=content_type, filename=filename) == made


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-16-be"),
        lambda text: text.encode("utf-32"),
        lambda text: gzip.compress(text.encode()),
        lambda text: zlib.compress(text.encode()),
    ],
    ids=["bom", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gzip", "deflate"],
)
@pytest.mark.parametrize("text", ['{"a": "é 😀"}', "a: é 😀"], ids=["json", "yaml"])
def test_encodings_and_compressions_are_undone(encode: Any, text: str) -> None:
    assert read_document(encode(text)) == {"a": "é 😀"}


def test_a_charset_that_the_server_names_counts() -> None:
    assert read_document("a: é".encode("latin-1"), content_type="text/yaml; charset=ISO-8859-1") == {"a": "é"}


def test_size_is_counted_after_unpacking() -> None:
    limit = 100_000
    bomb = gzip.compress(b"a: " + b" " * 50_000_000)

    assert len(bomb) < limit
    assert refusal(bomb, max_bytes=limit) == "The document is larger than 97 KiB."
    assert refusal(b" " * (10 * 1024 * 1024 + 1)) == "The document is larger than 10 MiB."
    assert refusal(gzip.compress(b"a: 1")[:-4]) == "The document is compressed and ends too early."
    assert refusal(b"\x1f\x8bnothing") == "The document is compressed and cannot be unpacked."


def test_yaml_is_read_as_its_version_1_2_means_it() -> None:
    """Country codes are not booleans, times are not numbers, dates are text, response codes are keys."""
    text = """
enum: [no, yes, on, 12:30, 2026-11-20, 1.2.3, .inf, 1_000, -]
200: {description: ok}
numbers: [10, 010, 0x1f, 0o17, -3, 1.5, 1e3]
nothing: [~, null, ]
flags: [true, False]
quoted: ["1", 'true', !!str 1]
block: |
  1
"""

    assert value(text) == {
        "enum": ["no", "yes", "on", "12:30", "2026-11-20", "1.2.3", ".inf", "1_000", "-"],
        "200": {"description": "ok"},
        "numbers": [10, 10, 31, 15, -3, 1.5, 1000.0],
        "nothing": [None, None],
        "flags": [True, False],
        "quoted": ["1", "true", "1"],
        "block": "1\n",
    }


def test_aliases_and_merges_of_yaml_are_read() -> None:
    text = """
base: &base {a: 1, b: [x]}
same: *base
more: {<<: *base, b: 2, c: 3}
both: {<<: [{d: 4}, *base]}
"quoted": {"<<": 1}
word: &w x
again: *w
"""

    assert value(text) == {
        "base": {"a": 1, "b": ["x"]},
        "same": {"a": 1, "b": ["x"]},
        "more": {"a": 1, "b": 2, "c": 3},
        "both": {"d": 4, "a": 1, "b": ["x"]},
        "quoted": {"<<": 1},
        "word": "x",
        "again": "x",
    }


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]

    message = refusal("\n".join(lines).encode())

    assert message == "With its aliases written out, the document has more than 2,000,000 values (line 7)."


CASES: dict[str, tuple[bytes, str]] = {
    "not utf-8": (
        b"a: 1\nb: \xff\xff",
        "The document is not UTF-8 text (line 2). Save it as UTF-8 and try again.",
    ),
    "empty": (b"\n ", "The document is empty."),
    "list": (b"[1]", "The document is not an object, so it is not an OpenAPI document."),
    "words": (b"just words", "The document is not an object, so it is not an OpenAPI document."),
    "web page": (
        b"\n<!DOCTYPE html><p>",
        "The document is a web page or XML, not an OpenAPI document. Give the address of the JSON or YAML itself.",
    ),
    "half json": (
        b'{\n"a": 1',
        "The document is neither JSON nor YAML (line 2, column 7: Expecting ',' delimiter).",
    ),
    "bad yaml": (
        b"a: 1\nb: ]",
        "The document is neither JSON nor YAML (line 2, column 4: did not find expected node content).",
    ),
    "tab": (
        b"a:\n\tb: 1",
        "The document is neither JSON nor YAML (line 2, column 1: found character that cannot start any token).",
    ),
    "NaN": (b'{"a": NaN}', "The document contains NaN, which is not JSON."),
    "long number": (
        b'{"a":\n' + b"9" * 5000 + b"}",
        "The document contains a number that is too long to be read (line 2).",
    ),
    "long yaml number": (
        b"a: 1\nb: " + b"9" * 5000,
        "The document contains a number that is too long to be read (line 2).",
    ),
    "NUL in a name": (
        b'{"\\u0000": 1}',
        "The document contains a name with a character that cannot be stored (NUL or half a surrogate pair).",
    ),
    "deep json": (b'{"a":' * 100_000, "The document is nested hundreds of levels deep."),
    "rather deep json": (b'{"a":' * 200 + b"1" + b"}" * 200, f"{DEEP}."),
    "deep list": (b"[" * 100_000, "The document is nested hundreds of levels deep."),
    "deep yaml": (b"a: " + b"[" * 100_000, f"{DEEP} (line 1)."),
    "deep block": (b"".join(b" " * n + b"a:\n" for n in range(200)), f"{DEEP} (line 101)."),
    "many": (b"[" + b"0," * (MAX_NODES + 1) + b"0]", "The document has more than 2,000,000 values."),
    "twice in json": (
        b'{"b": {"a": 1},\n"a": {"x": 1, "y":\n2, "x": 3}}',
        "The key 'x' appears twice in one object (line 3).",
    ),
    "twice, escaped": (b'{"ab": 1, "a\\u0062": 2}', "The key 'ab' appears twice in one object (line 1)."),
    "twice in yaml": (b"a: {x: 1}\nb: 1\na: 2", "The key 'a' appears twice in one object (line 3)."),
    "number and text": (b"a:\n  200: 1\n  '200': 2", "The key '200' appears twice in one object (line 3)."),
    "twice in flow": (b"{a: 1, a: 2}", "The key 'a' appears twice in one object (line 1)."),
    "alias in itself": (b"a: &x\n  b: *x", "The alias *x stands for something it is part of (line 2)."),
    "alias of nothing": (b"a: *x", "The alias *x stands for nothing (line 1)."),
    "merge of a word": (b"a: {<<: b}", "What is merged with << is not an object (line 1)."),
    "list as a key": (
        b"? [a]\n: b",
        "The document is neither JSON nor YAML (line 1, column 3: a key is not text).",
    ),
    "two documents": (b"a: 1\n---\nb: 1", "The file holds a second document (line 2). Give one only."),
}


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_read_is_refused_with_the_reason(name: str) -> None:
    content, message = CASES[name]

    assert refusal(content) == message


def test_what_is_said_to_be_json_is_told_as_json() -> None:
    slip = read_text(b'{"a": [1, 2,],}', content_type="application/json")

    assert slip.value == {"a": [1, 2]}
    assert [(fault.message, fault.severity) for fault in slip.faults] == [
        ("This is not valid JSON (line 1, column 13: Expecting value); it was read as YAML.", "warning")
    ]
    assert refusal(b'{"a": 1, "a": 2,}', content_type="application/json") == (
        "The key 'a' appears twice in one object (line 1)."
    )
    assert refusal(b'{"a": ', content_type="application/json") == (
        "The document is neither JSON nor YAML (line 1, column 7: Expecting value)."
    )
    assert (
        refusal(b"words", filename="openapi.json") == "The document is not JSON, although it is said to be."
    )


def test_what_cannot_be_stored_is_replaced_and_said() -> None:
    text = read_text(b'{"a": ["x\\u0000", "\\ud800", 1e999], "b": "\\ud83d\\ude00"}')

    assert text.value == {"a": ["x\ufffd", "\ufffd", None], "b": "😀"}
    assert [(fault.pointer, fault.severity) for fault in text.faults] == [
        ("/a/0", "warning"), ("/a/1", "warning"), ("/a/2", "warning"),
    ]  # fmt: skip
    assert value('a: "\\0"\nb: 1e999') == {"a": "\ufffd", "b": None}


def test_a_tag_never_makes_an_object_of_ours(tmp_path: Path) -> None:
    trace = tmp_path / "made"
    call = "!!python/object/apply:pathlib.Path"

    text = read_text(f"a: {call}.touch [{call} [{trace}]]\nb: !Sub x\nc: !!binary aGk=".encode())

    assert not trace.exists()
    assert text.value == {"a": [[str(trace)]], "b": "x", "c": "aGk="}
    assert len(text.faults) == 1
    assert "means nothing here and was ignored" in text.faults[0].message
