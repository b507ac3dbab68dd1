"""API keys: names for many scopes, their end, their limit, and taking one another's place without a gap."""

import re
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents.admin.inbox_rows import Wanted, page_of, these
from agents.approvals import Decider, NotAllowed, decide
from agents.models import Action
from chat import api_keys, key_limits, scopes
from chat.authentication import Integrator
from chat.models import ApiKey, Turn
from smartsupport.models import AuditEntry
from smartsupport.staff import ADMIN_MAY
from tests import rows
from tests.at_once import at_once

pytestmark = pytest.mark.django_db

URL = "/api/v1/keys"
AGENTS = "/api/v1/agents"


def call(text: str, path: str = AGENTS, body: Any = None, method: str = "") -> Any:
    asked: dict[str, Any] = {"headers": {"X-API-Key": text}}
    if body is not None:
        asked |= {"data": body, "content_type": "application/json"}
    return getattr(Client(), method or ("get" if body is None else "post"))(path, **asked)


def made(*names: str, **terms: Any) -> tuple[ApiKey, str]:
    return api_keys.issue(name=terms.pop("name", "Mail gateway"), scopes=names, **terms)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def later(key: ApiKey, by: timedelta) -> None:
    """Let so much time pass for the key."""
    for row in ApiKey.objects.filter(pk=key.pk, expires_at__isnull=False):
        ApiKey.objects.filter(pk=row.pk).update(expires_at=row.expires_at - by)


# What the four names stand for


@pytest.mark.parametrize(
    ("name", "opens", "closed"),
    [
        ("read", ["conversations", "interrupts", "agents", "openapi/jobs", "usage"], ["audit", "keys"]),
        ("chat", ["conversations"], ["interrupts", "agents", "audit"]),
        ("approve", ["interrupts"], ["conversations", "agents"]),
        ("manage", ["agents", "openapi/jobs", "usage"], ["conversations", "interrupts", "audit", "keys"]),
    ],
)
def test_a_group_opens_what_it_stands_for(name: str, opens: list[str], closed: list[str]) -> None:
    text = rows.key(name)

    assert [call(text, f"/api/v1/{path}").status_code for path in opens] == [200] * len(opens)
    assert [call(text, f"/api/v1/{path}").status_code for path in closed] == [403] * len(closed)


def test_reading_never_writes() -> None:
    text = rows.key("read")
    action = rows.waiting_for_staff()

    answer = call(text, f"/api/v1/interrupts/{action.pk}/decision", {"approved": True})

    action.refresh_from_db()
    assert (answer.status_code, action.status) == (403, "awaiting")


def test_each_scope_says_who_may_give_it() -> None:
    assert scopes.PERMISSIONS.keys() == scopes.SCOPES.keys()
    assert {one for names in scopes.PERMISSIONS.values() for one in names} <= ADMIN_MAY


def test_groups_stand_for_scopes_that_exist_and_for_no_more_than_their_kind() -> None:
    assert all(scope in scopes.SCOPES for inside in scopes.GROUPS.values() for scope in inside)
    assert all(scope.endswith(":read") for scope in scopes.GROUPS["read"])
    assert not any("admin" in inside or "audit:read" in inside for inside in scopes.GROUPS.values())
    assert scopes.granted(["admin"]) == frozenset(scopes.SCOPES)
    assert scopes.granted(["chat", "nothing of ours"]) == {"conversations:read", "conversations:write"}


# Their end


def test_a_key_is_refused_from_its_end_on_and_nothing_is_written() -> None:
    key, text = made("chat", expires_at=timezone.now() + timedelta(days=1))
    path, message = "/api/v1/conversations/t-1/messages", {"content": "Hi", "customer": {"subject": "c"}}
    assert call(text, path, message).status_code == 202

    later(key, timedelta(days=1))
    refused = call(text, path, message)

    assert code(refused) == (403, "api_key_expired")
    assert "expired" in refused.json()["error"]["message"]
    assert Turn.objects.count() == 1


