"""`Idempotency-Key`: a write that is sent again is carried out once."""

import json
import subprocess
import sys
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from chat import api_keys, submission
from chat.models import ApiKey, Conversation, Event, Tag, Turn, WebhookEndpoint
from openapi_import.models import ImportJob
from smartsupport.lib import idempotency, leases
from smartsupport.models import AuditEntry, IdempotentRequest
from smartsupport.tasks import forget_old_requests
from tests import rows
from tests.live.stack import until

pytestmark = pytest.mark.django_db
JSON = "application/json"
SPEC = b'{"openapi": "3.1.0", "info": {"title": "Shop", "version": "1"}, "paths": {}}'


def caller(*scopes: str, name: str = "billing") -> Client:
    return Client(headers={"X-API-Key": rows.key(*(scopes or ("admin",)), name=name)})


def note(client: Client, key: str | None = "n-1", content: Any = "Called the carrier.") -> Any:
    headers = {"Idempotency-Key": key} if key is not None else {}
    return client.post(
        "/api/v1/conversations/t-1/notes", {"content": content}, content_type=JSON, headers=headers
    )


@pytest.fixture
def thread(db: None) -> Conversation:
    return rows.turn(rows.customer(), "t-1").conversation


def notes() -> int:
    return Event.objects.filter(kind="note_written").count()


def test_a_repeat_gets_the_first_answer_and_does_nothing(thread: Conversation) -> None:
    client = caller()

    first, second, without = note(client), note(client), note(client, None)

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert (second.headers["Content-Type"], second.headers["Idempotent-Replayed"]) == (JSON, "true")
    assert "Idempotent-Replayed" not in first.headers
    assert without.json()["data"]["seq"] == first.json()["data"]["seq"] + 1
    assert notes() == 2


def test_the_audit_says_that_nothing_was_done_again(thread: Conversation) -> None:
    client = caller()
    note(client)
    note(client)

    done = AuditEntry.objects.filter(outcome="done", object_type="api.conversations").order_by("-id")
    assert "answered as before" in str(done[0].detail)
    assert "answered as before" not in str(done[1].detail)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/api/v1/conversations/t-1/notes", {"content": "Something else."}),
        ("post", "/api/v1/conversations/t-1/staff-messages", {"content": "Called the carrier."}),
        ("put", "/api/v1/conversations/t-1/tags", {"tags": ["vip"]}),
    ],
)
def test_the_same_key_for_something_else_is_refused(
    thread: Conversation, method: str, path: str, body: dict[str, Any]
) -> None:
    client = caller()
    note(client)
    before = Event.objects.count()

    answer = getattr(client, method)(path, body, content_type=JSON, headers={"Idempotency-Key": "n-1"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert (Event.objects.count(), Tag.objects.count()) == (before, 0)
    assert note(client).headers["Idempotent-Replayed"] == "true"


def test_the_same_key_with_another_query_is_refused(db: None) -> None:
    client, other = caller(), api_keys.issue(name="other", scopes=["chat"])[0]
    path, headers = f"/api/v1/keys/{other.pk}", {"Idempotency-Key": "n-1"}

    answers = [client.delete(f"{path}?made={made}", headers=headers) for made in ("false", "true", "false")]

    assert [answer.status_code for answer in answers] == [200, 422, 200]
    assert answers[1].json()["error"]["code"] == "idempotency_key_reused"
    assert answers[2].content == answers[0].content


def test_a_key_is_its_callers_own(thread: Conversation) -> None:
    answers = [note(caller(name=name), content=name).status_code for name in ("one", "two")]

    assert answers == [201, 201]
    assert notes() == 2


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "a\tb", "schlüssel", "tail "])
def test_what_is_no_key_is_refused(thread: Conversation, key: str) -> None:
    answer = note(caller(), key)

    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["Idempotency-Key"])
    assert notes() == 0


def test_whoever_may_not_write_gets_nothing_from_a_key(thread: Conversation) -> None:
    writer = caller("conversations:write")
    note(writer)

    assert note(caller("conversations:read", name="reader")).status_code == 403
    assert note(Client()).status_code == 401
    assert IdempotentRequest.objects.count() == 1


