"""What is recorded without anybody having to remember it, what is not, and how it is looked at and taken away."""

import csv
import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection, transaction
from django.test import AsyncClient, Client
from django.urls import path, reverse
from django.utils import timezone
from pytest_django import Settings

from agents.models import Tool
from chat.models import ApiKey
from openapi_import.tasks import empty_old_imports
from smartsupport.audit import chain
from smartsupport.lib import audit
from smartsupport.lib.audit_redaction import redacted
from smartsupport.models import AuditEntry
from tests import rows
from tests.admin import import_rows

pytestmark = pytest.mark.django_db
AUDIT = "/admin/smartsupport/auditentry/"


@pytest.fixture
def start() -> int:
    newest = AuditEntry.objects.order_by("-pk").first()
    return newest.pk if newest else 0


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(rows.staff("root", superuser=True))
    return client


def entries(after: int) -> list[AuditEntry]:
    """What was recorded since, without the tests' own signing in."""
    return list(AuditEntry.objects.filter(pk__gt=after).exclude(verb="login").order_by("pk"))


def test_an_action_leaves_its_beginning_and_its_end_with_who_what_and_from_where(
    root: Client, start: int
) -> None:
    action = rows.waiting_for_staff()
    url = f"/admin/agents/action/{action.pk}/decline/"

    root.post(
        url,
        {"_form_submitted": "True", "reason": "Too much.", "seen": action.arguments_hash},
        REMOTE_ADDR="203.0.113.7",
        headers={"User-Agent": "Mozilla/5.0 " + "x" * 500},
    )

    begun, done = entries(start)
    assert (begun.outcome, done.outcome, done.begun_id) == ("begun", "done", begun.pk)
    assert {(one.actor_kind, one.actor_name, one.verb) for one in (begun, done)} == {
        ("staff", "root", "decline")
    }
    assert {(one.object_type, one.object_id) for one in (begun, done)} == {("agents.action", str(action.pk))}
    assert (done.address, done.method, done.path) == ("203.0.113.7", "POST", url)
    assert done.request_id == begun.request_id != ""
    assert len(done.user_agent) == 200
    assert done.detail
    assert done.detail["messages"]
    assert chain.verify().broken_at is None


def test_an_edit_is_recorded_with_before_and_after(root: Client, start: int) -> None:
    group = Group.objects.create(name="Night shift")
    user = rows.staff("sam", "agents.view_tool")

    root.post(
        f"/admin/auth/user/{user.pk}/change/",
        {
            "username": "samuel",
            "is_active": "on",
            "is_staff": "on",
            "groups": [group.pk],
            "date_joined_0": "2026-01-01",
            "date_joined_1": "00:00:00",
            "user_permissions": [],
        },
    )

    done = entries(start)[-1]
    assert User.objects.get(pk=user.pk).username == "samuel"
    assert (done.outcome, done.object_label) == ("done", "samuel")
    assert done.before is not None
    assert done.after is not None
    assert (done.before["username"], done.after["username"]) == ("sam", "samuel")
    assert done.after["groups"] == ["Night shift"]
    assert any("view_tool" in one or "view tool" in one for one in done.before["user_permissions"])
    assert "password" not in str(done.after)


def test_no_secret_of_a_form_a_row_or_a_message_gets_in(root: Client, start: int) -> None:
    root.post(
        "/admin/auth/user/add/",
        {
            "username": "nina",
            "password1": "tr0ub4dor-and-3",
            "password2": "tr0ub4dor-and-3",
            "usable_password": "true",
        },
    )
    made = root.post(
        "/admin/chat/apikey/add/", {"name": "billing", "scopes": ["interrupts:read"]}, follow=True
    )

    text = made.content.decode()
    key = text[text.index("<code>") + 6 : text.index("</code>")]
    stored = json.dumps(list(AuditEntry.objects.filter(pk__gt=start).values()), default=str)
    assert ApiKey.objects.get().key_hash not in stored
    assert key not in stored
    assert "tr0ub4dor" not in stored
    assert User.objects.get(username="nina").password not in stored
    assert [one.outcome for one in entries(start)] == ["begun", "done"] * 2


