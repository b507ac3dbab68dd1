"""What is stored of a customer is named, given to them, taken away, and forgotten with time."""

import json
import re
import stat
import subprocess
import threading
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Sum
from django.test import Client
from django.utils import timezone

from agents import facts
from agents.direct.models import DirectCall
from agents.links.models import ApprovalLink
from agents.models import Action, ActionStatus, ModelCall
from agents.spending import alerts
from agents.spending.models import Budget, BudgetChange, SpendTotal
from analytics import rollups
from analytics.models import Day, DayAgent, DayTool, KeptFact
from chat import api_keys, submission, webhook_claims
from chat.models import (
    ApiKey,
    Conversation,
    Customer,
    Event,
    PromptPart,
    Tag,
    Turn,
    TurnStatus,
    WebhookAttempt,
    WebhookDelivery,
)
from smartsupport.backups import programs
from smartsupport.lib.errors import ServiceError
from smartsupport.models import AuditEntry
from smartsupport.retention import columns, emptying, erasing, forgetting, registry
from smartsupport.retention.wordless import wordless
from tests import rows
from tests.agents.spending_rows import budget, spent

pytestmark = pytest.mark.django_db
MARK = "Zanzibarmarker"
"""In everything that a customer gave or was given."""
OURS = {"agents", "analytics", "chat", "openapi_import", "replay", "smartsupport"}
NUMBERS = "total confirmed evidence contained escalated unresolved open turns cost_micros approved".split()


def command(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out, stderr=StringIO())
    return out.getvalue()


def somebody(subject: str = f"cus_{MARK}", age: timedelta = timedelta(0)) -> Customer:
    """A customer with one row, at least, of everything that there is of a customer; all of it finished."""
    who = rows.customer(
        subject=subject, name=f"{MARK} Stone", email=f"{MARK}@shop.example", attributes={"town": MARK}
    )
    turn = rows.turn(who, thread_id=f"thread-{uuid4().hex}-{MARK}", content=f"I am {MARK}.")
    call = facts.Call("answer", "openai", "gpt-5-mini", facts.Usage(120, 30), duration_ms=9)
    rows.happened(
        turn,
        facts.tool_called(
            agent="a", tool="get_order_status", title="Status", args={"name": MARK}, call_id="1"
        ),
        facts.tool_returned(
            agent="a", tool="get_order_status", call_id="1", ok=True, result={"for": MARK}, duration_ms=5
        ),
        facts.Fact("note_written", {"content": f"{MARK} is kind", "by_name": "sam"}),
        facts.Fact("feedback_given", {"solved": True, "score": 5, "comment": MARK}),
    )
    wanted = rows.Tool.objects.filter(name="cancel_order").first() or rows.tool("cancel_order")
    action = rows.action(turn, wanted, order_id="7", note=MARK)
    Action.objects.filter(pk=action.pk).update(
        status=ActionStatus.SUCCEEDED, sent={"body": MARK}, result={"owner": MARK}, reason=MARK, message=MARK
    )
    now = timezone.now()
    ApprovalLink.objects.create(
        token_hash=uuid4().hex, action=action, decider_name="Mo", arguments_hash="", made_by="", made_by_id="",
        expires_at=now,
    )  # fmt: skip
    rows.finish(turn, f"Dear {MARK}, it is done.")
    sam = User.objects.filter(username="sam").first() or rows.staff("sam")
    for row in (action, turn.conversation):
        kind = ContentType.objects.get_for_model(row)
        LogEntry.objects.create(
            user=sam, content_type=kind, object_id=str(row.pk), object_repr=f"Cancel it for {MARK}?", action_flag=2,
            change_message=f"Approved. {MARK}",
        )  # fmt: skip
    DirectCall.objects.create(
        turn=turn, tool_name="x", arguments=json.dumps({"a": MARK}), asked_by="key:1", asked_by_name=MARK
    )
    conversation = turn.conversation
    ModelCall.objects.create(
        at=now, conversation=conversation, customer=who, turn=turn, purpose=call.purpose, provider="openai",
        model="gpt-5-mini", cost_micros=1234, cost_source="provider",
    )  # fmt: skip
    SpendTotal.objects.update_or_create(day=now.date(), shard=0, defaults={"micros": 1234, "calls": 1})
    PromptPart.objects.create(conversation=conversation, digest=uuid4().hex[:22], content={"text": MARK})
    delivery = WebhookDelivery.objects.create(
        conversation=conversation, kind="conversation.escalated", payload={"x": MARK}, status="delivered"
    )
    WebhookAttempt.objects.create(delivery=delivery, number=1, status=200, body_head=MARK, duration_ms=1)
    conversation.tags.add(Tag.objects.get_or_create(name="late")[0])
    Budget.objects.create(scope="customer", customer=who, period="day", limit_micros=10**9)
    ApiKey.objects.create(
        name=MARK, prefix="sk_", key_hash=uuid4().hex, scopes=["chat"], customer=who, enabled=False
    )
    BudgetChange.objects.create(kind="grant", customer=who, period="day", reason=MARK, by_name="sam")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, checkpoint, metadata) "
            "VALUES (%s, '', '1', %s, '{}')",
            [str(turn.pk), json.dumps({"said": MARK})],
        )
    Conversation.objects.filter(pk=conversation.pk).update(
        cost_micros=1234, last_line=MARK, handoff_reason=MARK, last_activity_at=now - age
    )
    Customer.objects.filter(pk=who.pk).update(created_at=now - age)
    return who