def test_a_disabled_key_that_has_ended_too_is_only_invalid() -> None:
    key, text = made("chat", expires_at=timezone.now() + timedelta(days=1))
    later(key, timedelta(days=2))
    api_keys.disable(key)

    assert call(text).json()["error"]["message"] == "Invalid API key"


# Their limit


def test_a_key_has_so_many_requests_a_minute_and_is_told_how_many_are_left() -> None:
    _, text = made("read", per_minute=3)
    _, other = made("read")

    answers = [call(text) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"minute";q=3;w=60'
    left = [re.fullmatch(r'"minute";r=(\d+);t=(\d+)', answer.headers["RateLimit"]) for answer in answers]
    assert [int(one[1]) for one in left if one] == [2, 1, 0, 0, 0]
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 61
    assert answers[3].json()["error"]["code"] == "rate_limited"
    assert call(other).status_code == 200


def test_the_deployments_limit_holds_for_a_key_that_has_none(settings: Any) -> None:
    settings.API_REQUESTS_PER_MINUTE = 1
    text = rows.key("read")

    assert [call(text).status_code for _ in range(2)] == [200, 429]


def test_what_is_refused_is_not_counted_and_changes_nothing(valkey: redis.Redis) -> None:
    key, text = made("admin", per_minute=1)
    assert call(text).status_code == 200

    assert {call(text, URL, {"name": "x", "scopes": ["read"]}).status_code for _ in range(3)} == {429}

    assert ApiKey.objects.count() == 1
    assert sum(int(n) for n in valkey.hvals(f"smartsupport:key-minute:{key.pk}")) == 1


@pytest.mark.django_db(transaction=True)
def test_all_threads_and_processes_count_together() -> None:
    key, _ = made("read", per_minute=7)

    found = at_once([lambda: key_limits.take(key) for _ in range(12)])

    assert sorted(one.wait == 0 for one in found) == [False] * 5 + [True] * 7  # type: ignore[union-attr]
    assert sorted(one.remaining for one in found if one.wait == 0) == list(range(7))  # type: ignore[union-attr]


def test_the_minute_goes_on_by_seconds(valkey: redis.Redis) -> None:
    key, _ = made("read", per_minute=4)
    name, now = f"smartsupport:key-minute:{key.pk}", int(valkey.time()[0])
    valkey.hset(name, mapping={str(now - 30): 2, str(now - 62): 50, str(now - 20): 1})

    first, second = key_limits.take(key), key_limits.take(key)

    later = int(valkey.time()[0])
    assert first
    assert (first.remaining, first.wait) == (0, 0)
    assert second
    assert 31 - (later - now) <= second.wait <= 31
    assert str(now - 62).encode() not in valkey.hkeys(name)


def test_without_the_broker_everybody_is_let_in(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_limits, "_not_before", 0.0)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    _, text = made("read", per_minute=1)

    answers = [call(text) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {200}
    assert not any("RateLimit" in answer.headers for answer in answers)


def test_counting_asks_the_database_nothing(django_assert_num_queries: Any) -> None:
    _, text = made("read", per_minute=5)
    call(text)

    with django_assert_num_queries(2):  # the key, the agents
        call(text)


# Taking one another's place


def test_both_keys_work_until_the_overlap_is_over() -> None:
    old, old_text = made("chat", "agents:read", per_minute=9)

    new, new_text = api_keys.replace(old.pk, overlap=timedelta(hours=2))

    assert (new.name, new.scopes, new.per_minute) == (old.name, old.scopes, 9)
    assert (new.replaces_id, new.expires_at) == (old.pk, None)
    assert {call(text).status_code for text in (old_text, new_text)} == {200}
    later(old, timedelta(hours=2))
    assert code(call(old_text)) == (403, "api_key_expired")
    assert call(new_text).status_code == 200


def test_without_an_overlap_the_old_key_ends_at_once() -> None:
    old, text = made("read")

    api_keys.replace(old.pk, overlap=timedelta(0))

    assert call(text).status_code == 403


def test_an_overlap_never_lengthens_a_life() -> None:
    ends = timezone.now() + timedelta(hours=1)
    old, _ = made("read", expires_at=ends)

    new, _ = api_keys.replace(old.pk, overlap=timedelta(days=30))

    old.refresh_from_db()
    assert old.expires_at == ends
    assert new.expires_at is not None
    assert timedelta(minutes=59) < new.expires_at - new.created_at < timedelta(minutes=61)


def test_what_was_replaced_or_ended_is_not_replaced_again() -> None:
    old, _ = made("read")
    new, _ = api_keys.replace(old.pk)
    with pytest.raises(api_keys.AlreadyReplaced):
        api_keys.replace(old.pk)
    api_keys.disable(new)
    with pytest.raises(api_keys.KeyEnded):
        api_keys.replace(new.pk)

    assert ApiKey.objects.count() == 2
    api_keys.replace(old.pk)  # nothing that works has its place any more


@pytest.mark.django_db(transaction=True)
def test_two_who_replace_a_key_at_once_make_one() -> None:
    old, _ = made("read")

    outcomes = at_once([lambda: api_keys.replace(old.pk) for _ in range(4)])

    assert sum(isinstance(one, api_keys.AlreadyReplaced) for one in outcomes) == 3
    assert ApiKey.objects.filter(replaces=old).count() == 1


# Whose wish it was


def asked_for_by(text: str) -> Action:
    """A discount that a message sent with this key has led to."""
    thread = f"t-{ApiKey.objects.count()}-{Action.objects.count()}"
    body = {"content": "10% off please", "customer": {"subject": thread}}
    sent = call(text, f"/api/v1/conversations/{thread}/messages", body)
    assert sent.status_code == 202
    wanted = rows.waiting_for_staff().tool
    return rows.action(
        Turn.objects.select_related("conversation").get(pk=sent.json()["data"]["turn_id"]), wanted
    )


def decided_with(text: str, action: Action) -> tuple[int, str]:
    answer = call(text, f"/api/v1/interrupts/{action.pk}/decision", {"approved": True})
    action.refresh_from_db()
    return answer.status_code, action.status


def test_a_key_that_replaces_another_may_not_approve_what_that_one_asked_for() -> None:
    first, first_text = made("chat", "approve")
    second, second_text = api_keys.replace(first.pk)
    third, third_text = api_keys.replace(second.pk)
    mine, theirs = asked_for_by(first_text), asked_for_by(third_text)

    assert decided_with(third_text, mine) == (403, "awaiting")
    assert decided_with(second_text, mine) == (403, "awaiting")
    assert decided_with(first_text, theirs) == (403, "awaiting")
    assert decided_with(rows.key("approve", name="somebody else"), mine) == (200, "approved")
    assert api_keys.line_of(third) == [f"key:{first.pk}"]


def test_a_key_that_another_key_made_is_the_same_integrator() -> None:
    _, text = made("admin")
    answer = call(text, URL, {"name": "Second face", "scopes": ["approve"]})
    other = answer.json()["data"]["key"]
    action = asked_for_by(text)

    assert decided_with(other, action) == (403, "awaiting")


def test_a_key_becomes_nobody_else_by_replacing_their_key() -> None:
    _, text = made("admin", name="Wishes")
    other, other_text = made("approve", name="Decides")
    action = asked_for_by(text)

    answer = call(text, f"{URL}/{other.pk}/rotate", {"overlap_hours": 1})

    assert code(answer) == (403, "more_than_own")
    assert not ApiKey.objects.filter(replaces=other).exists()
    other.refresh_from_db()
    assert other.expires_at is None
    assert decided_with(other_text, action) == (200, "approved")


def test_a_line_has_one_beginning_however_long_it_is() -> None:
    first, text = made("chat", "approve")
    action = asked_for_by(text)
    newest = first
    for number in range(1_100):
        named = {"prefix": "sk_", "key_hash": f"{number:064}", "scopes": ["approve"]}
        newest = ApiKey(name="Rotated often", replaces=newest, **named)
        ApiKey.objects.bulk_create([newest])
    _, last = api_keys.replace(newest.pk)

    assert decided_with(last, action) == (403, "awaiting")


def test_what_a_key_asks_for_while_a_person_has_the_conversation_is_its_wish_too() -> None:
    _, text = made("chat", "approve")
    turn = rows.turn(rows.customer(), "t-held", "Hello")
    rows.finish(turn)
    address = "/api/v1/conversations/t-held"
    for path, body in (
        ("takeover", {}),
        ("messages", {"content": "Refund my order 1042"}),
        ("handback", {}),
    ):
        assert call(text, f"{address}/{path}", body).status_code in (200, 202)
    action = rows.action(rows.turn(turn.conversation.customer, "t-held", "Yes"), rows.tool(approval="staff"))

    assert decided_with(text, action) == (403, "awaiting")
    assert decided_with(rows.key("approve", name="somebody else"), action) == (200, "approved")


def test_nobody_approves_their_own_wish_with_a_key_that_they_made() -> None:
    sam = rows.staff("sam", superuser=True)
    key, text = made("approve", by=sam)
    action = rows.waiting_for_staff()
    Turn.objects.filter(pk=action.turn_id).update(asked_by=f"user:{sam.pk}")
    new, new_text = api_keys.replace(key.pk, by=rows.staff("nina", superuser=True))

    assert decided_with(text, action) == (403, "awaiting")
    assert decided_with(new_text, action) == (403, "awaiting")
    refused = call(text, f"/api/v1/interrupts/{action.pk}/decision", {"approved": True}).json()
    assert refused["error"]["message"].startswith("Whoever made this key or link asked for this.")
    nina = User.objects.get(username="nina")
    assert Integrator(new).answers_for == tuple(sorted([f"user:{sam.pk}", f"user:{nina.pk}"]))


def test_nobody_approves_what_a_key_asked_for_that_they_made() -> None:
    sam, nina, kim = (rows.staff(name, superuser=True) for name in ("sam", "nina", "kim"))
    admin, _ = made("admin", name="Sam's", by=sam)
    child, text = made("chat", name="Wishes", by=Integrator(admin))
    api_keys.replace(child.pk, by=nina)
    action = asked_for_by(text)

    def refusal(who: User | None = None, **decider: Any) -> str:
        by = Decider.of(who) if who else Decider(kind="staff", name="x", **decider)
        with pytest.raises(NotAllowed) as refused:
            decide(action_id=action.pk, approved=True, by=by)
        return refused.value.message

    # Sam made the key that made it, and Nina the one that took its place: both have read a text that asks as this one.
    for who in (sam, nina):
        assert refusal(who) == "An API key that you made asked for this. Somebody else has to approve it."
    assert refusal(id="link:1", answers_for=(f"user:{nina.pk}",))  # whom somebody asks by a link in her place
    other_of_sam = made("approve", name="Decides", by=sam)[1]
    assert decided_with(other_of_sam, action) == (403, "awaiting")
    beside = call(other_of_sam, f"/api/v1/interrupts/{action.pk}/decision", {"approved": True}).json()
    assert beside["error"]["message"].startswith("This was asked for by a key of the same maker.")
    assert not [
        named for named in page_of(Wanted(mine="yes"), f"user:{sam.pk}").rows if named.pk == action.pk
    ]
    [shown] = [one for one in page_of(Wanted(), f"user:{nina.pk}").rows if one.pk == action.pk]
    assert shown.asked_by_you  # type: ignore[attr-defined]
    assert [one.asked_by_you for one in these([action.pk], f"user:{kim.pk}")] == [False]  # type: ignore[attr-defined]
    action.refresh_from_db()
    assert (action.status, action.votes) == ("awaiting", [])
    assert decide(action_id=action.pk, approved=True, by=Decider.of(kim)).status == "approved"


def test_who_made_a_key_still_declines_what_it_asked_for_and_the_first_key_is_nobodys() -> None:
    sam = rows.staff("sam", superuser=True)
    _, text = made("chat", by=sam)
    _, first = made("chat", name="First key")

    assert decide(action_id=asked_for_by(text).pk, approved=False, by=Decider.of(sam)).status == "rejected"
    assert decide(action_id=asked_for_by(first).pk, approved=True, by=Decider.of(sam)).status == "approved"


# Keys that a key made


def family() -> tuple[ApiKey, ApiKey, dict[str, str]]:
    """An admin key that was replaced, what took its place, and texts: theirs, and of the keys that they made."""
    first, text = made("admin", name="First")
    child, child_text = made("admin", name="Child", by=Integrator(first))
    grandchild = made("chat", name="Grandchild", by=Integrator(child))[1]
    renewed = api_keys.replace(child.pk, by=rows.staff("renews", superuser=True))[1]
    second, second_text = api_keys.replace(first.pk, by=Integrator(first))
    of_second = made("chat", name="Of the second", by=Integrator(second))[1]
    return (
        first,
        second,
        {
            "first": text,
            "second": second_text,
            "child": child_text,
            "grandchild": grandchild,
            "renewed": renewed,
            "of_second": of_second,
            "stranger": made("chat", name="Stranger")[1],
        },
    )


def working(texts: dict[str, str]) -> set[str]:
    return {name for name, text in texts.items() if api_keys.find(text)}


def test_with_a_key_go_the_keys_that_it_made_and_not_what_took_its_place() -> None:
    first, second, texts = family()
    admin = rows.key("admin", name="The administrator's")
    kept = {"second", "of_second", "stranger"}

    assert call(admin, f"{URL}/{first.pk}").json()["data"]["made_live"] == 3
    gone = call(admin, f"{URL}/{first.pk}", method="delete").json()["data"]
    assert (gone["state"], gone["made_live"], gone["made_disabled"]) == ("disabled", 0, 3)
    assert working(texts) == kept
    again = call(admin, f"{URL}/{first.pk}", method="delete").json()["data"]
    assert (again["made_disabled"], working(texts)) == (0, kept)

    entry = AuditEntry.objects.filter(verb="delete", object_type="api.keys", outcome="done").earliest("pk")
    assert sum(name.endswith("enabled") and value is False for name, value in entry.after.items()) == 4
    call(admin, f"{URL}/{second.pk}", method="delete")
    assert working(texts) == {"stranger"}


def test_what_a_key_made_may_stay_and_go_later() -> None:
    first, _, texts = family()
    admin = rows.key("admin", name="The administrator's")

    kept = call(admin, f"{URL}/{first.pk}?made=false", method="delete").json()["data"]
    assert (kept["state"], kept["made_live"], kept["made_disabled"]) == ("disabled", 3, 0)
    assert working(texts) == texts.keys() - {"first"}
    assert call(admin, f"{URL}/{first.pk}?made=maybe", method="delete").status_code == 400
    assert working(texts) == texts.keys() - {"first"}
    assert call(admin, f"{URL}/{first.pk}", method="delete").json()["data"]["made_disabled"] == 3


@pytest.mark.django_db(transaction=True)
def test_no_key_is_made_by_one_that_is_switched_off_at_that_moment() -> None:
    for number in range(4):
        key, _ = made("admin", name=f"Admin {number}")
        makes = [
            lambda key=key: api_keys.issue(name="x", scopes=["chat"], by=Integrator(key)) for _ in range(3)
        ]

        outcomes = at_once([*makes, lambda key=key: api_keys.disable(key, made_too=True)])

        refused = [one for one in outcomes if isinstance(one, Exception)]
        assert all(isinstance(one, api_keys.MoreThanOwn) for one in refused), refused
        assert api_keys.live_made(key) == []


# Over the API


def test_a_key_is_made_shown_once_and_works() -> None:
    admin = rows.key("admin")

    answer = call(admin, URL, {"name": "Mail", "scopes": ["chat"], "per_minute": 5})

    told = answer.json()["data"]
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    assert (told["name"], told["scopes"], told["per_minute"], told["state"]) == (
        "Mail",
        ["chat"],
        5,
        "enabled",
    )
    assert told["grants"] == ["conversations:read", "conversations:write"]
    assert call(told["key"], "/api/v1/conversations").status_code == 200
    listed = call(admin, URL).content.decode() + call(admin, f"{URL}/{told['id']}").content.decode()
    assert told["key"] not in listed
    assert ApiKey.objects.get(pk=told["id"]).key_hash not in listed
    written = str(list(AuditEntry.objects.values()))
    assert told["key"] not in written
    assert "Mail" in written


def test_a_key_is_replaced_and_disabled_over_the_api() -> None:
    admin = rows.key("admin")
    first = call(admin, URL, {"name": "Reader", "scopes": ["agents:read"]}).json()["data"]
    key, text = ApiKey.objects.get(pk=first["id"]), first["key"]

    answer = call(admin, f"{URL}/{key.pk}/rotate", {"overlap_hours": 1})
    told = answer.json()["data"]
    assert answer.status_code == 201
    assert told["replaces"] == str(key.pk)
    assert {call(one).status_code for one in (text, told["key"])} == {200}
    old = call(admin, f"{URL}/{key.pk}").json()["data"]
    assert (old["state"], old["replaced_by"]) == ("replaced", told["id"])
    assert code(call(admin, f"{URL}/{key.pk}/rotate", {})) == (409, "already_replaced")

    gone = call(admin, f"{URL}/{told['id']}", method="delete")
    assert (gone.status_code, gone.json()["data"]["state"]) == (200, "disabled")
    assert call(admin, f"{URL}/{told['id']}", method="delete").status_code == 200
    assert call(told["key"]).status_code == 403
    assert call(text).status_code == 200


def test_one_that_ends_in_the_last_year_there_is_can_be_replaced() -> None:
    """What many a program writes for "never"."""
    end = "9999-12-31T23:59:59Z"
    admin, body = rows.key("admin"), {"name": "Mail", "scopes": ["chat"], "expires_at": end}
    key = call(admin, URL, body).json()["data"]
    ApiKey.objects.filter(pk=key["id"]).update(created_at=timezone.now() - timedelta(days=2))

    answer = call(admin, f"{URL}/{key['id']}/rotate", {})

    assert answer.status_code == 201, answer.content
    assert datetime.fromisoformat(answer.json()["data"]["expires_at"]) >= datetime.fromisoformat(end)
    assert call(answer.json()["data"]["key"], "/api/v1/conversations").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": "read"},
        {"name": "", "scopes": ["read"]},
        {"name": "x" * 101, "scopes": ["read"]},
        {"name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "x", "scopes": ["read"], "expires_at": "soon"},
        {"name": "x", "scopes": ["read"], "per_minute": 0},
        {"name": "x", "scopes": ["read"], "per_minute": 10**9},
        {},
    ],
)
def test_a_key_that_cannot_be_is_not_made(body: dict[str, Any]) -> None:
    admin = rows.key("admin")

    assert call(admin, URL, body).status_code == 400
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("hours", [-1, 721, "a day", 1.5])
def test_an_overlap_has_its_limits(hours: Any) -> None:
    admin, (key, _) = rows.key("admin"), made("read")

    assert call(admin, f"{URL}/{key.pk}/rotate", {"overlap_hours": hours}).status_code == 400
    assert ApiKey.objects.count() == 2


def test_a_key_gives_no_more_than_it_has() -> None:
    ends = timezone.now() + timedelta(days=2)
    key, text = made("admin", expires_at=ends, per_minute=50)
    forever, _ = made("read", name="Forever")
    soon = (ends - timedelta(days=1)).isoformat()
    refused = [
        {"name": "x", "scopes": ["read"]},
        {"name": "x", "scopes": ["read"], "expires_at": soon},
        {"name": "x", "scopes": ["read"], "per_minute": 50},
        {"name": "x", "scopes": ["read"], "per_minute": 51, "expires_at": soon},
        {"name": "x", "scopes": ["read"], "per_minute": 50, "expires_at": (ends + timedelta(1)).isoformat()},
    ]

    assert {code(call(text, URL, body)) for body in refused} == {(403, "more_than_own")}
    assert code(call(text, f"{URL}/{forever.pk}/rotate", {"expires_at": soon})) == (403, "more_than_own")
    assert ApiKey.objects.count() == 2
    assert call(text, URL, {**refused[3], "per_minute": 50}).status_code == 201

    renewed = call(text, f"{URL}/{key.pk}/rotate", {})
    assert renewed.status_code == 201
    assert ApiKey.objects.get(pk=renewed.json()["data"]["id"]).expires_at == ends
    with pytest.raises(api_keys.MoreThanOwn):
        api_keys.issue(name="x", scopes=["chat"], by=Integrator(made("read")[0]))


def test_staff_give_no_key_what_they_may_not_do() -> None:
    clerk = rows.staff(
        "clerk", "chat.view_apikey", "chat.add_apikey", "chat.change_apikey", "agents.view_agent"
    )
    client = Client()
    client.force_login(clerk)
    strong, _ = made("admin", name="Strong")

    def ask(path: str, body: Any) -> Any:
        return client.post(path, body, content_type="application/json")

    for given in (["admin"], ["approve"], ["read"], ["agents:read", "tools:call"]):
        assert code(ask(URL, {"name": "x", "scopes": given})) == (403, "more_than_own")
        page = client.post(reverse("admin:chat_apikey_add"), {"name": "x", "scopes": given})
        assert "You cannot give what you may not do yourself" in page.content.decode()
    assert code(ask(f"{URL}/{strong.pk}/rotate", {})) == (403, "more_than_own")
    assert list(ApiKey.objects.all()) == [strong]
    assert ask(URL, {"name": "x", "scopes": ["agents:read"]}).status_code == 201


def test_everything_but_admin_may_do_nothing_with_keys() -> None:
    key, _ = made("read")
    text = rows.key(*(name for name in scopes.NAMES if name != "admin"))

    answers = [
        call(text, URL),
        call(text, URL, {"name": "x", "scopes": ["read"]}),
        call(text, f"{URL}/{key.pk}/rotate", {}),
        call(text, f"{URL}/{key.pk}", method="delete"),
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert ApiKey.objects.filter(enabled=True).count() == ApiKey.objects.count() == 2


# In the console


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(rows.staff("root", superuser=True))
    return client


def test_the_console_warns_before_a_key_ends(root: Client) -> None:
    made("read", name="Ends tomorrow", expires_at=timezone.now() + timedelta(days=1))
    made("read", name="Ends next year", expires_at=timezone.now() + timedelta(days=300))
    replaced, _ = made("read", name="Has a successor", expires_at=timezone.now() + timedelta(days=2))
    api_keys.replace(replaced.pk, expires_at=timezone.now() + timedelta(days=300))

    page = root.get(reverse("admin:chat_apikey_changelist")).content.decode()

    [note] = re.findall(r'<p class="console-note".*?</p>', page, re.DOTALL)
    assert "Ends tomorrow" in note
    assert "Ends next year" not in note
    assert "Has a successor" not in note
    for state in ("Ends soon", "Enabled", "Replaced, still works"):
        assert state in page


def test_a_key_is_made_with_an_end_and_a_limit(root: Client) -> None:
    form = {"name": "Mail", "scopes": ["chat"], "per_minute": "30", "expires_at_1": "12:00"}

    bad = root.post("/admin/chat/apikey/add/", {**form, "expires_at_0": "2020-01-01"})
    assert "This is over already" in bad.content.decode()
    assert not ApiKey.objects.exists()
    root.post("/admin/chat/apikey/add/", {**form, "expires_at_0": "2099-01-01"})

    row = ApiKey.objects.get()
    assert (row.per_minute, f"{row.expires_at:%Y-%m-%d %H}") == (30, "2099-01-01 12")
    assert row.created_by == f"user:{User.objects.get().pk}"
    page = root.get(reverse("admin:chat_apikey_change", args=[row.pk])).content.decode()
    for told in ("01 Jan 2099, 12:00 UTC", "conversations:read, conversations:write", "root"):
        assert told in page


def test_a_key_is_replaced_in_the_console_and_both_name_each_other(root: Client) -> None:
    old, old_text = made("agents:read")
    replace = reverse("admin:chat_apikey_replace", args=[old.pk])

    answer = root.post(replace, {"_form_submitted": "True", "overlap_hours": "24"}, follow=True)

    page = answer.content.decode()
    shown = re.search(r"<code>(sk_[\w-]+)</code>", page)
    assert shown is not None
    new = ApiKey.objects.get(replaces=old)
    assert {call(one).status_code for one in (old_text, shown[1])} == {200}
    pages = [
        root.get(reverse("admin:chat_apikey_change", args=[one.pk])).content.decode() for one in (old, new)
    ]
    assert all(f"{other.prefix}…" in page for page, other in zip(pages, (new, old), strict=True))
    assert not any(shown[1] in page for page in pages)
    assert replace not in pages[0]
    root.post(replace, {"_form_submitted": "True", "overlap_hours": "24"})
    assert ApiKey.objects.count() == 2
    written = str(list(AuditEntry.objects.values()))
    assert new.key_hash not in written
    assert shown[1] not in written
    told = AuditEntry.objects.filter(verb="replace", object_id=str(old.pk), outcome="done").earliest("pk")
    assert told.before["expires_at"] is None
    assert told.after["expires_at"]


def test_the_dialog_says_what_a_key_made_and_switches_it_off_unless_told_not_to(root: Client) -> None:
    first, _, texts = family()
    disable = reverse("admin:chat_apikey_disable", args=[first.pk])

    dialog = root.get(disable).content.decode()
    assert "Disable the 3 keys that it made, too" in dialog
    assert "They still work: Child, Child, Grandchild." in dialog
    assert re.search(r'<input[^>]*name="made_too"[^>]* checked', dialog)
    root.post(disable, {"_form_submitted": "True"})
    assert working(texts) == texts.keys() - {"first"}

    page = root.get(reverse("admin:chat_apikey_change", args=[first.pk])).content.decode()
    assert disable in page  # for those that still work
    told = root.post(disable, {"_form_submitted": "True", "made_too": "on"}, follow=True).content.decode()
    assert "3 keys that it made: disabled with it." in told
    assert working(texts) == {"second", "of_second", "stranger"}
    assert disable not in root.get(reverse("admin:chat_apikey_change", args=[first.pk])).content.decode()
    assert "made_too" not in root.get(disable).content.decode()


def test_those_who_switch_off_keys_of_one_line_at_once_do_not_stop_each_other(transactional_db: None) -> None:
    line: list[ApiKey] = []
    for place in range(30):  # the first has the highest id, so that two who take what they find meet
        maker = f"key:{line[-1].pk}" if line else "user:1"
        key = ApiKey(id=UUID(int=1000 - place), name=f"{place}", key_hash=str(place), created_by=maker)
        key.save(force_insert=True)
        line.append(key)

    done = at_once([partial(api_keys.disable, key, made_too=True) for key in line[:4]])

    assert not [one for one in done if isinstance(one, Exception)]
    assert not ApiKey.objects.filter(enabled=True).exists()
