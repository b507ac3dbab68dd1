"""The definitions as Markdown: the part of docs/analytics.md between its two marks is made from the docstrings."""

from pathlib import Path

from django.conf import settings

from analytics import definitions
from analytics.definitions import METRICS, PARTITION, Outcome, meaning_of

PAGE = Path(settings.BASE_DIR) / "docs" / "analytics.md"
BEGIN, END = "<!-- definitions -->", "<!-- end of definitions -->"
OTHERS = {
    "Share of an agent": definitions.agent_share,
    "Failure rate of a tool": definitions.tool_failure_rate,
    "p95 of a tool": definitions.tool_p95,
}


def markdown() -> str:
    """Two tables: the outcomes in their order, and every metric with its formula."""
    lines = ["### Outcomes", "", "| | outcome | in the API | when |", "|---|---|---|---|"]
    for number, one in enumerate(PARTITION, start=1):
        lines.append(f"| {number} | {Outcome(one).label} | `{one.value}` | {meaning_of(one)} |")
    lines += ["", "### Metrics", "", "| metric | what it says | formula |", "|---|---|---|"]
    lines += [f"| {one.title} | {one.meaning} | {one.formula} |" for one in METRICS.values()]
    for title, documented in OTHERS.items():
        meaning, _, formula = " ".join((documented.__doc__ or "").split()).partition(" Formula: ")
        lines.append(f"| {title} | {meaning} | {formula} |")
    return "\n".join(lines)


def with_definitions(page: str) -> str:
    """The page with the part between its marks made anew. Raises ValueError where a mark is missing."""
    start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    return f"{page[:start]}\n{markdown()}\n{page[end:]}"
