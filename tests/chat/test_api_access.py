"""Who may call the REST API."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone
from rest_framework.views import APIView

from chat import api_keys
from chat.models import ApiKey, Customer
from smartsupport.lib.rest import Need
from tests import rows

pytestmark = pytest.mark.django_db

URL = "/api/v1/conversations"


def our_views() -> list[tuple[str, type[APIView]]]:
    found = []
    for pattern in get_resolver().url_patterns:
        for inner in getattr(pattern, "url_patterns", []):
            view = getattr(inner.callback, "cls", None)
            if str(pattern.pattern) == "api/v1/" and view is not None:
                found.append((f"/api/v1/{inner.pattern}", view))
    return found


def test_every_route_says_what_it_needs_for_each_of_its_methods() -> None:
    views = our_views()

    assert len(views) >= 14
    for path, view in views:
        methods = {name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)}
        needs = getattr(view, "needs", {})
        assert set(needs) == methods - getattr(view, "own", set()), path  # the customer's alone
        assert all(isinstance(need, Need) and need.scope in api_keys.SCOPES for need in needs.values()), path


@pytest.mark.parametrize(
    ("path", "view"), our_views(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_nobody_and_the_wrong_scope_get_nowhere(client: Client, path: str, view: type[APIView]) -> None:
    url = (
        path.replace("<str:thread_id>", "t-1")
        .replace("<str:turn_id>", "x")
        .replace("<str:interrupt_id>", "x")
    )
    url = url.replace("<str:name>", "fallback")
    for method, need in view.needs.items():  # type: ignore[attr-defined]
        other = rows.key(next(scope for scope in api_keys.SCOPES if scope not in (need.scope, "admin")))

        nobody = client.generic(method, url)
        wrong = client.generic(method, url, headers={"X-API-Key": other})

        assert (nobody.status_code, nobody.json()["error"]["message"]) == (401, "Missing X-API-Key header")
        assert wrong.status_code == 403
        assert need.scope in wrong.json()["error"]["message"]


def test_a_wrong_key_is_refused(client: Client) -> None:
    rows.key("admin")

    answer = client.get(URL, headers={"X-API-Key": "sk_wrong"})

    assert answer.status_code == 403
    assert answer.json() == {
        "success": False,
        "data": None,
        "error": {"code": "forbidden", "message": "Invalid API key"},
    }


def test_a_wrong_key_is_refused_to_staff_too(client: Client) -> None:
    client.force_login(rows.staff("sam", superuser=True))

    assert client.get(URL, headers={"X-API-Key": "sk_wrong"}).status_code == 403


def test_a_disabled_key_is_refused(client: Client) -> None:
    key = rows.key("admin")
    api_keys.disable(ApiKey.objects.get())

    assert client.get(URL, headers={"X-API-Key": key}).status_code == 403


@pytest.mark.parametrize("scope", ["conversations:read", "admin"])
def test_a_key_with_the_scope_reads(client: Client, scope: str) -> None:
    assert client.get(URL, headers={"X-API-Key": rows.key(scope)}).status_code == 200


def test_keys_are_stored_as_hashes_and_say_when_they_were_used(client: Client) -> None:
    key = rows.key("admin")

    client.get(URL, headers={"X-API-Key": key})

    row = ApiKey.objects.get()
    assert row.key_hash == api_keys.hash_of(key)
    assert key.startswith(row.prefix)
    assert key not in str(vars(row))
    assert row.last_used_at is not None


def test_use_is_recorded_at_most_once_a_minute(client: Client, django_assert_num_queries: object) -> None:
    key = rows.key("admin")
    recent = timezone.now() - timedelta(seconds=40)
    ApiKey.objects.update(last_used_at=recent)

    with django_assert_num_queries(3):  # the key, the count, the page
        client.get(URL, headers={"X-API-Key": key})
    assert ApiKey.objects.get().last_used_at == recent

    ApiKey.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    client.get(URL, headers={"X-API-Key": key})
    assert ApiKey.objects.get().last_used_at > recent


def test_a_key_needs_known_scopes() -> None:
    with pytest.raises(api_keys.UnknownScope):
        api_keys.issue(name="x", scopes=["everything"])
    with pytest.raises(api_keys.UnknownScope):
        api_keys.issue(name="x", scopes=[])

    assert not ApiKey.objects.exists()


def test_staff_read_with_their_session_and_their_permissions(client: Client) -> None:
    client.force_login(rows.staff("sam", "chat.view_conversation"))

    assert client.get(URL).status_code == 200
    assert client.get("/api/v1/agents").status_code == 403


def test_a_session_of_somebody_who_is_not_staff_is_no_credential(client: Client) -> None:
    user = rows.staff("visitor", superuser=True)
    user.is_staff = False
    user.save()
    client.force_login(user)

    assert client.get(URL).status_code == 401


def test_staff_write_only_with_the_csrf_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(rows.staff("sam", "agents.decide_action"))
    action = rows.waiting_for_staff()
    url = f"/api/v1/interrupts/{action.pk}/decision"

    without = client.post(url, {"approved": True}, content_type="application/json")
    action.refresh_from_db()
    assert (without.status_code, action.status) == (403, "awaiting")

    client.get("/admin/")
    token = client.cookies["csrftoken"].value
    with_it = client.post(
        url, {"approved": True}, content_type="application/json", headers={"X-CSRFToken": token}
    )
    assert with_it.status_code == 200


def test_a_customers_credentials_are_never_accepted(client: Client) -> None:
    rows.customer()
    client.cookies["smartsupport_customer"] = str(Customer.objects.get().pk)

    assert client.get(URL, headers={"Authorization": "Bearer abc"}).status_code == 401
    assert client.get(f"{URL}?token=abc").status_code == 401
