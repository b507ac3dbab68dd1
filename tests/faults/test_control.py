"""The control is fair and works: undisturbed it does what the product does, a kill shows what it shows, and the careful
style is better off than the common one."""

from collections.abc import Iterator

import pytest

from tests.faults import control
from tests.faults.control import Place, play
from tests.faults.control_rows import NOBODY, SCENARIOS, STYLES, Row, cell, markdown

pytestmark = pytest.mark.xdist_group("control")
RETURNED = "after the effect returned"


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with control.running() as place:
        yield place


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_is_found_where_nobody_is_killed(place: Place, style: str, scenario: str) -> None:
    row = play(place, Row(style, NOBODY, 0, scenario), patience=120)

    assert row.findings == []
    assert row.effects == SCENARIOS[scenario].effects


@pytest.mark.parametrize(
    ("style", "scenario", "effects"),
    [("common", "write", 2), ("careful", "write", 1), ("careful", "once", 2)],
)
def test_a_kill_after_the_effect_returned(place: Place, style: str, scenario: str, effects: int) -> None:
    row = play(place, Row(style, RETURNED, 1, scenario), patience=120)

    assert row.effects == effects
    assert row.findings == (["effect doubled"] if effects == 2 else [])
    assert row.seconds is not None


def test_the_table_has_a_row_for_each_point_and_tells_how_many_kills_went_wrong() -> None:
    rows = [
        Row("common", RETURNED, 1, "write", ["effect doubled"], 2, 1.5),
        Row("common", RETURNED, 2, "write", [], 1, 0.5),
        Row("common", RETURNED, 1, "read", [], 0, 0.2),
    ]

    assert cell(rows[:2]) == "**effect doubled 1/2**, 1.5 s"
    assert f"| {RETURNED} | ok, 0.2 s | **effect doubled 1/2**, 1.5 s |" in markdown(rows)
