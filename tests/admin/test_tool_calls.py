"""Testing a tool from its page, and the credentials that its calls carry."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents import dry_run
from agents.models import Credential, Tool
from smartsupport.lib.sealing import seal, unseal
from tests import rows
from tests.agents.calling import BASIC, KEY_IN_HEADER, KEY_IN_QUERY, OAUTH, stored
from tests.agents.tool_rows import make_source, make_tool
from tests.demo.program import Program
from tests.factories import close_threads

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(rows.staff("root", superuser=True))
    return client


def try_url(tool: Tool) -> str:
    return reverse("admin:agents_tool_try_out", args=[tool.pk])


def tried(client: Client, tool: Tool, **form: str) -> str:
    answer = client.post(try_url(tool), {"_form_submitted": "True", **form})
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


SCHEMA = {
    "type": "object",
    "properties": {
        "order_id": {"type": "integer", "minimum": 1},
        "note": {"type": "string"},
        "urgent": {"type": "boolean"},
    },
    "required": ["order_id"],
}
PARAMETERS = [
    {"argument": "customer_id", "name": "customer_id", "in": "path", "required": True},
    {"argument": "order_id", "name": "order_id", "in": "path", "required": True},
    {"argument": "urgent", "name": "urgent", "in": "query"},
]


def writing(**fields: Any) -> Tool:
    return make_tool(
        "cancel_order",
        **{
            "method": "POST",
            "access": "write",
            "approval": "staff",
            "path": "/customers/{customer_id}/orders/{order_id}",
            "parameters": PARAMETERS,
            "request_body": {
                "content_type": "application/json",
                "required": False,
                "fields": {"note": "note"},
            },
            "input_schema": SCHEMA,
            "bound": {"customer_id": "customer.id"},
            **fields,
        },
    )


def test_a_dry_run_is_the_exact_request_without_its_secrets() -> None:
    stored("api_key", "key")
    stored("basic", "login")
    tool = writing(security=[{"key": KEY_IN_QUERY, "login": BASIC}])
    make_source().__class__.objects.update(calls_per_minute=60)

    run = dry_run.dry_run(
        Tool.objects.get(),
        {"order_id": 7, "urgent": True, "note": "Größe"},
        {"customer_id": "cus 1"},
        idempotency_key="k1",
    )

    assert run.method == "POST"
    assert run.url == "https://shop.example/customers/cus%201/orders/7?urgent=true&api_key=[hidden]"
    headers = dict(run.headers)
    assert headers["Host"] == "shop.example"
    assert headers["Authorization"] == "Basic [hidden]"
    assert (headers["Idempotency-Key"], headers["Content-Type"]) == ("k1", "application/json")
    assert int(headers["Content-Length"]) == run.body_bytes == len('{"note": "Größe"}'.encode())
    assert json.loads(run.body) == {"note": "Größe"}
    assert any("60 calls a minute" in note for note in run.notes)
    assert "s3cret" not in json.dumps(run.as_json()) + repr(run)
    assert tool.access == "write"


def test_a_dry_run_says_why_nothing_would_be_sent() -> None:
    tool = make_tool("inside", server_url="http://169.254.169.254", security=[{"key": KEY_IN_HEADER}])

    notes = dry_run.dry_run(tool, {}, {}).notes

    assert notes == (
        "It would not be sent. The request was not sent: the address is not a public internet address.",
        "It would not be sent: no credentials are stored for key, and it needs them.",
    )


def test_a_tool_that_writes_is_shown_and_never_called(root: Client) -> None:
    tool = writing()

    page = tried(root, tool, arg_0="7", bound_0="cus_1001", really="on", arg_1="Bitte", arg_2="0")

    assert "What would be sent" in page
    assert "POST https://shop.example/customers/cus_1001/orders/7?urgent=true" in page
    assert "Nothing was sent." in page
    assert "so it is not called from here" in page
    assert 'name="really"' not in page
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"arg_0": "", "bound_0": "c"}, "This is required."),
        ({"arg_0": "seven", "bound_0": "c"}, "Write a whole number, such as 10."),
        ({"arg_0": "0", "bound_0": "c"}, "Invalid argument order_id"),
        ({"arg_0": "7", "bound_0": ""}, "Write the customer&#x27;s id in the business system."),
        ({"arg_0": "7", "bound_0": ".."}, "customer_id cannot be"),
    ],
)
def test_values_that_make_no_call_are_named(form: dict[str, str], told: str, root: Client) -> None:
    page = tried(root, writing(), **form)

    assert told in page
    assert "would be sent</h3>" not in page


def test_who_may_only_look_at_tools_cannot_test_them(client: Client) -> None:
    client.force_login(rows.staff("nina", "agents.view_tool"))
    tool = writing()

    assert client.post(try_url(tool), {"_form_submitted": "True", "arg_0": "7"}).status_code == 403
    assert client.get(reverse("admin:agents_tool_change", args=[tool.pk])).status_code == 200
    assert "Test</" not in client.get(reverse("admin:agents_tool_change", args=[tool.pk])).content.decode()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(tmp_path_factory.mktemp("books"))
    yield program
    program.stop()


@pytest.fixture
def order_status(demo: Program, settings: LazySettings, transactional_db: None) -> Iterator[Tool]:
    settings.SAFE_HTTP_ALLOWED_HOSTS = [demo.url.removeprefix("http://")]
    yield make_tool(
        "get_order_status",
        server_url=f"{demo.url}/shop",
        path="/customers/{customer_id}/orders/{order_id}",
        parameters=PARAMETERS,
        input_schema=SCHEMA,
        bound={"customer_id": "customer.id"},
    )
    close_threads()


@pytest.mark.django_db(transaction=True)
@pytest.mark.xdist_group("executor")
def test_a_tool_that_reads_is_called_where_that_is_wanted(root: Client, order_status: Tool) -> None:
    values = {"arg_0": "1042", "bound_0": "cus_1001"}
    dry = tried(root, order_status, **values)
    assert "What would be sent" in dry
    assert not LogEntry.objects.exists()

    page = tried(root, order_status, **values, really="on")
    assert "What came back" in page
    assert re.search(r"HTTP 200 in \d+ ms", page)
    assert "1042" in page.split("What came back")[1]
    assert LogEntry.objects.get().change_message == "Tested with a real call."

    none = tried(root, order_status, **{**values, "arg_0": "999999"}, really="on")
    assert "HTTP 404" in none
    assert 'class="console-fault"' in none


@pytest.mark.django_db(transaction=True)
@pytest.mark.xdist_group("executor")
def test_a_test_shows_what_the_agent_would_see(root: Client, order_status: Tool) -> None:
    url = reverse("admin:agents_tool_change", args=[order_status.pk])
    form = {
        "title": "Status",
        "description": "d",
        "enabled": "on",
        "approval": "none",
        "approvals_needed": "1",
    }

    wrong = root.post(url, {**form, "projection": "order..status"})
    assert "is not a path such as items[].id." in wrong.content.decode()
    assert root.post(url, {**form, "projection": "order.status\n\nstatus"}).status_code == 302
    order_status.refresh_from_db()
    assert order_status.projection == ["order.status", "status"]

    page = tried(root, order_status, arg_0="1042", bound_0="cus_1001", really="on")
    shown, whole = page.split("What the agent is shown of it")[1].split("The whole answer")
    assert "status" in shown
    assert "1042" not in shown
    assert "1042" in whole


def add_url(**query: Any) -> str:
    pairs = "&".join(f"{name}={value}" for name, value in query.items())
    return f"{reverse('admin:agents_credential_add')}?{pairs}"


def form_of(kind: str, scheme: str = "main", **parts: str) -> dict[str, str]:
    return {
        "source": str(make_source().pk),
        "scheme": scheme,
        "kind": kind,
        "token_url": "",
        "scopes": "",
        **parts,
    }


def test_a_credential_is_entered_sealed_and_never_shown_again(root: Client) -> None:
    make_tool("orders", security=[{"main": KEY_IN_HEADER}])

    answer = root.post(add_url(), form_of("api_key", value="sk_live_1042"))

    assert answer.status_code == 302, answer.context["errors"]
    row = Credential.objects.get()
    assert unseal(row.secret) == {"value": "sk_live_1042"}
    assert (row.created_by, "sk_live" in row.secret) == ("root", False)
    page = root.get(reverse("admin:agents_credential_change", args=[row.pk])).content.decode()
    listed = root.get(reverse("admin:agents_credential_changelist")).content.decode()
    history = root.get(reverse("admin:agents_credential_history", args=[row.pk])).content.decode()
    assert "sk_live_1042" not in page + listed + history + str(LogEntry.objects.values())
    assert row.secret not in page + listed
    assert "Stored" in listed


@pytest.mark.parametrize(
    ("kind", "parts", "kept"),
    [
        ("bearer", {"value": "t1"}, {"value": "t1"}),
        ("basic", {"username": "ada", "password": "pw pw"}, {"username": "ada", "password": "pw pw"}),
        ("basic", {"username": "sk_1"}, {"username": "sk_1", "password": ""}),
        (
            "oauth2_client",
            {
                "client_id": "a",
                "client_secret": "b",
                "token_url": "https://id.example/token",
                "value": "stray",
            },
            {"client_id": "a", "client_secret": "b"},
        ),
        (
            "oauth2_refresh",
            {"refresh_token": "r", "token_url": "https://id.example/token"},
            {"refresh_token": "r", "client_id": "", "client_secret": ""},
        ),
    ],
)
def test_each_kind_keeps_its_parts(
    kind: str, parts: dict[str, str], kept: dict[str, str], root: Client
) -> None:
    answer = root.post(add_url(), form_of(kind, **parts))

    assert answer.status_code == 302, answer.context["errors"]
    assert unseal(Credential.objects.get().secret) == kept


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"kind": "api_key"}, "This is required. Secrets are always entered whole."),
        ({"kind": "api_key", "value": "two words"}, "without spaces between them."),
        ({"kind": "api_key", "value": "é"}, "It can only have letters"),
        ({"kind": "basic", "username": "a"}, "main is API key, in the header X-Key. It takes: API key."),
        ({"kind": "api_key", "value": "k", "scheme": "other"}, "They name: main, login."),
        (
            {"kind": "oauth2_client", "client_id": "a", "client_secret": "b", "scheme": "login"},
            "names no address",
        ),
        (
            {"kind": "bearer", "value": "k", "scheme": "login", "source": ""},
            "This field is required.",
        ),
        (
            {
                "kind": "oauth2_client",
                "client_id": "a",
                "client_secret": "b",
                "scheme": "login",
                "token_url": "file:///x",
            },
            "The address cannot be used",
        ),
    ],
)
def test_a_credential_that_cannot_work_is_refused(form: dict[str, str], told: str, root: Client) -> None:
    make_tool("orders", security=[{"main": KEY_IN_HEADER}, {"login": {"kind": "oauth2", "flows": {}}}])

    answer = root.post(add_url(), {**form_of("api_key"), **form})

    assert answer.status_code == 200
    assert told in answer.content.decode().replace("&#x27;", "'")
    assert not Credential.objects.exists()


def test_the_address_of_the_token_is_the_documents_where_nobody_writes_one(root: Client) -> None:
    relative = {"kind": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": {}}}}
    make_tool("orders", security=[{"main": relative}])

    root.post(add_url(), form_of("oauth2_client", client_id="a", client_secret="b", scopes="read\nwrite"))

    row = Credential.objects.get()
    assert (row.token_url, row.scopes) == ("https://shop.example/oauth/token", ["read", "write"])


@pytest.mark.parametrize(
    ("scheme", "kind"),
    [
        (KEY_IN_HEADER, "api_key"),
        (BASIC, "basic"),
        ({"kind": "http", "scheme": "bearer"}, "bearer"),
        ({"kind": "oauth2", "flows": {}}, "oauth2_client"),
        ({"kind": "mutualTLS"}, ""),
    ],
)
def test_the_form_begins_with_the_kind_that_its_scheme_takes(
    scheme: dict[str, Any], kind: str, root: Client
) -> None:
    make_tool("orders", security=[{"main": scheme}])

    form = root.get(add_url(source=make_source().pk, scheme="main")).context["adminform"].form

    assert form.initial.get("kind", "") == kind
    for said in ({}, {"scheme": "other"}, {"source": "1", "scheme": "main"}):
        assert "kind" not in root.get(add_url(**said)).context["adminform"].form.initial


def test_a_credential_is_called_as_its_api_is(root: Client) -> None:
    make_tool("orders", security=[{"main": KEY_IN_HEADER}])

    answer = root.post(add_url(), form_of("api_key", value="k"), follow=True)

    assert f"main of {make_source()}" in answer.content.decode()


def test_a_secret_goes_to_the_server_that_a_person_names(root: Client) -> None:
    make_tool("orders", security=[{"main": OAUTH}])
    form = form_of("oauth2_client", client_id="a", client_secret="b")

    answer = root.post(add_url(), form)

    told = "The API&#x27;s document says https://sign-in.example/token. If our secret may go there, write it here."
    assert told in answer.content.decode()
    assert not Credential.objects.exists()
    root.post(add_url(), {**form, "token_url": "https://sign-in.example/token"})
    row = Credential.objects.get()
    url = reverse("admin:agents_credential_change", args=[row.pk])

    moved = {"kind": "oauth2_client", "token_url": "https://evil.example/token", "scopes": ""}
    answer = root.post(url, moved)

    assert "The secret would go to another server. Enter it again, too." in answer.content.decode()
    row.refresh_from_db()
    assert row.token_url == "https://sign-in.example/token"
    root.post(url, {**moved, "token_url": "https://sign-in.example/v2/token"})
    row.refresh_from_db()
    assert (row.token_url, unseal(row.secret)["client_secret"]) == ("https://sign-in.example/v2/token", "b")
    root.post(url, {**moved, "client_id": "c", "client_secret": "d"})
    row.refresh_from_db()
    assert (row.token_url, unseal(row.secret)["client_secret"]) == ("https://evil.example/token", "d")


def test_a_secret_is_kept_until_it_is_replaced_whole(root: Client) -> None:
    make_tool("orders", security=[{"main": OAUTH}])
    now = timezone.now()
    row = stored(
        "oauth2_client",
        token_url="https://id.example/t",
        token=seal("t"),
        token_expires_at=now,
        refused_at=now,
    )
    url = reverse("admin:agents_credential_change", args=[row.pk])
    form = {"kind": "oauth2_client", "token_url": "https://id.example/t", "scopes": ""}

    assert root.post(url, form).status_code == 302
    row.refresh_from_db()
    assert unseal(row.secret)["client_secret"] == "client-s3cret"
    assert row.token

    half = root.post(url, {**form, "client_secret": "new"})
    assert "Secrets are always entered whole." in half.content.decode()

    assert root.post(url, {**form, "scopes": "read"}).status_code == 302
    row.refresh_from_db()
    assert (row.token, row.scopes) == ("", ["read"])

    assert root.post(url, {**form, "client_id": "shop", "client_secret": "new"}).status_code == 302
    row.refresh_from_db()
    assert unseal(row.secret) == {"client_id": "shop", "client_secret": "new"}
    assert (row.refused_at, row.token) == (None, "")

    assert (
        root.post(reverse("admin:agents_credential_delete", args=[row.pk]), {"post": "yes"}).status_code
        == 302
    )
    assert not Credential.objects.exists()


@pytest.mark.parametrize("may", [(), ("agents.view_credential",)])
def test_who_may_not_enter_credentials_does_not(may: tuple[str, ...], client: Client) -> None:
    client.force_login(rows.staff("nina", *may))
    row = stored("api_key")
    before = Credential.objects.values().get()

    assert client.post(add_url(), form_of("api_key", "other", value="k")).status_code == 403
    change = reverse("admin:agents_credential_change", args=[row.pk])
    assert client.post(change, {"kind": "api_key", "value": "k"}).status_code == 403
    assert (
        client.post(reverse("admin:agents_credential_delete", args=[row.pk]), {"post": "yes"}).status_code
        == 403
    )

    assert Credential.objects.values().get() == before
    assert client.get(change).status_code == (200 if may else 403)


def test_staff_are_told_what_is_missing_and_what_is_refused(root: Client) -> None:
    make_tool("orders", security=[{"main": KEY_IN_HEADER}])
    make_tool("more_orders", security=[{"main": KEY_IN_HEADER}])
    make_tool("off", security=[{"other": BASIC}], enabled=False)
    listing = reverse("admin:agents_credential_changelist")
    tools = reverse("admin:agents_tool_changelist")

    page = root.get(listing).content.decode()
    [link] = re.findall(r'href="([^"]+scheme=main)"', page)
    assert "API key, in the header X-Key" in page
    assert "scheme=other" not in page
    assert root.get(tools).content.decode().count("Missing") >= 2
    prefilled = root.get(link.replace("&amp;", "&")).content.decode()
    assert 'value="main"' in prefilled

    row = stored("api_key", refused_at=timezone.now())
    page = root.get(listing).content.decode()
    assert "What is missing" not in page
    assert "Refused" in page
    assert re.search(r"field-refused.*?data-ago>under a minute ago<", page, flags=re.DOTALL)
    assert re.search(r"field-used.*?Never", page, flags=re.DOTALL)
    assert "Refused" in root.get(tools).content.decode()
    tool_page = root.get(reverse("admin:agents_tool_change", args=[Tool.objects.get(name="orders").pk]))
    assert "API key, in the header X-Key" in tool_page.content.decode()
    from smartsupport.console import navigation

    [item] = [
        one
        for group in navigation(tool_page.wsgi_request)
        for one in group["items"]
        if one["title"] == "Credentials"
    ]
    assert item["badge"] == 1
    Credential.objects.filter(pk=row.pk).update(secret="not ours")
    assert "Unreadable" in root.get(listing).content.decode()


def test_the_list_of_tools_asks_as_often_for_many_as_for_few(
    root: Client, django_assert_max_num_queries: Any
) -> None:
    stored("api_key")
    for number in range(12):
        make_tool(f"tool_{number}", security=[{"main": KEY_IN_HEADER}])
    url = reverse("admin:agents_tool_changelist")
    root.get(url)

    with django_assert_max_num_queries(16):
        root.get(url)