def conversation_of(who: Customer) -> Conversation:
    return Conversation.objects.get(customer=who)


def numbers() -> dict[str, Any]:
    """Everything that analytics and money tell, counted up to now."""
    rollups.roll_up(everything=True, wait=True)
    return told()


def told() -> dict[str, Any]:
    return {
        "days": list(Day.objects.order_by("day").values(*NUMBERS)),
        "agents": list(DayAgent.objects.order_by("agent").values("agent", "conversations", "resolved")),
        "tools": list(DayTool.objects.order_by("tool").values("tool", "calls", "failures", "durations")),
        "ledger": ModelCall.objects.aggregate(Sum("cost_micros")),
        "totals": SpendTotal.objects.aggregate(Sum("micros"), Sum("calls")),
    }


def everything() -> str:
    """All rows of all tables, as this transaction sees them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        tables = [row[0] for row in cursor.fetchall()]
        whole = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" AS t')
            whole += [f"{table}: {row[0]}" for row in cursor.fetchall()]
    return "\n".join(whole)


def test_every_model_that_leads_to_a_customer_is_named_with_what_becomes_of_it() -> None:
    models = {model._meta.label: model for model in apps.get_models(include_auto_created=True)}
    known = {rule.model for rule in (*registry.CONVERSATIONS, *registry.CUSTOMERS)}
    reaching = {"chat.Customer", "chat.Conversation"}
    while more := {
        label
        for label, model in models.items()
        if label not in reaching
        and any(one.is_relation and one.related_model and one.related_model._meta.label in reaching
                for one in model._meta.concrete_fields)
    }:  # fmt: skip
        reaching |= more

    assert reaching <= known, (
        "what becomes of these when a customer is erased? smartsupport/retention/registry.py"
    )
    of_ours = {label for label in models if label.partition(".")[0] in OURS}
    assert of_ours == known - {"admin.LogEntry"} | set(registry.KEPT_AS_THEY_ARE)
    assert not known & set(registry.KEPT_AS_THEY_ARE)


def test_every_table_that_no_model_is_of_is_named() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = {row[0] for row in cursor.fetchall()}
    of_models = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}

    left = {name for name in tables - of_models if not name.startswith(("django_", "checkpoint_migrations"))}
    left.discard("smartsupport_audithead")  # the end of the audit's chain
    assert left == set(registry.WITHOUT_MODEL)


WITH_TEXT = """
SELECT t.relname, c.attname FROM pg_class t
JOIN pg_attribute c ON c.attrelid = t.oid JOIN pg_type k ON k.oid = c.atttypid
LEFT JOIN pg_type one ON one.oid = k.typelem AND k.typcategory = 'A'
WHERE t.relkind IN ('r', 'p') AND t.relnamespace = 'public'::regnamespace AND c.attnum > 0 AND NOT c.attisdropped
AND coalesce(one.typcategory, k.typcategory) NOT IN ('N', 'B', 'D') AND coalesce(one.typname, k.typname) <> 'uuid'
"""


def columns_with_text() -> dict[str, set[str]]:
    """Of each table, whatever made it; numbers, times, yes and no, and UUIDs hold nobody's words."""
    found: dict[str, set[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(WITH_TEXT)
        for table, column in cursor.fetchall():
            found.setdefault(table, set()).add(column)
    return found


def taken_away() -> dict[str, set[str]]:
    """The columns that are set to something else when a conversation is only emptied."""
    changes = {emptying.table_of(rule.model): rule.emptied for rule in registry.CONVERSATIONS if rule.emptied}
    return {table: set(re.findall(r"(\w+) = ", change)) for table, change in changes.items()}


def test_of_every_column_with_text_somebody_has_decided_whether_a_customers_words_are_in_it() -> None:
    there = columns_with_text()
    gone = {emptying.table_of(rule.model) for rule in registry.CONVERSATIONS if rule.emptied is None}
    gone |= {emptying.table_of(rule.model) for rule in registry.CUSTOMERS if not rule.deleted}
    gone |= {*registry.WITHOUT_MODEL, "checkpoint_migrations"}

    undecided = {
        f"{table}.{column}"
        for table, names in there.items()
        if table not in gone
        for column in names - columns.DECIDED.get(table, frozenset()) - taken_away().get(table, set())
    }
    decided = {f"{table}.{column}" for table, names in columns.DECIDED.items() for column in names}
    real = {f"{table}.{column}" for table, names in there.items() for column in names}

    assert not undecided, "can a customer's words stand in these? smartsupport/retention/columns.py"
    assert decided <= real, "these are gone"
    both = [table for table, names in taken_away().items() if names & columns.DECIDED[table]]
    assert both == [], "what is taken away needs no other decision"


@pytest.mark.parametrize("pseudonymise", [False, True])
def test_erasing_leaves_no_word_name_or_address_of_theirs_and_every_number(pseudonymise: bool) -> None:
    who, other = somebody(), somebody(subject="cus_other")
    Customer.objects.filter(pk=other.pk).update(name="Other", email="", attributes={})
    erasing.erase(other.pk)  # what another one left stays countable too
    before = numbers()
    assert before["days"][0]["total"] == 2

    erasing.erase(who.pk, pseudonymise=pseudonymise)

    left = everything()
    assert MARK not in left
    assert str(who.pk) not in "\n".join(
        line for line in left.splitlines() if not line.startswith("smartsupport_audit")
    )
    assert numbers() == before
    rollups.forget()
    rollups.roll_up(everything=True, wait=True)
    rollups.sweep_days()
    assert told() == before
    assert Conversation.objects.count() == int(pseudonymise)


def test_what_is_emptied_keeps_its_shape_and_its_replay() -> None:
    who = somebody()
    row = conversation_of(who)
    before = list(
        Event.objects.filter(conversation=row).order_by("seq").values_list("seq", "kind", "tokens_in")
    )

    erasing.erase(who.pk, pseudonymise=True)

    row.refresh_from_db()
    assert row.emptied_at
    assert row.customer.subject is None
    after = list(
        Event.objects.filter(conversation=row).order_by("seq").values_list("seq", "kind", "tokens_in")
    )
    assert after == before
    client = Client()
    client.force_login(rows.staff("root", superuser=True))
    page = client.get(f"/api/v1/replay/{row.thread_id}")
    assert page.status_code == 200
    assert len(page.json()["data"]["steps"]) > 3
    found = client.get(f"/admin/chat/conversation/{row.pk}/change/", follow=True)
    assert found.status_code == 200


def test_money_of_whoever_is_erased_stays_in_the_ledger_and_leads_to_nobody() -> None:
    who = somebody()

    erasing.erase(who.pk)

    (call,) = ModelCall.objects.all()
    assert call.cost_micros == 1234
    assert (call.conversation_id, call.customer_id, call.turn_id) == (None, None, None)


OPEN_THINGS = {
    "a turn is queued": lambda turn, action: Turn.objects.filter(pk=turn.pk).update(status=TurnStatus.QUEUED),
    "a turn runs": lambda turn, action: Turn.objects.filter(pk=turn.pk).update(status=TurnStatus.RUNNING),
    "a turn waits": lambda turn, action: Turn.objects.filter(pk=turn.pk).update(status=TurnStatus.WAITING),
    **{
        f"an action is {status}": lambda turn, action, status=status: Action.objects.filter(
            pk=action.pk
        ).update(status=status)
        for status in ("awaiting", "approved", "dispatching", "unknown")
    },
    "a person is waited for": lambda turn, action: Conversation.objects.filter(
        pk=turn.conversation_id
    ).update(status="waiting"),
    "a person answers": lambda turn, action: Conversation.objects.filter(pk=turn.conversation_id).update(
        status="held"
    ),
    "a webhook is being sent": lambda turn, action: WebhookDelivery.objects.update(
        leased_until=timezone.now() + timedelta(hours=1)
    ),
}


@pytest.mark.parametrize("what", OPEN_THINGS)
def test_what_is_not_finished_is_neither_erased_nor_forgotten(what: str) -> None:
    who = somebody(age=timedelta(days=40))
    turn = Turn.objects.get(conversation__customer=who)
    OPEN_THINGS[what](turn, Action.objects.get(turn=turn))
    before = everything()

    with pytest.raises(erasing.NotFinished) as refused:
        erasing.erase(who.pk)
    with pytest.raises(CommandError, match=r"is not finished\. Nothing was erased\. Finish these first"):
        command("erase_customer", str(who.subject), "--yes")
    done = forgetting.forget(days=30, mode="delete")

    assert refused.value.threads == [turn.conversation.thread_id]
    assert (done.conversations, done.customers, done.open) == (0, 0, 1)
    assert everything() == before


def test_erasing_asks_first_and_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    who = somebody()
    before = everything()
    monkeypatch.setattr("builtins.input", lambda question: "yes")
    with pytest.raises(CommandError, match="Nothing was erased"):
        command("erase_customer", str(who.subject))
    assert everything() == before

    monkeypatch.setattr("builtins.input", lambda question: "erase")
    assert "1 conversations" in command("erase_customer", str(who.subject))
    assert "any more" in command("erase_customer", str(who.subject), "--yes")

    (entry,) = AuditEntry.objects.filter(verb="erase", object_id=str(who.pk))
    assert entry.detail == {"conversations": 1, "pseudonymised": False}


def test_a_visitor_without_a_subject_is_found_by_our_own_id() -> None:
    who = somebody()
    Customer.objects.filter(pk=who.pk).update(subject=None)

    command("erase_customer", str(who.pk), "--yes")

    assert MARK not in everything()


def test_a_persons_file_has_everything_of_theirs_and_nothing_of_others(tmp_path: Path) -> None:
    who = somebody()
    rows.finish(rows.turn(rows.customer(name="Bob"), content="Bobs own words"))
    file = tmp_path / "theirs.json"

    command("export_customer", str(who.subject), "--to", str(file))

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = json.loads(file.read_text())
    assert found["customer"]["email"] == who.email
    assert found["customer"]["attributes"] == {"town": MARK}
    (conversation,) = found["conversations"]
    texts = [one.get("text") for one in conversation["messages"]]
    assert f"I am {MARK}." in texts
    assert f"Dear {MARK}, it is done." in texts
    assert any(
        one.get("feedback") == {"solved": True, "score": 5, "comment": MARK}
        for one in conversation["messages"]
    )
    assert any(one.get("result") == {"for": MARK} for one in conversation["messages"])
    (action,) = conversation["actions"]
    assert action["arguments"] == {"order_id": "7", "note": MARK}
    assert action["result"] == {"owner": MARK}
    assert found["model_calls"] == [
        {"provider": "openai", "model": "gpt-5-mini", "calls": 1, "cost_micros": 1234}
    ]
    assert "Bobs own words" not in file.read_text()
    assert "is kind" not in file.read_text(), "notes are of staff"
    assert AuditEntry.objects.filter(verb="export", object_id=str(who.pk)).count() == 1


def test_an_export_overwrites_nothing_and_of_nobody_there_is_none(tmp_path: Path) -> None:
    who = somebody()
    taken = tmp_path / "taken.json"
    taken.write_text("mine")
    exports = AuditEntry.objects.filter(verb="export")  # entries of other tests stay: nobody can delete them
    before = exports.count()

    with pytest.raises(CommandError, match="is there already"):
        command("export_customer", str(who.subject), "--to", str(taken))
    with pytest.raises(CommandError, match="No customer has this subject"):
        command("export_customer", "nobody", "--to", str(tmp_path / "other.json"))

    assert taken.read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir()] == ["taken.json"]
    assert exports.count() == before


@pytest.mark.parametrize("mode", forgetting.MODES)
def test_what_is_old_is_forgotten_and_what_is_not_stays(mode: str, settings: LazySettings) -> None:
    settings.RETENTION_DAYS, settings.RETENTION_MODE = 30, mode
    old, young = somebody(age=timedelta(days=31)), somebody(subject="cus_young", age=timedelta(days=29))
    Budget.objects.filter(customer=old).delete()
    BudgetChange.objects.filter(customer=old).delete()
    rows.customer(subject="cus_without_any")
    kept = conversation_of(young).thread_id
    before = numbers()

    counted = command("apply_retention", "--dry-run")
    assert f"Would {mode}: 1 conversations" in counted
    assert Conversation.objects.filter(emptied_at=None).count() == 2
    first = command("apply_retention")
    second = command("apply_retention")

    assert " 1 conversations, and deleted 1 customers" in first
    assert " 0 conversations, and deleted 0 customers" in second
    assert not Customer.objects.filter(pk=old.pk).exists()
    assert conversation_of(young).thread_id == kept
    assert Customer.objects.filter(subject="cus_without_any").exists()
    assert numbers() == before
    (entry,) = AuditEntry.objects.filter(verb="forget")
    assert entry.detail == {"conversations": 1, "customers": 1, "open": 0, "days": 30, "mode": mode}
    assert bool(KeptFact.objects.exists()) == (mode == "delete")


def test_a_customer_who_still_writes_keeps_what_is_young_and_their_name() -> None:
    who = somebody(age=timedelta(days=31))
    rows.finish(rows.turn(who, content="I am back."))

    forgetting.forget(days=30, mode="pseudonymise")

    (left,) = Conversation.objects.filter(customer=who)
    assert left.emptied_at is None
    (emptied,) = Conversation.objects.exclude(customer=who)
    assert emptied.customer.name == ""


MORE = """
INSERT INTO chat_conversation SELECT (jsonb_populate_record(c, jsonb_build_object(
    'id', gen_random_uuid(), 'thread_id', n::text, 'emptied_at', CASE WHEN n > 2 THEN statement_timestamp() END))).*
FROM chat_conversation c, generate_series(1, 5000) AS n
"""


def many_emptied() -> None:
    """Thousands of conversations that a run has emptied, and three that it has not."""
    first = Conversation.objects.create(customer=rows.customer(), thread_id="first")
    Conversation.objects.filter(pk=first.pk).update(last_activity_at=timezone.now() - timedelta(days=50))
    with connection.cursor() as cursor:
        cursor.execute(MORE)
        cursor.execute("ANALYZE chat_conversation")


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(found for below in plan.get("Plans", []) for found in nodes(below))]


