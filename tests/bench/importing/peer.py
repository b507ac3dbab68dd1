"""FastMCP's `from_openapi` on one document, judged by the same judge. Run by the interpreter of its own environment:
`python peer.py FILE` prints one line of JSON."""

import asyncio
import json
import logging
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


def main(path: Path) -> dict[str, Any]:
    sys.path.insert(0, str(ROOT))
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    import httpx2
    from fastmcp import FastMCP

    from tests.bench.importing.corpus import load
    from tests.bench.importing.spec_server import Sent
    from tests.bench.importing.verdict import Candidate, judge

    document = load(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    client = httpx2.AsyncClient(base_url="https://api.example.com")
    server = FastMCP.from_openapi(json.loads(json.dumps(document)), client=client)
    tools = asyncio.run(server.list_tools())
    taken = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def candidate(tool: Any) -> Candidate:
        route = tool._route

        def request(arguments: dict[str, Any]) -> Sent:
            made = tool._director.build(route, arguments, "https://api.example.com")
            headers = {name.lower(): value for name, value in made.headers.items()}
            return Sent(made.method, str(made.url), headers, made.read())

        filled = {
            entry["openapi_name"] for entry in route.parameter_map.values() if entry["location"] == "path"
        }
        return Candidate(
            route.method.upper(), route.path, tool.name, tool.parameters, request, lambda name: name in filled
        )

    return {
        "seconds": taken,
        "peak_mib": peak / 1024,
        "before_mib": before / 1024,
        **summed(judge(document, [candidate(tool) for tool in tools])),
    }


def summed(verdict: Any) -> dict[str, Any]:
    return {
        "operations": verdict.operations,
        "usable": verdict.usable,
        "not_judged": verdict.not_judged,
        "reasons": dict(verdict.reasons),
        "examples": verdict.examples,
        "full_refused": verdict.full_refused,
        "full_examples": verdict.full_examples,
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
