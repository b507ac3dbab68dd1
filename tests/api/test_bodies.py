"""Bodies that are no JSON, no form, or more than is read: each is refused by its own code, and none breaks anything."""

import json
from typing import Any

import pytest
from django.test import Client

from chat.models import Event
from openapi_import.models import ImportJob
from tests import rows

pytestmark = pytest.mark.django_db
IMPORT = "/api/v1/openapi/import"
NOTES = "/api/v1/conversations/t-1/notes"


def part(name: str, value: str, *, file: bool = False) -> str:
    named = f'; filename="{name}.json"' if file else ""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n{value}\r\n'


def form(*parts: str) -> bytes:
    return ("".join(parts) + "--b--\r\n").encode()


def send(client: Client, body: bytes, kind: str = "multipart/form-data; boundary=b", **headers: str) -> Any:
    return client.generic("POST", IMPORT, body, content_type=kind, headers=headers)


@pytest.fixture
def client(db: None) -> Client:
    return Client(headers={"X-API-Key": rows.key("admin")})


def staff() -> Client:
    """Signed in: Django looks for its token in the form before we read it."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(rows.staff("root", superuser=True))
    client.cookies["csrftoken"] = "c" * 32
    return client


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "punycode", "idna", "rot13", "bz2"])
def test_json_is_utf_8_whatever_its_charset(client: Client, charset: str) -> None:
    """Reading `punycode` takes a time that grows with the square of the length: an hour for the longest body."""
    rows.turn(rows.customer(), "t-1")
    text = json.dumps({"content": "Größe 🙂"}, ensure_ascii=False).encode()

    answer = client.generic("POST", NOTES, text, content_type=f"application/json; charset={charset}")

    assert answer.status_code == 201, answer.content
    assert Event.objects.get(kind="note_written").payload["content"] == "Größe 🙂"


@pytest.mark.parametrize("charset", ["latin-1", "punycode", "bz2"])
def test_so_is_a_form(client: Client, charset: str) -> None:
    body = form(part("base_url", "https://grö.example"), part("file", "{}", file=True))

    answer = send(client, body, f"multipart/form-data; boundary=b; charset={charset}")

    assert (answer.status_code, ImportJob.objects.get().base_url) == (202, "https://grö.example")


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\xe9"]
)
def test_a_form_without_its_boundary_is_called_one(client: Client, kind: str) -> None:
    answer = send(client, form(part("file", "{}", file=True)), kind)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_form")
    assert "boundary" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        form(*(part(f"f{n}", "x") for n in range(1_001))),
        form(*(part(f"f{n}", "x", file=True) for n in range(101))),
    ],
    ids=["fields", "files"],
)
@pytest.mark.parametrize("once", [{}, {"Idempotency-Key": "k"}], ids=["", "once"])
@pytest.mark.parametrize("who", ["key", "staff"])
def test_a_form_of_more_than_is_read_is_too_large(
    client: Client, body: bytes, once: dict[str, str], who: str
) -> None:
    answer = send(client if who == "key" else staff(), body, **once)

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert not ImportJob.objects.exists()


def test_so_is_one_whose_fields_are(client: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10_000

    field = send(client, form(part("text", "x" * 10_001)))
    unread = send(client, b"x" * 10_001, "text/plain", **{"Idempotency-Key": "k"})

    for answer in (field, unread):
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("path", "body", "name", "told"),
    [
        (NOTES, r'{"content": "Hi", "\ud800": 1}', "\ufffd", "This field is not known here."),
        (NOTES.replace("notes", "messages"), r'{"content": "Hi", "multitask_strategy": "\udfff"}',
         "multitask_strategy", '"\ufffd" is not a valid choice.'),
    ],
    ids=["name", "value"],
)  # fmt: skip
def test_half_a_character_is_told_as_one_that_is_missing(
    client: Client, path: str, body: str, name: str, told: str
) -> None:
    rows.turn(rows.customer(), "t-1")
    before = Event.objects.count()

    answer = client.generic("POST", path, body, content_type="application/json")

    [(found, [fault])] = answer.json()["error"]["fields"].items()
    assert (answer.status_code, found, fault[: len(told)]) == (400, name, told)
    assert Event.objects.count() == before


@pytest.mark.parametrize("depth", [250, 900, 935, 938, 939, 940, 943, 960, 990, 1_050])
@pytest.mark.parametrize("inside", ["list", "object"])
def test_a_body_that_is_nested_deeply_is_no_json_for_us(client: Client, depth: int, inside: str) -> None:
    """Some depths can be read, and then not be checked: it broke."""
    action = rows.action(rows.turn(rows.customer(), "t-1"), rows.tool())
    deep = "[" * depth + "]" * depth if inside == "list" else '{"a":' * depth + "1" + "}" * depth
    body = f'{{"responses":[{{"type":"edit","args":{deep}}}]}}'.encode()

    answer = client.generic("POST", f"/api/v1/interrupts/{action.pk}/agent-inbox", body, "application/json")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


def test_a_body_may_be_as_deep_as_documents_are(client: Client) -> None:
    rows.turn(rows.customer(), "t-1")
    body = b'{"content":' + b"[" * 190 + b"]" * 190 + b"}"

    answer = client.generic("POST", NOTES, body, "application/json")

    assert answer.json()["error"]["code"] == "missing_content"