def test_what_was_emptied_before_is_not_walked_over_again() -> None:
    many_emptied()
    asked: list[tuple[str, Any]] = []

    def heard(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(heard):
        done = forgetting.forget(days=30, mode="pseudonymise", most=3)
        counted = forgetting.due(days=30, mode="pseudonymise")

    assert (done.conversations, counted.conversations) == (3, 0)
    walks = [one for one in asked if "c.last_activity_at <" in one[0] and "FOR UPDATE" not in one[0]]
    assert len(walks) == 2
    for sql, params in walks:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
            (told,) = cursor.fetchone()
        found = nodes((json.loads(told) if isinstance(told, str) else told)[0]["Plan"])
        assert "conversation_to_forget" in {node.get("Index Name") for node in found}
        assert sum(node.get("Rows Removed by Filter", 0) for node in found) == 0


def test_many_that_nobody_finishes_do_not_keep_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "AT_ONCE", 1)
    for number in range(3):
        who = somebody(subject=f"cus_{number}", age=timedelta(days=40 - number))
        if number < 2:
            Conversation.objects.filter(customer=who).update(status="waiting")

    done = forgetting.forget(days=30, mode="delete", most=1)

    assert (done.conversations, done.open) == (1, 2)


@pytest.mark.parametrize("mode", forgetting.MODES)
def test_one_that_the_database_does_not_let_go_keeps_no_other(
    mode: str, caplog: pytest.LogCaptureFixture, settings: LazySettings
) -> None:
    """A rule of the operator's own, a legal hold for instance."""
    held, *others = (somebody(f"cus_{number}", timedelta(days=31)) for number in range(3))
    kept = conversation_of(held)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION legal_hold() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF OLD.id = '{kept.pk}' THEN RAISE 'on hold'; END IF; RETURN coalesce(NEW, OLD); END $$;"
            "CREATE TRIGGER legal_hold BEFORE DELETE OR UPDATE OF customer_id ON chat_conversation "
            "FOR EACH ROW EXECUTE FUNCTION legal_hold()"
        )
    settings.RETENTION_DAYS, settings.RETENTION_MODE = 30, mode

    done = forgetting.forget_what_is_due()

    assert done is not None
    assert (done.conversations, done.failed) == (2, 1)
    assert str(kept.pk) in caplog.text
    assert "on hold" in caplog.text
    kept.refresh_from_db()
    assert (kept.customer_id, kept.emptied_at) == (held.pk, None)
    assert not Conversation.objects.filter(customer__in=others).exists()
    with pytest.raises(CommandError, match="1 could not be forgotten"):
        command("apply_retention")