def test_who_was_not_allowed_is_recorded_and_nothing_else_happened(client: Client, start: int) -> None:
    tool = rows.reading_tool()
    client.force_login(rows.staff("nina", "agents.view_tool"))

    assert client.post(f"/admin/agents/tool/{tool.pk}/change/", {"title": "Mine"}).status_code == 403
    assert client.get("/admin/auth/user/").status_code == 403

    tried, refused, looked = entries(start)
    assert (tried.outcome, refused.outcome, refused.status, refused.begun_id) == (
        "begun",
        "refused",
        403,
        tried.pk,
    )
    assert (looked.verb, looked.object_type, looked.outcome) == ("changelist", "auth.user", "refused")
    assert Tool.objects.get(pk=tool.pk).title == tool.title


def test_a_missing_csrf_token_is_recorded_as_refused(start: int) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(rows.staff("root", superuser=True))

    client.post("/admin/auth/group/add/", {"name": "Mine"})

    assert [one.outcome for one in entries(start)] == ["begun", "refused"]
    assert not Group.objects.filter(name="Mine").exists()


def test_a_form_with_faults_is_told_from_what_was_done(root: Client, start: int) -> None:
    root.post("/admin/auth/group/add/", {"name": ""})

    assert [one.outcome for one in entries(start)] == ["begun", "answered"]


def test_a_key_is_recorded_by_its_name_and_never_by_its_text(client: Client, start: int) -> None:
    text = rows.key("conversations:read", name="reader")
    thread = rows.turn(rows.customer()).conversation.thread_id

    answer = client.post(f"/api/v1/conversations/{thread}/takeover", headers={"X-API-Key": text})

    assert answer.status_code == 403
    begun, refused = entries(start)
    assert (begun.actor_kind, begun.actor_name, begun.actor_id) == (
        "key",
        "reader",
        str(ApiKey.objects.get().pk),
    )
    assert (refused.verb, refused.object_type, refused.object_id) == ("takeover", "api.conversations", thread)
    assert refused.detail == {"messages": ["This API key lacks the scope conversations:write."]}
    assert text not in json.dumps(list(AuditEntry.objects.values()), default=str)


def test_a_wrong_key_leaves_one_line_and_a_visitor_none(client: Client, start: int) -> None:
    wrong = "sk_wrong_wrong_wrong_wrong_wrong_1"

    client.post("/api/v1/conversations/t-1/stop", headers={"X-API-Key": wrong})
    client.post("/api/v1/conversations/t-1/stop")
    client.post("/admin/auth/group/add/", {"name": "Mine"})

    (only,) = entries(start)
    assert (only.actor_kind, only.actor_name, only.outcome) == (
        "unknown",
        "A key that is not valid",
        "refused",
    )
    assert wrong not in json.dumps(AuditEntry.objects.filter(pk=only.pk).values()[0], default=str)


