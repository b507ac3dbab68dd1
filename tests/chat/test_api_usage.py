"""What models cost, by REST: for staff and integrators in dollars, for a customer their own percentage."""

import time
from typing import Any
from urllib.parse import quote

import jwt
import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents.spending.models import BudgetChange
from chat.models import Customer
from tests import rows
from tests.agents.spending_rows import budget, call, entered, spent

pytestmark = pytest.mark.django_db

URL = "/api/v1/usage"
SECRET = "a secret of thirty-two characters!"


@pytest.fixture(autouse=True)
def secret(settings: LazySettings) -> None:
    settings.CUSTOMER_JWT_SECRET = SECRET


def asked(client: Client, path: str = "", *scopes: str) -> Any:
    return client.get(f"{URL}{path}", headers={"X-API-Key": rows.key(*(scopes or ("usage:read",)))})


def token(customer: Customer, **claims: Any) -> dict[str, str]:
    whole = {"sub": customer.subject, "exp": int(time.time()) + 60, **claims}
    return {"Authorization": f"Bearer {jwt.encode(whole, SECRET, algorithm='HS256')}"}


def posted(client: Client, what: str, body: dict[str, Any], key: str = "", **headers: str) -> Any:
    given = {"X-API-Key": key or rows.key("usage:write", name="billing"), **headers}
    return client.post(f"/api/v1/budgets/{what}", body, content_type="application/json", headers=given)


def test_staff_read_spend_and_limits_of_everybody_dearest_first(client: Client) -> None:
    ada, bob = rows.customer(name="Ada Stone"), rows.customer(name="Bob Reed")
    budget(1_000)
    budget(4_000_000, "deployment", "week")
    budget(2_000, "customer", "day", bob.pk)
    spent(300, ada)
    spent(999, bob)
    entered(call(model="nobody-knows"))

    data = asked(client).json()["data"]

    assert [(one["customer"], one["spent_today_usd"]) for one in data["customers"]] == [
        (bob.subject, 0.000999),
        (ada.subject, 0.0003),
    ]
    [own], [each] = (one["limits"] for one in data["customers"])
    assert (own["scope"], own["limit_usd"], own["percent"]) == ("customer", 0.002, 49.9)
    assert (each["scope"], each["limit_usd"], each["percent"]) == ("each_customer", 0.001, 30.0)
    assert (data["deployment"]["spent_week_usd"], data["deployment"]["unknown_calls_week"]) == (0.001299, 1)
    assert [one["scope"] for one in data["deployment"]["limits"]] == ["deployment"]
    assert (data["total"], data["page"], data["per_page"]) == (2, 1, 20)


def test_pages_ask_the_database_no_more_for_more_customers(client: Client) -> None:
    budget(1_000_000)
    for _ in range(6):
        spent(5, rows.customer())
    key = {"X-API-Key": rows.key("usage:read")}
    counts, seen = [], []
    for number in (1, 2, 3):
        with CaptureQueriesContext(connection) as queries:
            data = client.get(f"{URL}?per_page=2&page={number}", headers=key).json()["data"]
        counts.append(len(queries))
        seen += [one["id"] for one in data["customers"]]

    assert len(set(seen)) == 6
    assert max(counts[1:]) == min(counts[1:]) <= 10