def test_the_customer_of_a_key_that_works_stays_and_goes_with_it_when_erased() -> None:
    who = rows.customer()
    Customer.objects.filter(pk=who.pk).update(created_at=timezone.now() - timedelta(days=90))
    key, text = api_keys.issue(name="Assistant", scopes=["chat"], customer=str(who.subject))

    assert forgetting.forget(days=30, mode="delete").customers == 0
    assert api_keys.find(text) == key
    assert erasing.erase(who.pk) is not None
    assert (api_keys.find(text), ApiKey.objects.count()) == (None, 0)


@pytest.mark.parametrize("how", ["erased", "pseudonymised", "forgotten"])
def test_what_was_told_of_their_budget_goes_with_a_customer(settings: LazySettings, how: str) -> None:
    """Such a delivery belongs to no conversation."""
    settings.WEBHOOK_URL = "https://hooks.example/x"
    rows.webhook_endpoint("budget.alert")
    budget(1_000)
    who, other = rows.customer(subject=f"cus_{MARK}", name=f"{MARK} Stone"), rows.customer()
    for one in (who, other):
        spent(900, one)
    ModelCall.objects.update(provider="openai")
    assert alerts.look() == 2
    webhook_claims.take(1)  # an attempt, and the body of an endpoint's delivery or none yet
    assert everything().count(f"cus_{MARK}") >= 3
    WebhookDelivery.objects.update(leased_until=None)
    Turn.objects.update(status=TurnStatus.COMPLETED)

    if how == "forgotten":
        old = timezone.now() - timedelta(days=90)
        Conversation.objects.filter(customer=who).update(last_activity_at=old)
        Customer.objects.filter(pk=who.pk).update(created_at=old)
        assert forgetting.forget(days=30, mode="delete").customers == 1
    else:
        assert erasing.erase(who.pk, pseudonymise=how == "pseudonymised") is not None

    kept = [line for line in everything().splitlines() if not line.startswith("smartsupport_audit")]
    assert not [line for line in kept if MARK in line or str(who.pk) in line]
    told = WebhookDelivery.objects.filter(kind="budget.alert")
    assert sorted(one.endpoint_id is None for one in told) == [False, True], "the other one's stay"


