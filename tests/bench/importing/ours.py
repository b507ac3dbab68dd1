"""The product on many documents: `python -m tests.bench.importing.ours FILE ...` prints a line of JSON for each."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartsupport.settings")
os.environ.setdefault("IMPORT_MAX_BYTES", str(100 * 1024 * 1024))

import django

django.setup()

from agents.models import Tool  # noqa: E402
from agents.tool_request import build  # noqa: E402
from openapi_import.reader import ReadingFailed, read  # noqa: E402
from tests.bench.importing.corpus import load  # noqa: E402
from tests.bench.importing.peer import summed  # noqa: E402
from tests.bench.importing.spec_server import Sent  # noqa: E402
from tests.bench.importing.verdict import Candidate, judge  # noqa: E402

HOME = "https://documents.example"
"""Where the files pretend to be from, so that relative servers have something to be relative to."""
FIELDS = ("server_url", "parameters", "request_body", "input_schema", "security", "response")


def main(path: Path) -> dict[str, Any]:
    started = time.perf_counter()
    lines, failure = [], ""
    try:
        for line in read(
            path.read_bytes(),
            filename=path.name,
            base_url=HOME + str(path.resolve()),
            fetch=lambda url: _beside(path, url),
            stop=lambda: False,
        ):
            lines.append(line)
        if lines and lines[-1]["kind"] == "failed":
            failure = lines[-1]["message"]
    except ReadingFailed as error:
        failure = error.message
    taken = time.perf_counter() - started
    peak = lines[-1].get("peak_kib", 0) if lines else 0
    result: dict[str, Any] = {"seconds": taken, "peak_mib": peak / 1024, "failed": failure}
    result["faults"] = sum(line["kind"] == "fault" for line in lines)
    try:
        document = load(path)
    except (ValueError, RecursionError) as error:
        return result | {"unreadable": str(error)[:200]}
    made = [line for line in lines if line["kind"] == "operation"]
    result["unusable"] = [
        f"{one['method']} {one['path']}: {one['unusable']}" for one in made if one["unusable"]
    ][:5]
    if not isinstance(document, dict):
        return result | {"unreadable": "no object"}
    return result | summed(judge(document, [_candidate(one) for one in made if not one["unusable"]]))


def _candidate(made: dict[str, Any]) -> Candidate:
    tool = Tool(name=made["name"], method=made["method"], path=made["path"])
    for field in FIELDS:
        setattr(tool, field, made["tool"][field])

    def request(arguments: dict[str, Any]) -> Sent:
        built = build(tool, arguments, {})
        return Sent(
            built.method,
            built.address,
            {k.lower(): v for k, v in built.headers.items()},
            built.body or b"",
        )

    proofs = frozenset(
        (scheme["in"], scheme["name"].lower())
        for alternative in tool.security
        for scheme in alternative.values()
        if scheme["kind"] == "apiKey"
    )
    filled = {one["name"] for one in tool.parameters if one["in"] == "path"}
    return Candidate(
        made["method"],
        made["path"],
        made["name"],
        tool.input_schema,
        request,
        lambda name: name in filled,
        proofs,
    )


def _beside(path: Path, url: str) -> bytes:
    """A file of the same folder, as its server would give it."""
    wanted = Path(unquote(url.removeprefix(HOME)))
    if (
        path.resolve().parent not in wanted.resolve().parents
        and path.resolve().parents[1] not in wanted.resolve().parents
    ):
        raise FileNotFoundError(url)
    return wanted.read_bytes()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(json.dumps({"file": name, **main(Path(name))}), flush=True)