def test_one_customer_by_their_own_id_or_ours(client: Client) -> None:
    ada = rows.customer(subject="shop/ada 7")
    spent(300, ada)

    for name in ("shop/ada 7", str(ada.pk)):
        assert asked(client, f"/{quote(name, safe='')}").json()["data"]["spent_week_usd"] == 0.0003
    for name in ("nobody", "%00", "00000000-0000-4000-8000-000000000000"):
        answer = asked(client, f"/{name}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "customer_not_found")


def test_a_customer_reads_their_own_percentage_and_no_amount(client: Client) -> None:
    ada = rows.customer()
    budget(10_000)
    budget(1_000, "deployment")
    spent(9_996, ada)

    answer = client.get(f"{URL}/{ada.subject}", headers=token(ada))

    assert answer.status_code == 200
    [limit] = answer.json()["data"]["limits"]
    assert set(limit) == {"period", "percent", "resets_at"}
    assert (limit["period"], limit["percent"]) == ("day", 99.9)
    assert "usd" not in answer.content.decode()
    spent(50_000, ada)
    [limit] = client.get(f"{URL}/{ada.pk}", headers=token(ada)).json()["data"]["limits"]
    assert limit["percent"] == 100.0


def test_another_customer_does_not_exist_for_a_customer(client: Client) -> None:
    ada, eve = rows.customer(), rows.customer()
    spent(300, ada)

    others = client.get(f"{URL}/{ada.subject}", headers=token(eve))
    nobodys = client.get(f"{URL}/nobody", headers=token(eve))

    assert (others.status_code, others.content) == (404, nobodys.content)


def test_a_customers_token_opens_nothing_else(client: Client) -> None:
    ada = rows.customer()
    own = token(ada)

    listed = client.get(URL, headers=own)
    bad = [
        client.get(f"{URL}/{ada.subject}", headers=headers)
        for headers in (token(ada, exp=1), {"Authorization": "Bearer x"}, {"Authorization": "Bearer "}, {})
    ]
    written = client.post(
        "/api/v1/budgets/grants",
        {"customer": ada.subject, "period": "day", "amount_usd": 5, "reason": "x"},
        content_type="application/json",
        headers=own,
    )

    assert [answer.status_code for answer in (listed, *bad, written)] == [401] * 6
    assert asked(client, f"/{ada.subject}", "conversations:read").status_code == 403
    assert not BudgetChange.objects.exists()


def test_grants_resets_and_exemptions_change_how_it_stands(client: Client) -> None:
    ada = rows.customer()
    budget(1_000)
    spent(1_500, ada)
    who = {"customer": ada.subject, "reason": "A long claim"}

    granted = posted(client, "grants", {**who, "period": "day", "amount_usd": 0.002})
    reset = posted(client, "resets", {**who, "period": "day"})
    exempt = posted(client, "exemptions", {**who, "until": "2100-01-01T00:00:00Z"})
    ended = posted(client, "exemptions", {**who, "exempt": False})

    assert [answer.status_code for answer in (granted, reset, exempt, ended)] == [201] * 4
    limits = [answer.json()["data"]["limits"][0] for answer in (granted, reset, exempt, ended)]
    assert [(one["percent"], one["exempt"]) for one in limits] == [
        (50.0, False),
        (0.0, False),
        (0.0, True),
        (0.0, False),
    ]
    assert set(BudgetChange.objects.values_list("by_name", "reason")) == {("API key billing", "A long claim")}


def test_a_repeated_request_grants_once(client: Client) -> None:
    body = {"deployment": True, "period": "week", "amount_usd": "5", "reason": "Launch"}
    key, other = rows.key("usage:write"), rows.key("usage:write")

    first = posted(client, "grants", body, key, **{"Idempotency-Key": "k-1"})
    again = posted(client, "grants", body, key, **{"Idempotency-Key": "k-1"})
    elsewhere = posted(client, "grants", body, other, **{"Idempotency-Key": "k-1"})

    assert first.json() == again.json()
    assert elsewhere.json()["data"]["id"] != first.json()["data"]["id"]
    assert BudgetChange.objects.count() == 2


@pytest.mark.parametrize(
    ("what", "change", "field"),
    [
        ("grants", {"amount_usd": 0}, "amount_usd"),
        ("grants", {"amount_usd": -5}, "amount_usd"),
        ("grants", {"amount_usd": "１"}, "amount_usd"),
        ("grants", {"amount_usd": True}, "amount_usd"),
        ("grants", {"amount_usd": 1e-7}, "amount_usd"),
        ("grants", {"amount_usd": 1e6}, "amount_usd"),
        ("grants", {"period": "month"}, "period"),
        ("grants", {"reason": " "}, "reason"),
        ("grants", {"reason": 5}, "reason"),
        ("grants", {"deployment": True}, "customer"),
        ("grants", {"customer": None}, "customer"),
        ("grants", {"limit": 5}, "limit"),
        ("exemptions", {"until": "soon"}, "until"),
        ("exemptions", {"exempt": "false"}, "exempt"),
    ],
)
def test_a_change_that_cannot_be_is_refused_with_its_field(
    client: Client, what: str, change: dict[str, Any], field: str
) -> None:
    ada = rows.customer()
    body: dict[str, Any] = {"customer": ada.subject, "reason": "x"}
    body |= {"period": "day", "amount_usd": 5} if what == "grants" else {}

    answer = posted(client, what, body | change)

    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == [field]
    assert not BudgetChange.objects.exists()


def test_a_budget_of_nobody_is_changed_by_nobody(client: Client) -> None:
    nameless = posted(client, "resets", {"period": "day", "reason": "x"})
    unknown = posted(client, "resets", {"customer": "nobody", "period": "day", "reason": "x"})
    past = posted(client, "exemptions", {"deployment": True, "until": "2020-01-01T00:00:00Z", "reason": "x"})
    reads = posted(
        client, "resets", {"deployment": True, "period": "day", "reason": "x"}, rows.key("usage:read")
    )

    assert [answer.status_code for answer in (nameless, unknown, past, reads)] == [400, 404, 400, 403]
    assert not BudgetChange.objects.exists()