def test_wrong_keys_are_limited_by_address_and_the_right_one_is_not(
    client: Client, settings: Settings, start: int
) -> None:
    settings.WRONG_KEYS_PER_MINUTE = 2
    wrong, right = {"X-API-Key": "sk_wrong"}, {"X-API-Key": rows.key("admin")}

    answers = [client.post("/api/v1/conversations/t-1/stop", headers=wrong) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [403, 403, 429, 429]
    assert answers[3].headers["Retry-After"] == "60"
    assert len(entries(start)) == 2
    assert client.get("/api/v1/agents", headers=right).status_code == 200
    elsewhere = client.get("/api/v1/agents", headers=wrong, REMOTE_ADDR="203.0.113.7")
    assert elsewhere.status_code == 403


def test_what_is_taken_away_is_recorded_and_looking_is_not(root: Client, start: int) -> None:
    rows.agent("order_lookup", rows.reading_tool())
    key = {"X-API-Key": rows.key("admin")}

    for looked in ("/admin/", "/admin/agents/agent/", AUDIT):
        assert root.get(looked).status_code == 200
    assert Client().get("/api/v1/agents", headers=key).status_code == 200
    assert entries(start) == []

    assert root.get("/admin/agents/agent/agents.yaml").status_code == 200
    assert Client().get("/api/v1/agents/export", headers=key).status_code == 200
    assert root.get(f"{AUDIT}audit.csv").status_code == 200

    assert [(one.verb, one.object_type, one.outcome) for one in entries(start)] == [
        ("export", "agents.agent", "done"),
        ("export", "api.agents", "done"),
        ("export", "smartsupport.auditentry", "done"),
    ]


def test_looks_and_customers_cost_no_statement(root: Client) -> None:
    root.get("/admin/agents/tool/")
    with CountedAudit() as counted:
        root.get("/admin/agents/tool/")
        Client().get("/")
        Client().get("/api/v1/health")
    assert counted.statements == []


class CountedAudit:
    """The statements about the audit that ran meanwhile."""

    def __enter__(self) -> "CountedAudit":
        self.statements: list[str] = []
        self._wrapped = connection.execute_wrapper(self._note)
        self._wrapped.__enter__()
        return self

    def _note(self, execute: Any, sql: str, *more: Any) -> Any:
        if "smartsupport_audit" in sql:
            self.statements.append(sql)
        return execute(sql, *more)

    def __exit__(self, *error: Any) -> None:
        self._wrapped.__exit__(*error)


def test_a_write_costs_two_statements(root: Client) -> None:
    with CountedAudit() as counted:
        root.post("/admin/auth/group/add/", {"name": "Night shift"})
    assert len(counted.statements) == 2


def die(request: Any) -> Any:
    raise SystemExit("the process dies here")


def break_(request: Any) -> Any:
    raise RuntimeError("boom")


urlpatterns = [path("admin/die/", die), path("admin/break/", break_)]


def test_a_process_that_dies_in_between_leaves_the_beginning(settings: Settings, start: int) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(rows.staff("root", superuser=True))
    settings.ROOT_URLCONF = __name__

    with pytest.raises(SystemExit):
        client.post("/admin/die/")
    assert client.post("/admin/break/").status_code == 500

    died, begun, failed = entries(start)
    assert (died.outcome, died.path) == ("begun", "/admin/die/")
    assert (failed.outcome, failed.status, failed.begun_id) == ("failed", 500, begun.pk)
    assert not AuditEntry.objects.filter(begun_id=died.pk).exists()


def test_what_cannot_be_recorded_does_not_happen(start: int) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(rows.staff("root", superuser=True))
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE smartsupport_audithead DISABLE TRIGGER USER; DELETE FROM smartsupport_audithead"
        )

    with transaction.atomic():
        answer = client.post("/admin/auth/group/add/", {"name": "Unseen"})
        transaction.set_rollback(True)

    assert answer.status_code == 500
    assert not Group.objects.filter(name="Unseen").exists()


def test_it_records_the_same_when_served_asynchronously(start: int) -> None:
    client = AsyncClient()
    client.force_login(rows.staff("root", superuser=True))

    async_to_sync(client.post)("/admin/auth/group/add/", {"name": "Night shift"})
    exported = async_to_sync(client.get)(f"{AUDIT}audit.jsonl")

    begun, done, export = entries(start)
    assert (begun.outcome, done.outcome, done.begun_id) == ("begun", "done", begun.pk)
    assert done.after is not None
    assert done.after["name"] == "Night shift"
    assert (export.verb, exported.status_code, exported.is_async) == ("export", 200, True)


def test_work_that_nobody_asked_for_can_be_recorded() -> None:
    number = audit.write(
        actor=audit.SYSTEM, verb="purge", object_type="openapi_import.importjob", detail={"rows": 3}
    )

    entry = AuditEntry.objects.get(pk=number)
    assert (entry.actor_kind, entry.outcome, entry.detail) == ("system", "done", {"rows": 3})
    audit.note(message="Outside of a request nothing is noted.")


# Looking at it


def some() -> list[int]:
    staff, key = audit.Actor("staff", "1", "ada"), audit.Actor("key", "2", "billing")
    place = audit.Place("203.0.113.7", "Mozilla", "r-1", "POST", "/admin/agents/tool/7/change/")
    made = [
        {
            "actor": staff,
            "verb": "change",
            "object_type": "agents.tool",
            "object_id": "7",
            "object_label": "Cancel order",
        },
        {
            "actor": key,
            "verb": "decision",
            "object_type": "api.interrupts",
            "object_id": "8",
            "outcome": "refused",
        },
        {"actor": staff, "verb": "export", "object_type": "agents.agent", "detail": {"messages": ["=1+1"]}},
    ]
    return [audit.write(place=place, **one) for one in made]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("who=ada", [0, 2]),
        ("what=decision", [1]),
        ("object=agents.tool&object_id=7", [0]),
        ("outcome=refused&who=billing", [1]),
        ("q=cancel+ord", [0]),
        ("q=203.0.113.7+billing", [1]),
        ("q=%27%29+--%00", []),
        ("day=2001-01-01", []),
        ("day=nonsense&outcome=nonsense&who=ada&before=x", [0, 2]),
    ],
)
def test_the_list_shows_what_its_filters_say(root: Client, query: str, found: list[int]) -> None:
    made = some()

    page = root.get(f"{AUDIT}?{query}").content.decode()

    links = [
        number for number in made if reverse("admin:smartsupport_auditentry_change", args=[number]) in page
    ]
    assert links == [made[one] for one in found]
    assert ("No entry fits" in page) == (not found)