def test_where_no_days_are_set_nothing_is_forgotten(settings: LazySettings) -> None:
    settings.RETENTION_DAYS = 0
    somebody(age=timedelta(days=4000))
    before = everything()

    assert "everything is kept" in command("apply_retention")
    assert forgetting.forget_what_is_due() is None

    assert everything() == before


def test_the_jobs_forget_every_hour(settings: LazySettings) -> None:
    from smartsupport.celery import app

    settings.RETENTION_DAYS, settings.RETENTION_MODE = 30, "delete"
    somebody(age=timedelta(days=31))
    due = app.conf.beat_schedule["forget-old-conversations"]

    app.loader.import_default_modules()
    app.tasks[due["task"]].apply().get()

    assert due["schedule"] == 3600
    assert MARK not in "".join(line for line in everything().splitlines() if "chat_event" in line)


def test_a_run_that_was_cut_short_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        somebody(subject=f"cus_{number}", age=timedelta(days=31 + number))
    monkeypatch.setattr(forgetting, "AT_ONCE", 1)
    real, calls = emptying.delete, []

    def killed(conversations: list[UUID]) -> None:
        calls.append(conversations)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(conversations)

    monkeypatch.setattr(emptying, "delete", killed)
    with pytest.raises(KeyboardInterrupt):
        forgetting.forget(days=30, mode="delete")
    assert Conversation.objects.count() == 2

    assert forgetting.forget(days=30, mode="delete").conversations == 2
    assert KeptFact.objects.count() == 3


