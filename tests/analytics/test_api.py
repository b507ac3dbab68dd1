"""`GET analytics` and its export, as the contract has them."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from analytics import rollups, spreadsheets
from analytics.models import ConversationFact
from tests import rows
from tests.analytics.scripted import write

pytestmark = pytest.mark.django_db

BAD_FORMAT = "Invalid range format. Expected: '<N>d' e.g. '7d', '30d'."
OUT_OF_BOUNDS = "Range must be between 1 and 365 days."


@pytest.fixture
def integrator() -> Client:
    return Client(headers={"X-API-Key": rows.key("analytics:read")})


def begun(days_ago: int, name: str, script: str, customer: str = "") -> None:
    start = timezone.now() - timedelta(days=days_ago)
    write(name, customer=customer or name, start=start, script=script)


def asked(client: Client, text: str = "7d") -> Any:
    answer = client.get("/api/v1/analytics", {"range": text})
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


def test_the_fields_of_the_contract(integrator: Client) -> None:
    begun(1, "a", "0s m, 1s @order_lookup read.ok/40, 2s r, 2s end, 2s $2500, 3s approved/60, 3s expired")
    begun(2, "b", "0s m, 1s handoff, 2s @order_actions r, 2s end, 3s rejected/5, 4s m, 5s r, 5s end")
    begun(7, "c", "0s m, 2s r, 2s end")

    data = asked(integrator)

    assert (data["range"], data["total_conversations"]) == ("7d", 2)
    assert (data["resolution_rate"], data["escalation_rate"]) == (0.5, 0.5)
    assert data["avg_turns_per_conversation"] == 1.5
    assert data["avg_cost_per_conversation_usd"] == 0.00125
    usage = [(one["agent"], one["count"], one["percentage"]) for one in data["agent_usage"]]
    assert usage == [("order_actions", 1, 50.0), ("order_lookup", 1, 50.0)]
    assert {name: data["interrupt_stats"][name] for name in ("total", "approved", "rejected", "expired")} == {
        "total": 3,
        "approved": 1,
        "rejected": 1,
        "expired": 1,
    }
    assert sum(one["share"] for one in data["outcomes"]) == pytest.approx(1)
    assert [one["total_conversations"] for one in data["days"]] == [0, 0, 0, 0, 1, 1, 0]
    assert asked(integrator, "8d")["total_conversations"] == 3
    assert asked(integrator, "1d")["total_conversations"] == 0


def test_nothing_yet_is_zero_and_no_error(integrator: Client) -> None:
    data = asked(integrator)

    assert (data["total_conversations"], data["resolution_rate"], data["agent_usage"]) == (0, 0.0, [])
    assert data["interrupt_stats"]["total"] == 0
    assert data["avg_cost_per_resolution_usd"] is None


def test_what_happened_a_moment_ago_is_counted(integrator: Client) -> None:
    begun(0, "a", "0s m")
    assert asked(integrator)["total_conversations"] == 1

    assert ConversationFact.objects.count() == 1
    assert asked(integrator)["pending"] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", BAD_FORMAT),
        ("7", BAD_FORMAT),
        ("d", BAD_FORMAT),
        ("7 d", BAD_FORMAT),
        ("7d\n", BAD_FORMAT),
        ("-7d", BAD_FORMAT),
        ("+7d", BAD_FORMAT),
        ("7.5d", BAD_FORMAT),
        ("7D", BAD_FORMAT),
        ("٧d", BAD_FORMAT),
        ("７d", BAD_FORMAT),
        ("0d", OUT_OF_BOUNDS),
        ("000d", OUT_OF_BOUNDS),
        ("366d", OUT_OF_BOUNDS),
        ("9" * 5_000 + "d", OUT_OF_BOUNDS),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/analytics", "/api/v1/analytics/export"])
def test_a_range_is_ascii_digits_and_a_d(integrator: Client, path: str, text: str, message: str) -> None:
    answer = integrator.get(path, {"range": text})

    assert (answer.status_code, answer.json()["error"]["message"]) == (400, message)
    assert answer.json()["success"] is False


@pytest.mark.parametrize("text", ["1d", "007d", "365d"])
def test_both_ends_are_fine(integrator: Client, text: str) -> None:
    assert asked(integrator, text)["range"] == text.lstrip("0")


def test_who_may_ask(client: Client) -> None:
    begun(0, "a", "0s m")
    assert client.get("/api/v1/analytics").status_code == 401
    for path in ("/api/v1/analytics", "/api/v1/analytics/export"):
        key = rows.key("conversations:read", "agents:read")
        assert client.get(path, headers={"X-API-Key": key}).status_code == 403
        client.force_login(rows.staff(f"viewer of {path}", "chat.view_conversation"))
        assert client.get(path).status_code == 403
    assert not ConversationFact.objects.exists()

    client.force_login(rows.staff("lead", "analytics.view_analytics"))
    assert client.get("/api/v1/analytics").status_code == 200


def exported(client: Client, what: str) -> list[list[str]]:
    answer = client.get("/api/v1/analytics/export", {"range": "7d", "what": what})
    assert answer["Content-Type"].startswith("text/csv")
    assert f"analytics-{what}-" in answer["Content-Disposition"]
    return list(csv.reader(io.StringIO(answer.content.decode())))


def test_tables_as_csv(integrator: Client) -> None:
    begun(1, "a", "0s m, 1s @=cmd|calc !@SUM(A1) read.ok/40, 2s r, 2s end, 2s $2500")
    rollups.roll_up()

    days, agents, tools = (exported(integrator, what) for what in ("days", "agents", "tools"))

    assert [row[:2] for row in days[-2:]] == [[days[-2][0], "1"], [days[-1][0], "0"]]
    assert len(days) == 8
    assert dict(zip(days[0], days[-2], strict=True))["cost_usd"] == "0.002500"
    assert agents[1:] == [["'=cmd|calc", "1", "1.0", "1", "0", "0.002500"]]
    assert tools[1:] == [["'@SUM(A1)", "1", "0", "0.0", "41"]]  # the bound of its bucket
    assert integrator.get("/api/v1/analytics/export", {"what": "people"}).status_code == 400


def test_no_cell_is_a_formula() -> None:
    texts = ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", "＝1", "＠a", "a=1", ""]

    (read,) = csv.reader(io.StringIO(spreadsheets.written([texts]), newline=""))

    assert read == ["'=1+1", "'+1", "'-1", "'@a", "'\t=1", "'\r=1", "'\n=1", "'＝1", "'＠a", "a=1", ""]


def test_it_is_documented_with_an_example(client: Client) -> None:
    document = client.get("/api/v1/schema/", headers={"Accept": "application/json"}).json()

    answer = document["paths"]["/api/v1/analytics"]["get"]["responses"]["200"]["content"]["application/json"]
    example = next(iter(answer["examples"].values()))["value"]
    described = document["components"]["schemas"]["Analytics"]["properties"]
    assert set(example["data"]) == set(described)
    assert "/api/v1/analytics/export" in document["paths"]
