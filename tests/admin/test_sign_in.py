"""How often signing in may fail: by name and address, by address, by name; what people read, what is recorded."""

import re
from datetime import timedelta
from functools import partial

import pytest
from asgiref.sync import async_to_sync
from axes.models import AccessAttempt
from celery import current_app
from django.conf import settings as configured
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from smartsupport import sign_in
from smartsupport.models import AuditEntry
from tests import rows
from tests.at_once import at_once

pytestmark = pytest.mark.django_db
LOGIN = "/admin/login/"
RIGHT, WRONG = "correct horse", "wrong horse"
HERE, THERE = "203.0.113.7", "198.51.100.9"


def post(
    name: str, password: str, address: str = HERE, client: Client | None = None, **headers: str
) -> HttpResponse:
    client = client or Client()
    given = {"username": name, "password": password, "next": "/admin/"}
    return client.post(LOGIN, given, REMOTE_ADDR=address, headers=headers)  # type: ignore[return-value]


def fail(times: int, name: str = "sam", address: str = HERE) -> list[int]:
    return [post(name, WRONG, address).status_code for _ in range(times)]


def since(start: int) -> list[tuple[str, str, str]]:
    found = AuditEntry.objects.filter(pk__gt=start).order_by("pk")
    return list(found.values_list("verb", "actor_name", "outcome"))


@pytest.fixture
def start() -> int:
    newest = AuditEntry.objects.order_by("-pk").first()
    return newest.pk if newest else 0


def test_the_fifth_failure_closes_the_door_also_for_the_right_password(start: int) -> None:
    rows.staff("sam")

    assert fail(5) == [200, 200, 200, 200, 429]
    answer = post("sam", RIGHT)

    assert answer.status_code == 429
    assert "_auth_user_id" not in answer.client.session  # type: ignore[attr-defined]
    assert 14 * 60 < int(answer.headers["Retry-After"]) <= 15 * 60
    page = answer.content.decode()
    assert "Try again in 15 minutes , at" in " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "sam" not in page
    assert since(start) == [("login_failed", "sam", "refused")] * 4 + [("login_locked", "sam", "refused")]


def test_somebody_else_and_somewhere_else_are_let_in() -> None:
    rows.staff("sam")
    rows.staff("alex")
    fail(5)

    assert post("alex", RIGHT, HERE).status_code == 302
    assert post("sam", RIGHT, THERE).status_code == 302
    assert post("sam", RIGHT, HERE).status_code == 429