@pytest.fixture
def committed(transactional_db: None) -> None:
    """Rows that other connections see."""


def test_a_dump_of_the_whole_database_holds_nothing_of_whoever_was_erased(
    committed: None, tmp_path: Path
) -> None:
    who = somebody()
    command("export_customer", str(who.subject), "--to", str(tmp_path / "theirs.json"))
    assert json.loads((tmp_path / "theirs.json").read_text())["customer"]["name"] == who.name
    command_line = [str(programs.program("pg_dump")), "--data-only"]
    environment = programs.environment()
    dump = subprocess.run(
        command_line, env=environment, capture_output=True, text=True, check=True, timeout=180
    )
    assert dump.stdout.count(MARK) > 15

    command("erase_customer", str(who.subject), "--yes")

    dump = subprocess.run(
        command_line, env=environment, capture_output=True, text=True, check=True, timeout=180
    )
    assert MARK not in dump.stdout
    assert "chat_customer" in dump.stdout


def test_two_runs_at_once_forget_each_conversation_once(committed: None) -> None:
    many = 6
    for number in range(many):
        somebody(subject=f"cus_{number}", age=timedelta(days=31))
    before = numbers()
    done, faults = [], []
    ready = threading.Barrier(2)

    def run() -> None:
        try:
            ready.wait(60)
            done.append(forgetting.forget(days=30, mode="delete"))
        except Exception as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(120)

    assert not faults
    assert sum(one.conversations for one in done) + Conversation.objects.count() == many
    left = forgetting.forget(days=30, mode="delete")
    assert left.conversations == many - sum(one.conversations for one in done)
    assert KeptFact.objects.count() == many
    assert numbers() == before


