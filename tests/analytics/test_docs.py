"""What is written about analytics is what is counted."""

from analytics.definitions import METRICS, Outcome
from analytics.written_definitions import PAGE, markdown, with_definitions


def test_the_page_says_what_the_docstrings_say() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert with_definitions(page) == page, "manage.py write_analytics_docs"


def test_every_metric_and_outcome_has_a_meaning_and_a_formula() -> None:
    lines = markdown().splitlines()

    assert all(metric.meaning and metric.formula for metric in METRICS.values())
    for one in Outcome:
        assert sum(f"`{one.value}`" in line for line in lines) == 1
    for metric in METRICS.values():
        assert f"| {metric.title} | {metric.meaning} | {metric.formula} |" in lines