def test_what_was_refused_can_be_sent_again_with_its_key(thread: Conversation) -> None:
    client = caller()

    assert note(client, content="").status_code == 400
    assert not IdempotentRequest.objects.exists()
    assert note(client, content="Now with a text.").status_code == 201


def test_answers_are_sealed_and_requests_unreadable(thread: Conversation) -> None:
    note(caller(), content="Password hunter2")

    [row] = IdempotentRequest.objects.all()
    assert row.status == 201
    assert "hunter2" not in str(vars(row))


def test_an_answer_that_cannot_be_opened_any_more_is_not_done_again(
    thread: Conversation, settings: Any
) -> None:
    client = caller()
    note(client)
    IdempotentRequest.objects.update(answer="gAAAAA")

    again = note(client)

    assert (again.status_code, again.json()["error"]["code"]) == (409, "answer_unreadable")
    assert notes() == 1


def test_a_repeat_is_known_again_while_the_secret_key_is_replaced(
    thread: Conversation, settings: Any
) -> None:
    client = caller()
    first = note(client)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-" + "k3" * 30

    again = note(client)
    IdempotentRequest.objects.update(status=None, answer="", lease_until=timezone.now())
    died = note(client)

    assert (again.status_code, again.content) == (201, first.content)
    assert (died.status_code, "Idempotent-Replayed" in died.headers) == (201, False)
    assert note(client, content="Something else.").status_code == 422
    assert notes() == 1


def test_a_file_is_the_same_whatever_its_boundary(db: None) -> None:
    client = caller()

    def send(boundary: str, content: bytes = SPEC) -> Any:
        upload = SimpleUploadedFile("shop.json", content, content_type=JSON)
        from django.test.client import encode_multipart

        body = encode_multipart(boundary, {"file": upload, "name": "shop"})
        return client.generic(
            "POST",
            "/api/v1/openapi/import",
            body,
            content_type=f"multipart/form-data; boundary={boundary}",
            headers={"Idempotency-Key": "i-1"},
        )

    first, second, other = send("aaa"), send("bbb"), send("aaa", SPEC + b" ")

    assert (first.status_code, second.content) == (202, first.content)
    assert bytes(ImportJob.objects.get().content or b"") == SPEC
    assert other.status_code == 422


def test_one_that_died_half_way_is_carried_out_when_its_lease_is_over(thread: Conversation) -> None:
    client = caller()
    note(client)
    IdempotentRequest.objects.update(
        status=None, answer="", lease_until=timezone.now() + timedelta(minutes=9)
    )

    early = note(client)
    IdempotentRequest.objects.update(lease_until=timezone.now())
    other = note(client, content="Something else.")
    late = note(client)

    assert (early.status_code, early.json()["error"]["code"]) == (409, "request_in_progress")
    assert early.headers["Retry-After"] == "1"
    assert other.status_code == 422
    assert (late.status_code, "Idempotent-Replayed" in late.headers) == (201, False)
    assert notes() == 1  # the note itself is once-only by its key


TWO_REQUESTS = """
import json, sys, threading
import django
django.setup()
from django.test import Client

def send(path, body, key):
    headers = {"X-API-Key": sys.argv[1], "Idempotency-Key": key}
    Client(SERVER_NAME="localhost").post(path, body, content_type="application/json", headers=headers)

for request in json.loads(sys.argv[2]):
    threading.Thread(target=send, args=request, daemon=True).start()
threading.Event().wait(600)
"""
HELD_UP = 7_041_776
"""The number of the lock before which the two wait."""