def test_pages_go_on_where_the_last_one_ended(root: Client) -> None:
    for number in range(60):
        audit.write(
            actor=audit.Actor("staff", "1", "ada"), verb="change", object_type="x.y", object_id=number
        )

    first = root.get(f"{AUDIT}?who=ada").content.decode()
    older = first[first.index('rel="next"') :]
    query = older[older.index("?") : older.index('">')].replace("&amp;", "&")
    second = root.get(f"{AUDIT}{query}").content.decode()

    assert (first.count("<tr role"), second.count("<tr role")) == (51, 11)
    assert 'rel="next"' not in second


def test_a_request_is_one_line_unless_nobody_knows_how_it_ended(root: Client, start: int) -> None:
    root.post("/admin/auth/group/add/", {"name": "Night shift"})
    lost = audit.write(
        actor=audit.Actor("staff", "1", "ada"), verb="change", outcome="begun", object_type="x.y"
    )

    page = root.get(AUDIT).content.decode()

    begun, done = entries(start)[:2]
    assert f"{AUDIT}{done.pk}/change/" in page
    assert f"{AUDIT}{begun.pk}/change/" not in page
    assert "Begun, outcome unknown" in page
    assert "nobody recorded how it ended" in root.get(f"{AUDIT}{lost}/change/").content.decode()
    assert root.get(f"{AUDIT}{begun.pk}/change/").status_code == 200
    assert root.get(f"{AUDIT}987654321/change/").status_code == 404
    assert root.get(f"{AUDIT}nonsense/change/").status_code == 404


def test_an_entry_shows_before_and_after_as_text(root: Client) -> None:
    number = audit.write(
        actor=audit.SYSTEM,
        verb="change",
        object_type="x.y",
        before={"title": "<b>Old</b>", "n": [1]},
        after={"title": "New"},
    )

    page = root.get(f"{AUDIT}{number}/change/").content.decode()

    assert "Old" in page
    assert "<b>Old</b>" not in page
    assert AuditEntry.objects.get(pk=number).hash in page


def test_the_files_hold_everything_that_is_listed_and_no_formula(root: Client) -> None:
    made = some()

    rows_of_csv = list(csv.DictReader(StringIO(_body(root.get(f"{AUDIT}audit.csv?who=ada")))))
    lines = [json.loads(line) for line in _body(root.get(f"{AUDIT}audit.jsonl?who=ada")).splitlines()]

    assert [int(row["id"]) for row in rows_of_csv] == [line["id"] for line in lines] == [made[0], made[2]]
    assert lines[1]["detail"] == {"messages": ["=1+1"]}
    number = audit.write(actor=audit.Actor("staff", "1", "=cmd|' /C calc'!A0"), verb="change")
    text = _body(root.get(f"{AUDIT}audit.csv?what=change"))
    assert "'=cmd|' /C calc'!A0" in text
    entry = AuditEntry.objects.get(pk=number)
    assert f"{entry.at:%Y-%m-%dT%H:%M:%S.%f}Z" in text
    assert entry.hash in text


def _body(response: Any) -> str:
    return b"".join(response.streaming_content).decode()


def test_programs_read_it_with_a_scope_of_its_own(client: Client) -> None:
    made = some()
    headers = {"X-API-Key": rows.key("audit:read")}

    first = client.get("/api/v1/audit?who=ada&limit=1", headers=headers).json()["data"]
    second = client.get(
        f"/api/v1/audit?who=ada&limit=1&before={first['next_before']}", headers=headers
    ).json()["data"]

    assert [one["id"] for one in first["entries"] + second["entries"]] == [made[2], made[0]]
    assert second["next_before"] is None
    assert second["entries"][0]["object_label"] == "Cancel order"
    other = {"X-API-Key": rows.key("conversations:read", "agents:write")}
    assert client.get("/api/v1/audit", headers=other).status_code == 403
    assert client.get("/api/v1/audit?limit=0", headers=headers).status_code == 400


