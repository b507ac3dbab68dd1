"""How a server reads parameters, after OpenAPI 3.1.1 ("Style Values") and RFC 6570: split first, then decode.

Everything arrives as text, so what is compared is text too. `shape`: "one", "list" or "object".
"""

from typing import Any

from tests.openapi_import.reading.listening import Seen, decoded


def text(value: Any) -> Any:
    """A value as a server that knows no types sees it."""
    if isinstance(value, list):
        return [text(item) for item in value]
    if isinstance(value, dict):
        return {key: text(item) for key, item in value.items()}
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def read(seen: Seen, place: str, style: str, explode: bool, shape: str) -> Any:
    """The value of the parameter `p`, the only one of its request."""
    if place == "path":
        written = seen.path.removeprefix("/at/").removesuffix("/end")
        return (
            _delimited(written, explode, shape)
            if style == "simple"
            else _prefixed(written, style, explode, shape)
        )
    if place == "header":
        return _delimited(seen.headers["P"], explode, shape, encoded=False)
    if place == "cookie":
        pairs: dict[str, list[str]] = {}
        for name, value in seen.cookies:
            pairs.setdefault(name, []).append(value)
        return _pairs(pairs, "form", explode, shape, encoded=style == "form")
    return _pairs(seen.raw_query, style, explode, shape)


def _delimited(written: str, explode: bool, shape: str, mark: str = ",", *, encoded: bool = True) -> Any:
    read_one = decoded if encoded else str
    if shape == "one":
        return read_one(written)
    parts = written.split(mark)
    if shape == "list":
        return [read_one(part) for part in parts]
    if explode:
        return {read_one(key): read_one(value) for key, _, value in (part.partition("=") for part in parts)}
    return {read_one(key): read_one(value) for key, value in zip(parts[::2], parts[1::2], strict=True)}


def _prefixed(written: str, style: str, explode: bool, shape: str) -> Any:
    if style == "label":
        assert written.startswith(".")
        return _delimited(written[1:], explode, shape, "." if explode else ",")
    assert written.startswith(";")
    parts = [part.partition("=")[::2] for part in written[1:].split(";")]
    if shape == "object" and explode:
        return {decoded(key): decoded(value) for key, value in parts}
    assert {key for key, _ in parts} == {"p"}
    if shape == "list" and explode:
        return [decoded(value) for _, value in parts]
    [(_, value)] = parts
    return _delimited(value, False, shape)


def _pairs(
    pairs: dict[str, list[str]], style: str, explode: bool, shape: str, *, encoded: bool = True
) -> Any:
    read_one = decoded if encoded else str
    if style == "deepObject":
        return _nested({decoded(name): decoded(value) for name, [value] in pairs.items()})
    if shape == "object" and explode:
        return {name: read_one(value) for name, [value] in pairs.items()}
    if shape == "list" and explode:
        return [read_one(value) for value in pairs["p"]]
    [written] = pairs["p"]
    mark = {"spaceDelimited": "%20", "pipeDelimited": "%7C"}.get(style, ",")
    return _delimited(written, False, shape, mark, encoded=encoded)


def _nested(pairs: dict[str, str]) -> Any:
    """`p[a][b]=c`, with lists where all the names at one level are 0, 1, 2 ..."""
    root: dict[str, Any] = {}
    for name, value in pairs.items():
        first, *steps = name.replace("]", "").split("[")
        assert first == "p"
        place = root
        for step in steps[:-1]:
            place = place.setdefault(step, {})
        place[steps[-1]] = value
    return _lists(root)


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _lists(item) for key, item in value.items()}
    if list(inner) == [str(index) for index in range(len(inner))] and inner:
        return list(inner.values())
    return inner