@pytest.mark.django_db(transaction=True)
def test_who_is_killed_before_the_answer_is_kept_has_made_nothing(server_environment: dict[str, str]) -> None:
    """A new webhook endpoint and a new API key have no name by which a repeat could find them."""
    text = rows.key("admin")
    hook = {"url": "https://93.184.215.14/hooks", "events": ["import.done"]}
    wanted = [
        ("/api/v1/webhooks", hook, "hook-1"),
        ("/api/v1/keys", {"name": "mail", "scopes": ["chat"]}, "key-1"),
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"PERFORM pg_advisory_xact_lock({HELD_UP}); RETURN NEW; END $$;"
            "CREATE TRIGGER wait_here BEFORE UPDATE ON smartsupport_idempotentrequest FOR EACH ROW "
            "WHEN (NEW.status IS NOT NULL) EXECUTE FUNCTION wait_here();"
        )
        try:
            cursor.execute("SELECT pg_advisory_lock(%s)", [HELD_UP])
            command = [sys.executable, "-c", TWO_REQUESTS, text, json.dumps(wanted)]
            process = subprocess.Popen(command, env=server_environment)
            try:
                until(lambda: _waiting() == 2 or process.poll() is not None, seconds=180)
            finally:
                process.kill()
                process.wait(30)
            assert _waiting(end=True) == 2  # their connections end with the process
        finally:
            cursor.execute("SELECT pg_advisory_unlock_all()")
            cursor.execute("DROP FUNCTION wait_here() CASCADE")
    until(lambda: _waiting() == 0)
    assert (WebhookEndpoint.objects.count(), ApiKey.objects.filter(name="mail").count()) == (0, 0)
    IdempotentRequest.objects.update(lease_until=timezone.now())

    client = Client(headers={"X-API-Key": text})
    answers = [
        client.post(path, body, content_type=JSON, headers={"Idempotency-Key": key})
        for path, body, key in [*wanted, *wanted]
    ]

    assert [one.status_code for one in answers] == [201] * 4
    assert [one.content for one in answers[:2]] == [one.content for one in answers[2:]]
    assert (WebhookEndpoint.objects.count(), ApiKey.objects.filter(name="mail").count()) == (1, 1)


def _waiting(*, end: bool = False) -> int:
    """How many connections wait before the lock; `end` ends them."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*){', count(pg_terminate_backend(pid))' if end else ''} FROM pg_locks "
            "WHERE locktype = 'advisory' AND NOT granted AND objid = %s",
            [HELD_UP],
        )
        return int(cursor.fetchone()[0])


def test_who_is_overtaken_has_done_nothing(thread: Conversation) -> None:
    """Its process stood still for longer than its lease, and another one carries the same request out."""
    client = caller()
    overtaken = "UPDATE smartsupport_idempotentrequest SET token = gen_random_uuid()"
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION overtake() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"{overtaken}; RETURN NULL; END $$;"
            "CREATE TRIGGER overtake AFTER INSERT ON chat_event EXECUTE FUNCTION overtake();"
        )

    answer = note(client)

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "request_in_progress")
    assert notes() == 0


def test_whoever_lost_the_lease_keeps_nothing(db: None) -> None:
    asked: Any = {"caller": "key:1", "key": "k", "fingerprints": ["f"]}
    slow = idempotency.begin(**asked)
    IdempotentRequest.objects.update(lease_until=timezone.now())
    other = idempotency.begin(**asked)
    assert isinstance(slow, idempotency.Claim)
    assert isinstance(other, idempotency.Claim)

    idempotency.keep(slow, idempotency.Answer(201, {}, b"slow"))
    idempotency.forget(slow)
    idempotency.keep(other, idempotency.Answer(201, {}, b"other"))

    known = idempotency.begin(**asked)
    assert isinstance(known, idempotency.Answer)
    assert known.body == b"other"


def test_leases_are_renewed_while_the_request_lasts(db: None) -> None:
    claim = idempotency.begin(caller="key:1", key="k", fingerprints=["f"])
    assert isinstance(claim, idempotency.Claim)
    now = timezone.now()
    IdempotentRequest.objects.update(lease_until=now)

    leases.renew()

    assert IdempotentRequest.objects.get().lease_until > now + timedelta(seconds=20)
    idempotency.forget(claim)
    leases.renew()
    assert not IdempotentRequest.objects.exists()


def test_after_a_day_a_key_is_new(thread: Conversation) -> None:
    client = caller()
    note(client)
    IdempotentRequest.objects.update(kept_until=timezone.now())

    Event.objects.filter(kind="note_written").update(created_at=timezone.now() - timedelta(days=1))

    assert note(client, content="Tomorrow's note.").status_code == 201
    assert notes() == 2

    IdempotentRequest.objects.update(kept_until=timezone.now())
    assert forget_old_requests() == 1
    assert not IdempotentRequest.objects.exists()


def test_after_a_day_what_is_said_under_a_key_again_is_said(thread: Conversation) -> None:
    """To the customer by staff; and an import of the same address is begun."""
    client = caller()
    wanted = [
        ("/api/v1/conversations/t-1/staff-messages", {"content": "The shop is closed today."}),
        ("/api/v1/openapi/import", {"url": "https://93.184.215.14/openapi.json"}),
    ]
    for path, body in wanted:
        headers = {"Idempotency-Key": f"every-morning {path}"}
        assert client.post(path, body, content_type=JSON, headers=headers).status_code in (201, 202)
        yesterday = timezone.now() - timedelta(days=1)
        IdempotentRequest.objects.update(kept_until=timezone.now())
        Event.objects.update(created_at=yesterday)
        ImportJob.objects.update(created_at=yesterday)

        again = client.post(path, body, content_type=JSON, headers=headers)

        assert (again.status_code in (201, 202), "Idempotent-Replayed" in again.headers) == (True, False)
    assert Event.objects.filter(kind="staff_wrote").count() == 2
    assert ImportJob.objects.count() == 2


def message(client: Client, content: str) -> Any:
    return client.post(
        "/api/v1/conversations/t-1/messages",
        {"content": content},
        content_type=JSON,
        headers={"Idempotency-Key": "1"},
    )


def said() -> list[str]:
    found = Event.objects.filter(kind="message_received").order_by("seq")
    return [event.payload["content"] for event in found if event.payload.get("client_message_id")]


def test_a_key_loses_nobody_elses_message(thread: Conversation) -> None:
    """Programs that number their requests have the same keys, and customers' pages may have anything."""
    submission.submit(customer_id=thread.customer_id, thread_id="t-1", content="Yes", client_message_id="1")
    one, other = caller(name="one"), caller(name="other")

    answers = [message(one, "Yes"), message(other, "Where is it?"), message(other, "Where is it?")]
    IdempotentRequest.objects.all().delete()  # as if each had died before its answer was kept
    answers += [message(one, "Yes"), message(other, "Where is it?")]

    assert [answer.status_code for answer in answers] == [202] * 5
    assert said() == ["Yes", "Yes", "Where is it?"]


