"""API keys that are held to one customer: to them nobody else exists, whatever they name and however they were made."""

import hashlib
import itertools
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from agents.models import Action
from chat import api_keys
from chat.authentication import Integrator
from chat.customers import CustomerNotFound
from chat.models import ApiKey, Conversation, Customer, Turn
from tests import rows
from tests.chat.test_api_keys import call, code, decided_with

pytestmark = pytest.mark.django_db

API = "/api/v1"
URL = f"{API}/keys"
EVERYTHING = (
    "chat",
    "approve",
    "tools:call",
    "usage:read",
    "usage:write",
    "manage",
    "audit:read",
    "analytics:read",
)


@pytest.fixture
def ada() -> Customer:
    return rows.customer(subject="cus_ada", name="Ada")


@pytest.fixture
def bob() -> Customer:
    return rows.customer(subject="cus_bob", name="Bob")


def held(to: str, *scopes: str, **more: Any) -> str:
    return api_keys.issue(name="Assistant", scopes=scopes or EVERYTHING, customer=to, **more)[1]


def waits_for_staff(of: Customer, thread: str) -> Action:
    return rows.action(rows.turn(of, thread), rows.waiting_for_staff().tool)


def test_lists_have_the_customers_things_alone(ada: Customer, bob: Customer) -> None:
    mine, theirs = waits_for_staff(ada, "t-ada"), waits_for_staff(bob, "t-bob")
    text = held("cus_ada")

    def threads(query: str = "") -> list[str]:
        found = call(text, f"{API}/conversations{query}").json()["data"]
        assert found["total"] == len(found["conversations"])
        return [one["thread_id"] for one in found["conversations"]]

    def interrupts(query: str = "") -> list[str]:
        found = call(text, f"{API}/interrupts{query}").json()["data"]
        return [one["interrupt_id"] for one in found["interrupts"]]

    assert threads() == threads("?customer=cus_ada") == ["t-ada"]
    assert threads("?customer=cus_bob") == threads(f"?customer={bob.pk}") == threads("?q=t-bob") == []
    assert interrupts() == [str(mine.pk)]
    assert interrupts("?conversation=t-bob") == interrupts("?customer=cus_bob") == []
    assert code(call(text, f"{API}/interrupts/{theirs.pk}")) == (404, "not_found")
    assert decided_with(text, theirs) == (404, "awaiting")
    assert decided_with(text, mine) == (200, "approved")


def test_it_writes_for_its_customer_and_for_nobody_else(ada: Customer, bob: Customer) -> None:
    rows.turn(bob, "t-bob")
    text = held("cus_ada")
    before = (Turn.objects.count(), Conversation.objects.count(), Customer.objects.count())

    def say(thread: str, **more: Any) -> Any:
        return call(text, f"{API}/conversations/{thread}/messages", {"content": "Hi", **more})

    assert code(say("t-bob")) == (404, "thread_not_found")
    assert code(say("t-bob", customer={"subject": "cus_ada"})) == (404, "thread_not_found")
    for somebody, thread in itertools.product(("cus_bob", "cus_nobody", str(bob.pk)), ("t-new", "t-bob")):
        assert code(say(thread, customer={"subject": somebody})) == (404, "customer_not_found")
    assert (Turn.objects.count(), Conversation.objects.count(), Customer.objects.count()) == before

    assert say("t-new").status_code == 202  # it need not say for whom
    assert say("t-newer", customer={"subject": "cus_ada"}).status_code == 202
    assert set(Conversation.objects.filter(customer=ada).values_list("thread_id", flat=True)) == {
        "t-new",
        "t-newer",
    }


def test_what_is_about_all_customers_is_closed_to_it(ada: Customer) -> None:
    text = held("cus_ada", "admin")
    paths = (
        "usage",
        "analytics?range=7d",
        "analytics/export?range=7d",
        "audit",
        "webhooks",
        "agents",
        "openapi/jobs",
    )

    assert [code(call(text, f"{API}/{path}")) for path in paths] == [(403, "forbidden")] * len(paths)
    assert "held to one customer" in call(text, f"{API}/webhooks").json()["error"]["message"]
    grant = {"period": "day", "amount_usd": 5, "reason": "A long claim"}
    assert code(call(text, f"{API}/budgets/grants", grant | {"deployment": True})) == (403, "forbidden")
    assert code(call(text, f"{API}/budgets/grants", grant | {"customer": "cus_nobody"})) == (
        404,
        "customer_not_found",
    )


def test_usage_is_its_customers(ada: Customer, bob: Customer) -> None:
    text = held("cus_ada")

    assert call(text, f"{API}/usage/cus_ada").json()["data"]["customer"] == "cus_ada"
    for name in ("cus_bob", str(bob.pk), "cus_nobody"):
        assert code(call(text, f"{API}/usage/{name}")) == (404, "customer_not_found")