def test_a_page_takes_few_statements_and_the_indexes(
    root: Client, django_assert_max_num_queries: Any
) -> None:
    some()
    with django_assert_max_num_queries(15):
        root.get(f"{AUDIT}?q=cancel&who=ada")


def test_the_jobs_record_what_they_purge(start: int) -> None:
    old = import_rows.job()
    for days, content in ((40, b"{}"), (400, None)):
        ended = timezone.now() - timedelta(days=days)
        type(old).objects.filter(pk=old.pk).update(created_at=ended, finished_at=ended, content=content)

        empty_old_imports()
        empty_old_imports()

    both = entries(start)
    kind = "openapi_import.importjob"
    assert [(one.actor_kind, one.verb, one.object_type) for one in both] == [("system", "purge", kind)] * 2
    assert [one.detail for one in both] == [{"emptied": 1}, {"deleted": 1}]


def test_commands_that_change_things_are_recorded_without_what_they_tell(
    settings: Settings, start: int
) -> None:
    settings.DEBUG = False
    said = StringIO()
    call_command("seed", stdout=said)
    call_command("seed", stdout=said)
    call_command("rebuild_analytics", since="2026-11-02", stdout=said)

    seeded, rebuilt = entries(start)
    assert (seeded.actor_kind, seeded.actor_name, seeded.verb) == ("system", "manage.py", "seed")
    assert seeded.detail == {"made": ["Log in as", "API key", "Model prices"]}
    assert (rebuilt.verb, rebuilt.detail) == ("rebuild", {"since": "2026-11-02", "counted": 0})


def test_a_page_that_asks_again_and_again_and_is_refused_is_told_once(client: Client, start: int) -> None:
    client.force_login(rows.staff("nina"))

    polled = [client.get("/admin/agents/action/live/?state=1").status_code for _ in range(5)]
    client.get("/admin/auth/user/")
    client.post("/admin/auth/user/add/", {"username": "mine"})
    client.post("/admin/auth/user/add/", {"username": "mine"})

    assert polled == [403] * 5
    told = [(one.method, one.path, one.outcome) for one in entries(start)]
    assert told == [
        ("GET", "/admin/agents/action/live/", "refused"),
        ("GET", "/admin/auth/user/", "refused"),
        *[("POST", "/admin/auth/user/add/", outcome) for outcome in ("begun", "refused") * 2],
    ]
    client.force_login(rows.staff("mia"))
    client.get("/admin/agents/action/live/?state=1")
    assert entries(start)[-1].actor_name == "mia"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("https://h/x?key=xyzzy123", "xyzzy"),
        ("https://h/x?a=1&sig=QQQ777&b=2", "QQQ"),
        ("AKIAIOSFODNN7EXAMPLE", "IOSF"),
        ("github_pat_11ABCDEFG0abc_mnop", "11ABC"),
        ("AIzaSyA1234567890abcdefghijklmnopqrstuv", "SyA1"),
        ("glpat-abcdefghij1234567890", "abcd"),
        ("rk_live_abcdefghijkl", "abcd"),
        ("SG.abcdefgh.ijklmnop", "ijkl"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN", "MIIE"),
        ("The password: hunter22, please", "hunter"),
        ("Card 4111 1111 1111 1111", "1111"),
        ("4111-1111-1111-1111 it is", "1111"),
    ],
)
def test_what_looks_like_a_secret_is_masked_in_any_text(text: str, secret: str) -> None:
    assert secret not in json.dumps(redacted({"note": text, "more": [{"words": text}]}))


@pytest.mark.parametrize(
    "text",
    ["order 4111 1111 1111 1112", "2026-11-20T14:50:03", "refunded $20.00", "sam-and-max", "20261120145003"],
)
def test_ordinary_words_and_numbers_stay(text: str) -> None:
    assert redacted({"note": text}) == {"note": text}


@pytest.mark.parametrize("name", ["accessToken", "refresh_token", "cvv", "pin", "apiKey", "client_secret"])
def test_a_field_of_a_secret_is_masked_by_its_name(name: str) -> None:
    assert redacted({name: "1234"}) == {name: "[hidden]"}