def test_after_a_day_another_message_under_the_same_key_is_not_lost(thread: Conversation) -> None:
    client = caller()
    message(client, "Where is it?")
    IdempotentRequest.objects.update(kept_until=timezone.now())

    tomorrow = message(client, "Where is it now?")

    assert tomorrow.json()["data"]["messages"][-1]["seq"] == Event.objects.latest("seq").seq
    assert said() == ["Where is it?", "Where is it now?"]


def test_imports_of_two_keys_with_one_name_are_two(db: None) -> None:
    for client in (caller(name="ci"), caller(name="ci")):
        body, headers = {"url": "https://93.184.215.14/openapi.json"}, {"Idempotency-Key": "build-1"}
        client.post("/api/v1/openapi/import", body, content_type=JSON, headers=headers)

    assert ImportJob.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_duplicates_at_once_are_carried_out_once(transactional_db: None) -> None:
    rows.turn(rows.customer(), "t-1")
    client = caller()
    before = Turn.objects.count()
    answers: list[Any] = []

    def send() -> None:
        try:
            answers.append(
                client.post(
                    "/api/v1/conversations/t-1/messages",
                    {"content": "Where is it?"},
                    content_type=JSON,
                    headers={"Idempotency-Key": "m-1"},
                )
            )
        finally:
            connection.close()

    with transaction.atomic():  # holds up whoever carries it out
        Conversation.objects.select_for_update().get(thread_id="t-1")
        threads = [threading.Thread(target=send) for _ in range(4)]
        for one in threads:
            one.start()
        while len(answers) < 3:
            assert any(one.is_alive() for one in threads)
            threading.Event().wait(0.01)
        busy = list(answers)
    for one in threads:
        one.join(60)

    assert {(one.status_code, one.json()["error"]["code"]) for one in busy} == {(409, "request_in_progress")}
    assert answers[3].status_code == 202
    send()
    assert (answers[4].content, answers[4].headers["Idempotent-Replayed"]) == (answers[3].content, "true")
    assert Event.objects.filter(kind="message_received").count() == 2
    assert Turn.objects.count() <= before + 1