def test_a_name_that_nobody_has_is_treated_alike() -> None:
    rows.staff("sam")
    texts = []
    for name in ("sam", "nobody-here"):
        answers = [post(name, WRONG, THERE if name == "sam" else HERE) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
        texts.append([_plain(answer, name) for answer in answers])

    assert texts[0] == texts[1]


def _plain(answer: HttpResponse, name: str) -> str:
    text = re.sub(r'csrfmiddlewaretoken" value="[^"]*"|"csrf[^"]*": ?"[^"]*"', "", answer.content.decode())
    return re.sub(r"<time.*?</time>", "", text.replace(name, "NAME"), flags=re.DOTALL)


def test_an_address_that_tries_many_names_is_closed_for_all_of_them(start: int) -> None:
    rows.staff("sam")
    most = configured.SIGN_IN_FAILURES * sign_in.PER_ADDRESS

    tried = [post(f"name-{number}", WRONG).status_code for number in range(most)]

    assert tried == [200] * (most - 1) + [429]
    assert post("sam", RIGHT).status_code == 429
    assert post("sam", RIGHT, THERE).status_code == 302
    assert {who for verb, who, _ in since(start) if verb != "login"} == {"No such account"}


def test_a_name_that_is_tried_from_everywhere_is_closed_everywhere(settings: Settings) -> None:
    settings.SIGN_IN_FAILURES = 2
    rows.staff("sam")
    most = 2 * sign_in.PER_NAME

    for number in range(most):
        post("sam", WRONG, f"198.51.100.{number + 20}")

    assert post("sam", RIGHT, THERE).status_code == 429


def test_the_door_opens_again_by_itself() -> None:
    rows.staff("sam")
    fail(5)
    past = timezone.now() - configured.AXES_COOLOFF_TIME - timedelta(seconds=1)
    AccessAttempt.objects.update(attempt_time=past)

    assert post("sam", RIGHT).status_code == 302


def test_tries_while_it_is_closed_do_not_keep_it_closed(start: int) -> None:
    rows.staff("sam")
    fail(5)
    last = AccessAttempt.objects.get().attempt_time

    assert fail(3) == [429] * 3

    assert AccessAttempt.objects.get().attempt_time == last
    assert len(since(start)) == 5


def test_an_administrator_lets_somebody_in_sooner() -> None:
    rows.staff("sam")
    fail(5)

    call_command("axes_reset_username", "sam")

    assert post("sam", RIGHT).status_code == 302


def test_success_forgets_the_failures_of_that_name_only() -> None:
    rows.staff("sam")
    fail(4)
    fail(4, name="alex")

    assert post("sam", RIGHT).status_code == 302

    assert list(AccessAttempt.objects.values_list("username", "failures_since_start")) == [("alex", 4)]


@pytest.mark.parametrize(("trusted", "counted"), [(False, HERE), (True, THERE)])
def test_a_forwarded_address_counts_only_behind_our_own_proxy(
    settings: Settings, trusted: bool, counted: str
) -> None:
    settings.TRUST_PROXY_HEADERS = trusted

    post("sam", WRONG, HERE, **{"X-Forwarded-For": f"192.0.2.1, {THERE}"})  # type: ignore[arg-type]

    assert AccessAttempt.objects.get().ip_address == counted
    assert AuditEntry.objects.order_by("-pk")[0].address == counted


def test_an_ipv6_network_counts_as_one_address() -> None:
    for number in range(5):
        post("sam", WRONG, f"2001:db8::{number + 1}")

    assert post("sam", WRONG, "2001:db8::ffff").status_code == 429
    assert post("sam", WRONG, "2001:db8:0:1::1").status_code == 200


def test_signing_in_and_out_is_recorded_and_staying_out_is(start: int) -> None:
    rows.staff("sam")
    customer = rows.staff("eve")
    customer.is_staff = False
    customer.save()
    client = Client()

    post("sam", RIGHT, client=client)
    client.post(reverse("admin:logout"))
    post("eve", RIGHT)
    post("", "")

    assert since(start) == [
        ("login", "sam", "done"),
        ("logout", "sam", "begun"),
        ("logout", "sam", "done"),
        ("login_failed", "eve", "refused"),
    ]
    assert "correct horse" not in str(list(AuditEntry.objects.filter(pk__gt=start).values()))


def test_it_holds_when_the_site_is_served_asynchronously(start: int) -> None:
    """Over the same chain of middlewares as daphne serves."""
    rows.staff("sam")
    sign_in_later = async_to_sync(AsyncClient().post)
    guess = {"username": "sam", "password": WRONG}

    answers = [sign_in_later(LOGIN, guess).status_code for _ in range(6)]
    right = sign_in_later(LOGIN, guess | {"password": RIGHT})

    assert answers == [200, 200, 200, 200, 429, 429]
    assert (right.status_code, right.headers["Retry-After"].isdigit()) == (429, True)
    assert since(start)[-1] == ("login_locked", "sam", "refused")


@pytest.mark.parametrize(
    "name", ["sam\0", "s" * 151, "s" * 300, "s" * 100_000], ids=["NUL", "151", "300", "100000"]
)
def test_a_name_that_no_account_can_have_gets_the_form_again(name: str, start: int) -> None:
    rows.staff("sam")

    assert post(name, WRONG).status_code == 200

    assert not AccessAttempt.objects.exists()
    assert {who for _, who, _ in since(start)} <= {"No such account"}


@pytest.mark.parametrize("name", [" sam", "sam\t", "ｓam", "ſam"])
def test_a_name_written_otherwise_is_counted_as_the_name_that_it_is(name: str) -> None:
    rows.staff("sam")
    fail(4)

    assert post(name, WRONG).status_code == 429
    assert post("sam", RIGHT).status_code == 429


@pytest.mark.django_db(transaction=True)
def test_many_attempts_at_once_are_checked_no_more_often_than_one_after_the_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a hash that takes a while, as in production: all of them would begin before the first one is counted."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    rows.staff("sam")
    rows.staff("alex")
    checked: list[str] = []
    check_password = User.check_password

    def counted(user: User, raw_password: str) -> bool:
        checked.append(user.username)
        return check_password(user, raw_password)

    monkeypatch.setattr(User, "check_password", counted)

    told = at_once([partial(fail, 1, name) for name in ("sam", "alex") for _ in range(8)])

    assert (checked.count("sam"), checked.count("alex")) == (5, 5)
    assert told.count([200]) == 8
    assert told.count([429]) == 8


def test_whoever_signs_in_without_having_asked_for_a_page_sees_the_console() -> None:
    rows.staff("sam")

    answer = Client().post(LOGIN, {"username": "sam", "password": RIGHT})

    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")


@pytest.mark.parametrize(
    "written", ["203.0.113.7:{port}", "[2001:db8::7]:{port}", "[2001:db8::{port}]", "::ffff:203.0.113.7"]
)
def test_behind_a_proxy_a_port_does_not_make_an_address_another_one(
    written: str, settings: Settings, start: int
) -> None:
    settings.TRUST_PROXY_HEADERS = True
    rows.staff("sam")

    def attempt(port: int) -> int:
        forwarded = f"198.51.100.{port % 100}, {written.format(port=port)}"
        return post("sam", WRONG, "10.0.0.1", **{"X-Forwarded-For": forwarded}).status_code  # type: ignore[arg-type]

    assert [attempt(4000 + number) for number in range(5)] == [200] * 4 + [429]
    assert "10.0.0.1" not in AuditEntry.objects.filter(pk__gt=start).values_list("address", flat=True)
    assert "" not in AuditEntry.objects.filter(pk__gt=start).values_list("address", flat=True)


def test_an_address_that_is_none_still_counts_by_name(settings: Settings) -> None:
    settings.TRUST_PROXY_HEADERS = True
    settings.SIGN_IN_FAILURES = 2
    rows.staff("sam")

    tried = [
        post("sam", WRONG, "10.0.0.1", **{"X-Forwarded-For": "unknown"}).status_code  # type: ignore[arg-type]
        for _ in range(2 * sign_in.PER_NAME)
    ]

    assert tried[-1] == 429
    assert post("sam", RIGHT).status_code == 429


def test_sessions_that_have_ended_are_gone_within_the_hour_and_nobody_else_is_signed_out() -> None:
    rows.staff("sam")
    ended, lasts = Client(), Client()
    for client in (ended, lasts):
        assert post("sam", RIGHT, client=client).status_code == 302
    over = timezone.now() - timedelta(seconds=1)
    Session.objects.filter(pk=ended.session.session_key).update(expire_date=over)
    [entry] = [one for one in configured.CELERY_BEAT_SCHEDULE.values() if "session" in one["task"]]
    assert entry["schedule"] <= 3600

    current_app.loader.import_default_modules()
    current_app.tasks[entry["task"]]()

    assert list(Session.objects.values_list("pk", flat=True)) == [lasts.session.session_key]
    assert lasts.get("/admin/").status_code == 200
    assert ended.get("/admin/").status_code == 302
