"""What other sites get of the chat over HTTP: the script, the framed page, a visitor's credential."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from chat import identity, limits
from chat.models import Customer

SHOP = "https://shop.example.com"
OTHER = "https://www.example.org:8443"
OURS = "http://testserver"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def deployment(settings: Any) -> Any:
    settings.WIDGET_ORIGINS = [SHOP, OTHER]
    settings.ALLOW_ANONYMOUS_CHAT = True
    return settings


def ancestors(policy: str) -> str:
    [found] = [part for part in policy.split("; ") if part.startswith("frame-ancestors")]
    return found


def test_the_script_is_the_same_for_everybody_and_knows_the_sites(client: Client) -> None:
    first = client.get("/widget.js")
    again = client.get("/widget.js", headers={"If-None-Match": first.headers["ETag"]})

    assert first.status_code == 200
    assert first.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert f'const ORIGINS = ["{SHOP}", "{OTHER}"];' in first.content.decode()
    assert first.headers["Cache-Control"] == "public, max-age=300"
    assert first.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert "Cookie" not in first.headers.get("Vary", "")
    assert not first.cookies
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Cache-Control"] == "public, max-age=300"


def test_a_change_of_the_list_is_a_change_of_the_script(client: Client, deployment: Any) -> None:
    before = client.get("/widget.js").headers["ETag"]
    deployment.WIDGET_ORIGINS = []

    after = client.get("/widget.js", headers={"If-None-Match": before})

    assert after.status_code == 200
    assert "const ORIGINS = [];" in after.content.decode()


def test_the_framed_page_names_who_may_frame_it_and_sets_no_cookie(client: Client) -> None:
    page = client.get("/embed")

    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert ancestors(policy) == f"frame-ancestors {SHOP} {OTHER}"
    assert "script-src 'self'; style-src 'self'" in policy
    assert "X-Frame-Options" not in page.headers
    assert page.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert page.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "no-store" in page.headers["Cache-Control"]
    assert not page.cookies


@pytest.mark.parametrize("path", ["/", "/embed"])
def test_the_page_and_the_frame_say_whose_chat_it_is(client: Client, deployment: Any, path: str) -> None:
    deployment.COMPANY_NAME = "Northwind <& Sons>"
    deployment.CHAT_SUGGESTIONS = ["Where is my parcel?"]

    page = client.get(path).content.decode()

    assert "<title>Northwind &lt;&amp; Sons&gt; support</title>" in page
    assert "Ask about anything at Northwind &lt;&amp; Sons&gt;" in page
    assert 'data-suggestion="Where is my parcel?"' in page
    assert "Demo" not in page.replace("Offline demo", "")
    assert "1042" not in page


def test_without_a_list_nobody_frames_anything(client: Client, deployment: Any) -> None:
    deployment.WIDGET_ORIGINS = []

    page = client.get("/embed")

    assert ancestors(page.headers["Content-Security-Policy"]) == "frame-ancestors 'none'"
    assert page.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    "path", ["/", "/admin/login/", "/api/v1/docs/", "/embed/", "/embed/x", "/embedded", "/embed/visitor"]
)
def test_no_other_page_is_framed(client: Client, path: str) -> None:
    page = client.get(path)

    assert ancestors(page.headers["Content-Security-Policy"]) == "frame-ancestors 'none'"
    assert page.headers["X-Frame-Options"] == "DENY"


def test_a_visitor_is_given_a_credential_and_nothing_is_written(client: Client) -> None:
    answers = [client.post("/embed/visitor", headers={"Origin": OURS}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert "no-store" in answers[0].headers["Cache-Control"]
    assert not answers[0].cookies
    given = [answer.json()["visitor"] for answer in answers]
    known = [identity.identify(token=None, cookie=None, framed=one) for one in given]
    assert known[0].customer_id != known[1].customer_id
    assert not any(visitor.verified or visitor.new_cookie for visitor in known)
    assert identity.identify(token=None, cookie=None, framed=given[0]) == known[0]
    assert not Customer.objects.exists()


@pytest.mark.parametrize(
    "origin", [None, "null", SHOP, "https://testserver.example.com", "testserver", "https://[bad"]
)
def test_only_our_own_page_may_ask_for_a_visitor(client: Client, origin: str | None) -> None:
    answer = client.post("/embed/visitor", headers={"Origin": origin} if origin else {})

    assert answer.status_code == 403
    assert answer.json() == {"error": "Only the framed chat page may ask for this."}


def test_other_methods_make_no_visitor(client: Client) -> None:
    assert client.get("/embed/visitor", headers={"Origin": OURS}).status_code == 405
    assert client.post("/embed").status_code == 405
    assert client.post("/widget.js").status_code == 405


def test_no_visitors_where_anonymous_chat_is_off(client: Client, deployment: Any) -> None:
    credential = client.post("/embed/visitor", headers={"Origin": OURS}).json()["visitor"]
    deployment.ALLOW_ANONYMOUS_CHAT = False

    answer = client.post("/embed/visitor", headers={"Origin": OURS})

    assert answer.status_code == 403
    with pytest.raises(identity.Unauthorized):
        identity.identify(token=None, cookie=None, framed=credential)


def test_new_visitors_are_limited_together_with_those_of_the_page(client: Client, deployment: Any) -> None:
    deployment.NEW_VISITORS_PER_MINUTE = 2
    assert client.get("/").cookies
    assert client.post("/embed/visitor", headers={"Origin": OURS}).status_code == 200

    refused = client.post("/embed/visitor", headers={"Origin": OURS})

    assert (refused.status_code, refused.json()) == (429, {"error": "Rate limit exceeded"})
    assert not limits.allows_now(limits.NEW_VISITORS, "127.0.0.1")


def test_the_credentials_of_a_frame_and_of_the_page_never_stand_in_for_each_other() -> None:
    somebody = uuid4()
    cookie, framed = identity.sign_cookie(somebody), identity.sign_framed(somebody)

    assert identity.read_cookie(framed) is None
    for bad in (cookie, "", "x", framed[:-1], framed + "x", framed.upper()):
        with pytest.raises(identity.Unauthorized):
            identity.identify(token=None, cookie=cookie, framed=bad)
    with pytest.raises(identity.Unauthorized):
        identity.identify(token="bad", cookie=None, framed=framed)
    assert identity.identify(token=None, cookie=None, framed=framed).customer_id == somebody


def test_a_credential_ends_after_a_year(monkeypatch: pytest.MonkeyPatch) -> None:
    framed = identity.sign_framed(uuid4())
    later = timezone.now() + timedelta(seconds=identity.COOKIE_MAX_AGE + 5)
    monkeypatch.setattr("django.core.signing.time.time", later.timestamp)

    with pytest.raises(identity.Unauthorized):
        identity.identify(token=None, cookie=None, framed=framed)