def test_an_idempotency_key_of_its_line_tells_nothing_of_another_customer(
    ada: Customer, bob: Customer
) -> None:
    parent, text = api_keys.issue(name="Desk", scopes=["admin"])
    child = api_keys.issue(name="Child", scopes=["chat"], customer="cus_ada", by=Integrator(parent))[1]

    def say(with_key: str) -> Any:
        body = {"content": "Hi", "customer": {"subject": "cus_bob"}}
        headers = {"X-API-Key": with_key, "Idempotency-Key": "once"}
        path = f"{API}/conversations/t-bob/messages"
        return Client().post(path, body, content_type="application/json", headers=headers)

    assert say(text).status_code == 202
    assert code(say(child)) == (404, "customer_not_found")
    assert say(text).headers["Idempotent-Replayed"] == "true"


def test_a_key_of_a_customer_makes_only_such_keys(ada: Customer, bob: Customer) -> None:
    parent, whole = api_keys.issue(name="Desk", scopes=["admin"])
    made = call(whole, URL, {"name": "Ada's", "scopes": ["admin"], "customer": "cus_ada"}).json()["data"]
    assert made["customer"] == "cus_ada"
    text, before = made["key"], ApiKey.objects.count()

    assert code(call(text, URL, {"name": "x", "scopes": ["chat"], "customer": "cus_bob"})) == (
        404,
        "customer_not_found",
    )
    assert code(call(text, URL, {"name": "x", "scopes": ["chat"], "customer": "cus_new"})) == (
        404,
        "customer_not_found",
    )
    for path in (f"{URL}/{parent.pk}/rotate", f"{URL}/{parent.pk}"):
        assert code(call(text, path, {}, "post" if "rotate" in path else "delete")) == (404, "not_found")
    assert code(call(text, f"{URL}/{parent.pk}")) == (404, "not_found")
    assert (ApiKey.objects.count(), ApiKey.objects.filter(enabled=True).count()) == (before, before)
    assert not Customer.objects.filter(subject="cus_new").exists()

    child = call(text, URL, {"name": "Child", "scopes": ["chat"]}).json()["data"]
    assert child["customer"] == "cus_ada"
    rotated = call(text, f"{URL}/{made['id']}/rotate", {"overlap_hours": 1}).json()["data"]
    assert rotated["customer"] == "cus_ada"
    assert {one["customer"] for one in call(text, URL).json()["data"]["keys"]} == {"cus_ada"}
    assert code(call(rotated["key"], f"{API}/agents")) == (403, "forbidden")
    with pytest.raises(api_keys.KeyNotFound):
        api_keys.replace(parent.pk, by=Integrator(ApiKey.objects.get(pk=made["id"])))
    own = Integrator(ApiKey.objects.get(pk=rotated["id"]))
    with pytest.raises(CustomerNotFound):
        api_keys.issue(name="x", scopes=["chat"], customer="cus_bob", by=own)


def test_whom_nobody_knows_yet_is_made_and_no_name_that_cannot_be_seen() -> None:
    admin = rows.key("admin")

    answer = call(admin, URL, {"name": "x", "scopes": ["chat"], "customer": "cus_first"})
    assert answer.json()["data"]["customer"] == "cus_first"
    assert Customer.objects.get().business_id == "cus_first"
    for name in ("a\u202eb", "a\u0007b", "x" * 256, 7):
        assert call(admin, URL, {"name": "x", "scopes": ["chat"], "customer": name}).status_code == 400
    assert Customer.objects.count() == 1


def test_without_its_customer_it_is_no_key_and_processes_that_know_no_customers_find_none(
    ada: Customer,
) -> None:
    text = held("cus_ada")
    row = ApiKey.objects.get()

    # An older process looks for the SHA-256 of what it was given, whatever that was.
    assert row.key_hash not in (hashlib.sha256(text.encode()).hexdigest(), text)
    assert not set(row.key_hash) <= set("0123456789abcdef")
    assert api_keys.find(text) == row
    with connection.cursor() as cursor:
        cursor.execute("UPDATE chat_apikey SET customer_id = NULL")
    assert api_keys.find(text) is None
    assert call(text, f"{API}/conversations").status_code == 403


def test_the_console_makes_one_and_says_whose_it_is(client: Client, ada: Customer) -> None:
    client.force_login(rows.staff("root", superuser=True))
    form = {"name": "Mail", "scopes": ["chat"]}

    bad = client.post("/admin/chat/apikey/add/", {**form, "held_to": "a\u202eb"})
    assert "characters that nobody sees" in bad.content.decode()
    assert not ApiKey.objects.exists()
    page = client.post("/admin/chat/apikey/add/", {**form, "held_to": "cus_ada"}, follow=True)

    row = ApiKey.objects.get()
    assert row.customer == ada
    assert "sk_" in page.content.decode()
    shown = client.get(reverse("admin:chat_apikey_change", args=[row.pk])).content.decode()
    assert reverse("admin:chat_customer_change", args=[ada.pk]) in shown
    anybodys, _ = api_keys.issue(name="Reader", scopes=["chat"])
    assert (
        "Any customer" in client.get(reverse("admin:chat_apikey_change", args=[anybodys.pk])).content.decode()
    )