def test_a_payload_keeps_what_is_counted_and_loses_what_was_said() -> None:
    payload = {
        "content": MARK, "tool": "cancel_order", "call_id": "c1", "ok": False, "args": {"x": MARK}, "n": 4111,
        "error": {"kind": "validation", "message": MARK}, "agents": ["a"], "list": [MARK], "score": 4,
        "client_message_id": MARK, "solved": True, "none": None,
    }  # fmt: skip

    assert wordless(payload) == {
        "content": "[erased]", "tool": "cancel_order", "call_id": "c1", "ok": False, "args": {}, "n": None,
        "error": {"kind": "validation", "message": "[erased]"}, "agents": ["a"], "list": [], "score": 4,
        "client_message_id": None, "solved": True, "none": None,
    }  # fmt: skip


def test_no_event_of_somebody_else_is_touched() -> None:
    who, other = somebody(), rows.customer(name="Bob")
    rows.finish(rows.turn(other, content="Bobs own words"), "Dear Bob")
    theirs = list(Event.objects.filter(conversation__customer=other).order_by("seq").values())

    erasing.erase(who.pk)

    assert list(Event.objects.filter(conversation__customer=other).order_by("seq").values()) == theirs


def test_whoever_writes_while_they_are_erased_leaves_nothing_half_done(committed: None) -> None:
    who = somebody()
    Budget.objects.all().delete()
    ready, outcomes = threading.Barrier(3), []

    def at_once(work: Callable[[], object]) -> None:
        try:
            ready.wait(60)
            work()
            outcomes.append("done")
        except ServiceError as refusal:
            outcomes.append(refusal.code)
        finally:
            connection.close()

    def write() -> None:
        submission.submit(customer_id=who.pk, thread_id="new", content=MARK, client_message_id=None)

    works = [lambda: erasing.erase(who.pk), lambda: erasing.erase(who.pk), write]
    threads = [threading.Thread(target=at_once, args=(work,)) for work in works]
    for one in threads:
        one.start()
    for one in threads:
        one.join(120)

    assert len(outcomes) == 3
    assert set(outcomes) <= {"done", "not_finished", "thread_not_found"}
    if Customer.objects.filter(pk=who.pk).exists():
        assert "not_finished" in outcomes
        assert conversation_count(who) == 2
    else:
        assert MARK not in everything()


def conversation_count(who: Customer) -> int:
    return Conversation.objects.filter(customer=who).count()
