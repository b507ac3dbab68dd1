"""From bytes to a document, and what is refused on the way, quickly and without harm."""

import json

import pytest

from openapi_import.errors import SpecInvalid
from openapi_import.reading.text import read_document

UNSTORABLE = "The document contains a character that cannot be stored (NUL or half a surrogate pair)."


def test_json_is_read_with_or_without_a_byte_order_mark() -> None:
    text = json.dumps({"openapi": "3.1.0", "x": [1, 2.5, None, True, "é"]})

    assert read_document(text.encode()) == json.loads(text)
    assert read_document(b"\xef\xbb\xbf" + text.encode()) == json.loads(text)


def test_yaml_is_read_as_its_version_1_2_means_it() -> None:
    """Country codes are not booleans, times are not numbers, dates are text, response codes are keys."""
    text = b"""
enum: [no, yes, on, 12:30, 2026-11-20, 1.2.3]
200: {description: ok}
numbers: [10, 010, 0x1f, 0o17, -3, 1.5, 1e3]
nothing: [~, null, ]
flags: [true, False]
quoted: "1"
"""

    assert read_document(text) == {
        "enum": ["no", "yes", "on", "12:30", "2026-11-20", "1.2.3"],
        "200": {"description": "ok"},
        "numbers": [10, 10, 31, 15, -3, 1.5, 1000.0],
        "nothing": [None, None],
        "flags": [True, False],
        "quoted": "1",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "The document is not UTF-8 text."),
        (b"", "The document is not an object, so it is not an OpenAPI document."),
        (b"[1]", "The document is not an object, so it is not an OpenAPI document."),
        (b"just words", "The document is not an object, so it is not an OpenAPI document."),
        (b'{"a": 1', "The document is neither JSON nor YAML (line 1: Expecting ',' delimiter)."),
        (b"a: ]", "The document is neither JSON nor YAML (line 1: did not find expected node content)."),
        (b'{"a": NaN}', "The document contains NaN, which is not JSON."),
        (b'{"a": 1e999}', "The document contains a number that is not finite."),
        (b'{"a": ' + b"9" * 5000 + b"}", "The document contains a number that cannot be read."),
        (b'{"a": "\\u0000"}', UNSTORABLE),
        (b'{"\\ud800": 1}', UNSTORABLE),
        (b'{"a":' * 100_000, "The document is nested too deeply."),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "The document is nested too deeply or has too many parts."),
        (b"[" * 100_000, "The document is nested too deeply."),
        (b"a: " + b"[" * 100_000, "The document is nested too deeply or has too many parts."),
        (b"a: &x [1]\nb: *x", "YAML aliases are not supported (line 2)."),
        (b"? [a]\n: b", "The document is neither JSON nor YAML (line 1: a key is not text)."),
        (b"a: !!binary aGk=", "The document contains a value that is not JSON."),
        (b" " * (10 * 1024 * 1024 + 1), "The document is larger than 10 MiB."),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_the_reason(content: bytes, message: str) -> None:
    with pytest.raises(SpecInvalid) as refusal:
        read_document(content)

    assert refusal.value.message == message


def test_a_tag_never_makes_an_object_of_ours(tmp_path_factory: pytest.TempPathFactory) -> None:
    trace = tmp_path_factory.mktemp("tags") / "made"
    call = "!!python/object/apply:pathlib.Path"

    with pytest.raises(SpecInvalid):
        read_document(f"a: {call}.touch [{call} [{trace}]]".encode())

    assert not trace.exists()
