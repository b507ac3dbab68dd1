"""Each metric, on conversations that were counted by hand. The numbers below were written down before they were
computed."""

from datetime import date
from typing import Any

import pytest

from analytics import rollups, summary
from analytics.definitions import Outcome
from analytics.models import ConversationFact
from tests.analytics import forty_five

# One database of rows for all of this module's looks at it: nothing here writes.
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def counted(django_db_setup: None, django_db_blocker: Any) -> Any:
    from django.db import transaction

    with django_db_blocker.unblock():
        with transaction.atomic():
            forty_five.write_all()
            rollups.roll_up(now=forty_five.NOW)
            yield summary.report(forty_five.WEEK)
            transaction.set_rollback(True)


def bound(milliseconds: int) -> int:
    """The upper bound of the bucket of a duration, counted up from 0 by the rule: a tenth more, at least 1, rounded
    up."""
    upper = 0
    while upper < milliseconds:
        upper = max(upper + 1, -(-upper * 11 // 10))
    return upper


def test_every_conversation_has_the_outcome_that_its_line_says(counted: summary.Report) -> None:
    found = dict(ConversationFact.objects.values_list("conversation__thread_id", "outcome"))

    assert found == forty_five.outcomes()


def test_the_outcomes_are_a_partition(counted: summary.Report) -> None:
    totals = counted.totals

    assert totals.total == 45
    assert {one.value: getattr(totals, one.value) for one in Outcome} == {
        "confirmed": 5,  # c01 to c05
        "evidence": 11,  # e01 to e11
        "contained": 9,  # k01 to k09
        "escalated": 8,  # s01 to s08
        "unresolved": 9,  # u01 to u09
        "open": 3,  # o01 to o03
    }
    assert sum(summary.shares(totals).values()) == pytest.approx(1, abs=1e-12)


def test_rates(counted: summary.Report) -> None:
    assert counted.value("resolution_rate") == 25 / 45  # 5 + 11 + 9
    assert (
        counted.value("escalation_rate") == 10 / 45
    )  # the 8 escalated, and c03 and e04, whom an agent helped later
    # With an agent's answer and no person: 4 confirmed (not c03), 10 by evidence (not e04), 9 contained,
    # 6 unresolved (not u01, u06 and u08, which had no answer), 1 open (o02).
    assert counted.value("containment_rate") == 30 / 45
    assert counted.value("avg_turns") == 51 / 45  # one each, and a second in c04, e04, k02, s03, s04, s07


def test_first_response_of_agents(counted: summary.Report) -> None:
    # 39: not u01, u08, o01, o03, s08 (no words of an agent) and s04 (a colleague wrote first). In seconds:
    # 1 (k02); 17 x 2 (c03 e04 e07 e11 k01 k05 k06 k07 k08 s01 s06 s07 u03 u04 u06 u07 o02);
    # 8 x 3 (c01 e02 e03 e10 s02 s05 u02 u05); 4 x 4 (c02 e08 e09 s03); 2 x 5 (c05 k04); 13, 25, 35, 45, 64, 603, 1860
    assert sum(counted.totals.first_answers.values()) == 39
    assert counted.value("first_response_median") == bound(3_000)  # the 20th of 39
    assert counted.value("first_response_p95") == bound(603_000)  # the 38th (37.05, rounded up)


def test_first_response_of_people_is_not_that_of_agents(counted: summary.Report) -> None:
    # From the request: c03 718 s, e04 359 s, s02 3598 s, s06 418 s. Nobody had asked, so from the newest message
    # before: s03 60 s, s04 30 s, s08 60 s. Nobody came in s01, s05 and s07.
    assert sum(counted.totals.person_answers.values()) == 7
    assert counted.value("person_response_median") == bound(359_000)  # the 4th of 30 60 60 359 418 718 3598
    assert counted.value("person_response_p95") == bound(3_598_000)  # the 7th


def test_time_to_resolution(counted: summary.Report) -> None:
    # 25 resolved. In seconds: 7 x 2 (e07 e11 k01 k05 k06 k07 k08), 4 x 3 (c01 e02 e03 e10), 3 x 4 (c02 e08 e09),
    # 2 x 5 (c05 k04), 13 (k03), 35 (e05), 45 (e06), 63 (k02), 64 (e01), 603 (c04), 665 (e04), 720 (c03: the colleague's
    # words, the last before the yes), 1860 (k09)
    assert sum(counted.totals.resolutions.values()) == 25
    assert counted.value("resolution_time_median") == bound(4_000)  # the 13th
    assert counted.value("resolution_time_p95") == bound(720_000)  # the 24th (23.75, rounded up)


def test_cost(counted: summary.Report) -> None:
    # 900 (c01) + 2000 (e01) + 500 (e02) + 100 (s01) micro-dollars; what u01 cost nobody knows.
    assert counted.totals.cost_micros == 3_500
    assert counted.totals.unpriced_calls == 1
    assert counted.value("cost_per_conversation") == 3_500 / 45
    assert counted.value("cost_per_resolution") == 140  # 3500 / 25


def test_approvals(counted: summary.Report) -> None:
    totals = counted.totals

    assert (totals.approved, totals.rejected, totals.expired, totals.cancelled, totals.awaiting) == (
        4,
        1,
        1,
        1,
        1,
    )
    assert counted.value("approvals") == 8
    # Decided after 10 (k03), 20 (u09), 30 (e05), 30 (e06), 60 s (e01)
    assert sum(totals.approval_waits.values()) == 5
    assert counted.value("approval_wait_median") == bound(30_000)


def test_satisfaction(counted: summary.Report) -> None:
    totals = counted.totals

    # Asked: c01 c02 c03 c04 e10 s05 u02, and k01, which did not answer. c05 answered without being asked.
    assert (totals.asked, totals.answered) == (8, 7)
    assert counted.value("feedback_response_rate") == 7 / 8
    # Scores: 5 (c01), 4 (c03), 1 (c04), 3 (c05), 5 (e10), 2 (s05), 1 (u02)
    assert (totals.scored, totals.good, totals.scores) == (7, 3, 21)
    assert counted.value("satisfaction") == 3 / 7
    assert counted.value("average_score") == 3


def test_agents(counted: summary.Report) -> None:
    lookup, actions = counted.agents

    # All but u01, u06, u08 and o01 (no answer, call or approval) and e01 and e08 (only the other agent)
    assert (lookup.agent, lookup.conversations, lookup.share) == ("order_lookup", 39, 39 / 45)
    assert lookup.resolved == 23  # 25 without e01 and e08
    assert lookup.with_person == 10  # c03, e04, s01 to s08
    assert lookup.cost_micros == 1_500  # 900 + 500 + 100
    # e01, e04 (its second turn), e08
    assert (actions.agent, actions.conversations, actions.resolved) == ("order_actions", 3, 3)
    assert (actions.with_person, actions.cost_micros) == (1, 2_000)


def test_tools(counted: summary.Report) -> None:
    status, cancel = counted.tools

    # c01 e02 e03(2) e07 e10 e11 s05 s07 u02 u04 u05; failed: one of e03, u05. The refused call of e03 was none.
    assert (status.tool, status.calls, status.failures) == ("get_order_status", 12, 2)
    assert status.failure_rate == 2 / 12
    assert status.p95_ms == bound(300)  # the 12th of 12
    # e01 e04 e05 e06 e08 e09 u09; nobody saw what became of e05 and u09; e06 was answered after all, in 7 s
    assert (cancel.tool, cancel.calls, cancel.failures) == ("cancel_order", 7, 2)
    assert cancel.p95_ms == bound(7_000)


def test_each_conversation_counts_on_the_day_on_which_it_began(counted: summary.Report) -> None:
    # e05 was settled two hours later, u09's note came an hour later, e04's second turn is its first day's too.
    days = {day.day: totals.total for day, totals in counted.days}

    assert days == {1: 4, 2: 7, 3: 8, 4: 6, 5: 6, 6: 8, 7: 2, 8: 4}
    assert counted.days[0][0] == date(2026, 11, 1)
