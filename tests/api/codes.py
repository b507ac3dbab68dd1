"""Every code that a refusal may have: those of the source, those of the published document, and the table of both.

`python -m tests.api.codes` prints the table for docs/api.md.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.api.published import operations

ROOT = Path(__file__).resolve().parents[2]
APPS = ("agents", "analytics", "chat", "openapi_import", "replay", "smartsupport")
NOT_OVER_REST = {
    "chat/protocol.py": "frames of the chat socket",
    "chat/mcp/calling.py": "answers of MCP",
    "chat/mcp/refusals.py": "answers of MCP",
    "chat/direct_calls.py": "answers of MCP",
    "chat/identity.py": "the chat's own visitors; usage answers 401 in its place",
    "agents/agents_plan.py": "the console's preview of an import",
    "agents/history": "the console's history",
    "agents/links/deciding.py": "the page behind a link",
    "agents/providers": "turns: they end as failed",
    "agents/read_back.py": "the console's settlement",
    "agents/registry.py": "seeding",
    "agents/spending/prices.py": "the console's price list",
    "openapi_import/reader.py": "jobs: they end as failed",
    "replay/admin.py": "the console",
    "smartsupport/lib/errors.py": "the base of all",
    "smartsupport/lib/sealing.py": "jobs and turns",
    "smartsupport/lib/safe_http": "requests of ours to others",
}
"""Where codes are that no route answers, and who does."""
NEVER_OVER_REST = {
    "invalid_strategy": "the shape of the request has refused it before",
    "spec_unavailable": "an import fails with it in the background",
}
VARIES = "The request could not be carried out."


def of_the_source() -> dict[str, list[str]]:
    """{code: the files that have a ServiceError with it}, without those of NOT_OVER_REST."""
    found: dict[str, list[str]] = {}
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if "ServiceError" in (text := path.read_text()) and not name.startswith(tuple(NOT_OVER_REST)):
                for code in set(_codes(ast.parse(text))) - NEVER_OVER_REST.keys():
                    found.setdefault(code, []).append(name)
    return found


def of_the_document() -> dict[str, dict[str, str]]:
    """{code: {status: an example of its message}}."""
    found: dict[str, dict[str, str]] = {}
    for operation in operations().values():
        for status, response in operation["responses"].items():
            for code in response.get("x-problem-codes", ()):
                example = response["content"]["application/json"]["examples"][code]["value"]
                found.setdefault(code, {}).setdefault(status, example["error"]["message"])
    return found


def table() -> str:
    """In Markdown, by code."""
    rows = ["| code | status | message |", "|---|---|---|"]
    for code, statuses in sorted(of_the_document().items()):
        messages = {
            message if message != VARIES else "*(says what is wrong)*" for message in statuses.values()
        }
        shown = " · ".join(sorted(message.replace("|", "\\|") for message in messages))
        rows.append(f"| `{code}` | {', '.join(sorted(statuses))} | {shown} |")
    return "\n".join(rows)


def _codes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                if isinstance(statement, ast.Assign):
                    yield from _assigned(statement)


def _assigned(statement: ast.Assign) -> Iterator[str]:
    target, value = statement.targets[0], statement.value
    pairs = (
        zip(target.elts, value.elts, strict=True)
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
        else [(target, value)]
    )
    for one, given in pairs:
        if isinstance(one, ast.Name) and one.id == "code" and isinstance(given, ast.Constant):
            yield str(given.value)


if __name__ == "__main__":
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    print(table())
