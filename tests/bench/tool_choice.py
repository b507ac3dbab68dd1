"""`python -m tests.bench.tool_choice [document.json questions.tsv]`: is the right tool among the ones that are found?

Asks questions of an API in other words than its own, and prints how often a right operation is among the first 1, 5, 10
and 28 of the tools found, and what a search takes. Without arguments: the made-up business API of
`tests.bench.tool_choice_api`. Questions in odd lines were there to tune on; the even ones are what is reported. The
unseen ones were written after the words and weights were settled, and nothing may be tuned on them.
"""

import json
import re
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
QUESTIONS = HERE / "tool_choice_shop_questions.tsv"
UNSEEN = HERE / "tool_choice_unseen_questions.tsv"
METHODS = ("get", "put", "post", "patch", "delete")
PLACES = (1, 5, 10, 28)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and the operations that would do."""

    text: str
    wanted: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answer:
    question: Question
    found: tuple[str, ...]
    milliseconds: float

    @property
    def place(self) -> int:
        """Where the first right operation stands, from 1; 0 where it was not found."""
        return next((place for place, name in enumerate(self.found, 1) if name in self.question.wanted), 0)


def questions(path: Path = QUESTIONS) -> list[Question]:
    """Lines of "operation id[ operation id ...]<tab>question"."""
    lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line)
    return [Question(text, frozenset(map(tool_name, wanted.split()))) for wanted, text in lines]


def tool_name(operation_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", operation_id)[:64]


def give(agent: str, document: dict[str, Any]) -> int:
    """Make the operations of a document tools of a new agent; how many there are."""
    from django.utils import timezone

    from agents.models import Agent, AgentTool, Tool
    from openapi_import.models import SpecSource

    source = SpecSource.objects.create(name=agent, document_hash="0" * 64, fetched_at=timezone.now())
    row = Agent.objects.create(name=agent, description="Does everything.", permission="write")
    tools = Tool.objects.bulk_create(Tool(source=source, **fields) for fields in operations(document))
    AgentTool.objects.bulk_create(
        AgentTool(agent=row, tool=tool, position=position) for position, tool in enumerate(tools)
    )
    return len(tools)


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The fields of a Tool row for each operation."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if operation := item.get(method):
                reads = method == "get"
                summary = operation.get("summary") or operation["operationId"]
                yield {
                    "name": tool_name(operation["operationId"]),
                    "title": summary[:120],
                    "description": f"{summary}\n{operation.get('description', '')}"[:1000],
                    "operation_id": operation["operationId"],
                    "method": method.upper(),
                    "server_url": "https://api.example.com",
                    "path": path,
                    "input_schema": _schema(
                        document, [*item.get("parameters", []), *operation.get("parameters", [])], operation
                    ),
                    "access": "read" if reads else "write",
                    "approval": "none" if reads else "staff",
                }


def _schema(document: dict[str, Any], parameters: list[Any], operation: dict[str, Any]) -> dict[str, Any]:
    properties = {}
    for parameter in parameters:
        parameter = _resolved(document, parameter)
        properties[parameter["name"]] = {"type": "string", "description": parameter.get("description", "")}
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    body = _resolved(document, content.get("schema", {}))
    for name, declared in (body.get("properties") or {}).items():
        described = _resolved(document, declared).get("description", "")
        properties[name] = {"type": "string", "description": described}
    return {"type": "object", "properties": properties}


def _resolved(document: dict[str, Any], found: Any) -> Any:
    while isinstance(found, dict) and "$ref" in found:
        target: Any = document
        for part in found["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        found = target
    return found


def ask(agent: str, asked: list[Question]) -> list[Answer]:
    from agents import tool_index

    answers = []
    for question in asked:
        started = time.perf_counter()
        [found] = tool_index.search(agent, [question.text], limit=PLACES[-1])
        answers.append(Answer(question, tuple(found), (time.perf_counter() - started) * 1000))
    return answers


def recall(answers: list[Answer], among: int) -> float:
    """The share of questions with a right operation among the first so many."""
    return sum(0 < answer.place <= among for answer in answers) / len(answers)


def report(name: str, answers: list[Answer]) -> str:
    shares = "  ".join(f"@{among} {recall(answers, among):.3f}" for among in PLACES)
    taken = [answer.milliseconds for answer in answers]
    times = f"median {statistics.median(taken):.1f} ms, worst {max(taken):.1f} ms"
    return f"{name:<10} {len(answers):>4} questions   recall {shares}   {times}"


def main() -> None:
    import django

    from tests import settings  # noqa: F401  servers of this run

    django.setup()
    from django.db import connection

    from tests.bench import tool_choice_api

    document, path = tool_choice_api.document(), QUESTIONS
    if sys.argv[1:]:
        document = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
        path = Path(sys.argv[2])
    connection.creation.create_test_db(verbosity=0)
    try:
        print(f"{give('everything', document)} operations")
        asked = questions(path)
        ask("everything", asked[:5])  # the first searches of a connection plan and load
        unseen = [] if sys.argv[1:] else questions(UNSEEN)
        for name, part in (("tuned on", asked[::2]), ("reported", asked[1::2]), ("unseen", unseen)):
            if part:
                print(report(name, ask("everything", part)))
    finally:
        connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)


if __name__ == "__main__":
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    main()
