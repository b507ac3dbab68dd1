"""What people read where there is no page, where they may not go, where their form is refused, and where we broke."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from smartsupport import urls as site
from tests import rows

pytestmark = pytest.mark.django_db
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"
SECRETS = ("Traceback", "RuntimeError", "urlpatterns", "URLconf", "DEBUG", "a secret of the database")


def _break(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a secret of the database")


handler400, handler403, handler404, handler500 = (
    site.handler400,
    site.handler403,
    site.handler404,
    site.handler500,
)
urlpatterns = [path("breaks", _break), path("admin/breaks/", _break), *site.urlpatterns]


@pytest.fixture
def browser() -> Iterator[Client]:
    """Who is signed in to nothing, and does not hear our exceptions."""
    with override_settings(ROOT_URLCONF=__name__):
        yield Client(headers={"accept": HTML}, raise_request_exception=False)


@pytest.fixture
def colleague(browser: Client) -> Client:
    browser.force_login(rows.staff("maya", superuser=True))
    return browser


def words(answer: Any) -> str:
    text: str = answer.content.decode()
    assert not [secret for secret in SECRETS if secret in text]
    assert "Content-Security-Policy" in answer.headers
    return text


@pytest.mark.parametrize("debug", [True, False])
def test_no_such_page_is_said_in_the_consoles_frame_to_staff(colleague: Client, debug: bool) -> None:
    with override_settings(DEBUG=debug):
        answer = colleague.get("/admin/no/such/page/")

    assert answer.status_code == 404
    assert "There is no such page" in words(answer)
    assert "nav-sidebar-apps" in words(answer)
    assert "has been deleted" in words(answer)


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("where", ["/nothing-here", "/nothing-here/?token=abc", "/<script>alert(1)</script>"])
def test_no_such_page_is_plain_elsewhere(browser: Client, where: str, debug: bool) -> None:
    with override_settings(DEBUG=debug):
        answer = browser.get(where)

    assert answer.status_code == 404
    assert "There is no such page" in words(answer)
    assert "nav-sidebar" not in words(answer)
    assert "script" not in words(answer)
    assert "token" not in words(answer)


def test_a_customer_who_is_signed_in_gets_no_frame(browser: Client) -> None:
    browser.force_login(User.objects.create_user("visitor"))

    assert "nav-sidebar" not in words(browser.get("/nothing-here"))


@pytest.mark.parametrize("debug", [True, False])
def test_an_address_is_still_completed_by_its_slash(colleague: Client, debug: bool) -> None:
    with override_settings(DEBUG=debug):
        answer = colleague.get("/admin")

    assert (answer.status_code, answer.headers["Location"]) == (301, "/admin/")


@pytest.mark.parametrize("where", ["/breaks", "/admin/breaks/"])
def test_what_breaks_says_so_without_a_word_of_why(
    colleague: Client, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a secret of the database")

    monkeypatch.setattr("django.template.backends.django.Template.render", none_left)
    answer = colleague.get(where, headers={"x-request-id": "abc<b>"})

    assert answer.status_code == 500
    assert "Something went wrong here" in words(answer)
    assert "<b>" not in words(answer)


def test_what_breaks_needs_no_database(browser: Client) -> None:
    def refuse(*args: Any) -> None:
        raise RuntimeError("a secret of the database")

    browser.cookies["sessionid"] = "x" * 32
    with connection.execute_wrapper(refuse):
        answer = browser.get("/admin/")

    assert answer.status_code == 500
    assert "Something went wrong here" in words(answer)


@pytest.mark.parametrize("debug", [True, False])
def test_a_form_without_its_secret_says_what_to_do_and_changes_nothing(debug: bool) -> None:
    client = Client(enforce_csrf_checks=True, headers={"accept": HTML})
    client.force_login(rows.staff("maya", superuser=True))
    with override_settings(DEBUG=debug):
        answer = client.post("/admin/auth/group/add/", {"name": "Forged"})

    assert answer.status_code == 403
    text = words(answer)
    assert "Go back in your browser: what you typed is still there." in text
    assert "nav-sidebar-apps" in text
    assert "CSRF" not in text
    client.force_login(User.objects.get())
    assert "Forged" not in client.get("/admin/auth/group/").content.decode()


def test_the_sign_in_form_without_its_secret(browser: Client) -> None:
    client = Client(enforce_csrf_checks=True, headers={"accept": HTML})

    answer = client.post("/admin/login/", {"username": "maya", "password": "x"})

    assert answer.status_code == 403
    assert "keeps no cookies" in words(answer)
    assert "nav-sidebar" not in words(answer)


def test_a_foreign_host_is_told_in_words(browser: Client) -> None:
    answer = browser.get("/", headers={"host": "evil.example"})

    assert answer.status_code == 400
    assert "This could not be understood" in words(answer)
    assert "evil" not in words(answer)


@pytest.mark.parametrize(
    ("where", "status", "said"),
    [
        ("/admin/no/such/", 404, "There is no such page. "),
        ("/nothing-here", 404, "There is no such page. "),
        ("/breaks", 500, "Something went wrong here. "),
    ],
)
def test_a_script_reads_the_words_alone(colleague: Client, where: str, status: int, said: str) -> None:
    answer = colleague.get(where, headers={"accept": "*/*"})

    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/plain; charset=utf-8")
    assert words(answer).startswith(said)
    assert "<" not in words(answer)


@pytest.mark.parametrize("debug", [True, False])
def test_the_api_keeps_its_envelope(colleague: Client, debug: bool) -> None:
    with override_settings(DEBUG=debug):
        answer = colleague.get("/api/v1/no-such-route")

    assert answer.status_code == 404
    assert answer.json()["success"] is False


def test_who_may_not_is_told_in_the_frame(browser: Client) -> None:
    browser.force_login(rows.staff("vera"))

    answer = browser.get("/admin/auth/user/")

    assert answer.status_code == 403
    assert "You are signed in as vera" in words(answer)
    assert "nav-sidebar-apps" in words(answer)
