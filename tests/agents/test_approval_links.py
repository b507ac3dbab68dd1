"""Links that ask one person for one decision: what opening one shows, and everything that using one must not do."""

import logging
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.signing import Signer
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents import approvals
from agents.links import deciding, making, tokens
from agents.models import Action, ApprovalLink, Tool
from chat import api_keys
from chat.models import ApiKey, Turn
from smartsupport.logs import masked_text
from smartsupport.models import AuditEntry
from tests import rows
from tests.at_once import at_once

pytestmark = pytest.mark.django_db

ROBOT_KEY = UUID("00000000-0000-0000-0000-000000000001")
ROBOT = approvals.Decider(kind="staff", name="API key Robot", id=f"key:{ROBOT_KEY}")
VERA = making.Person(name="Vera Stone", email="vera@example.com")


def member(name: str = "vera") -> User:
    return rows.staff(name, "agents.decide_action", "agents.view_action")


def link_for(action: Action, person: making.Person | None = None, **more: Any) -> tuple[ApprovalLink, str]:
    link, token = making.make(
        action_id=action.pk, person=person or making.Person(username="vera"), by=more.pop("by", ROBOT), **more
    )
    return link, reverse("approval-link", args=[token])


def signed_in(name: str = "vera") -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def post(client: Client, url: str, decision: str = "approve", reason: str = "") -> Any:
    return client.post(url, {"decision": decision, "reason": reason})


def untouched(action: Action, link: ApprovalLink) -> bool:
    """Whether nothing was decided, sent or used up."""
    action.refresh_from_db()
    link.refresh_from_db()
    return (action.status, action.votes, link.used_at, link.decision) == ("awaiting", [], None, "")


@pytest.fixture
def robot() -> None:
    """ROBOT's key."""
    ApiKey.objects.create(pk=ROBOT_KEY, name="Robot", scopes=["approve"], key_hash="0" * 64)


@pytest.fixture
def open_to_all(settings: Any, robot: None) -> None:
    settings.APPROVAL_LINKS_WITHOUT_ACCOUNT = True


# Looking


def test_looking_decides_nothing_and_shows_the_exact_call_to_whom_it_asks() -> None:
    member()
    action = rows.waiting_for_staff()
    link, url = link_for(action)
    vera = signed_in()

    pages = [vera.get(url), vera.head(url), vera.get(url, headers={"User-Agent": "LinkScanner"})]

    assert [page.status_code for page in pages] == [200, 200, 200]
    text = pages[0].content.decode()
    for told in (action.message, "percent", "10", "1042", "cus_1001", "You decide as vera, by link"):
        assert told in text
    assert "<script" not in text
    assert untouched(action, link)
    for name, value in (
        ("Referrer-Policy", "strict-origin"),
        ("Cache-Control", "no-store"),
        ("X-Frame-Options", "DENY"),
    ):
        assert pages[0].headers[name] == value
    assert "noindex" in pages[0].headers["X-Robots-Tag"]
    assert "script-src 'self'" in pages[0].headers["Content-Security-Policy"]


def test_nothing_in_a_call_hides_or_turns_the_rest_around() -> None:
    member()
    action = rows.waiting_for_staff(order_id="\u202e2401\U000e0041", percent=10)
    _, url = link_for(action)

    page = signed_in().get(url).content.decode()

    assert "⟨U+202E⟩2401⟨U+E0041⟩" in page
    assert "\u202e" not in page
    assert "\u202e" not in action.message


def test_it_shows_nothing_to_anybody_else() -> None:
    member()
    member("nina")
    rows.staff("root", superuser=True)
    action = rows.waiting_for_staff()
    link, url = link_for(action)

    for client, status, words in (
        (Client(), 401, "Sign in"),
        (signed_in("nina"), 403, "somebody else"),
        (signed_in("root"), 403, "somebody else"),
    ):
        looked, posted = client.get(url), post(client, url)
        assert (looked.status_code, posted.status_code) == (status, status)
        for page in (looked, posted):
            text = page.content.decode()
            assert words in text
            assert action.message not in text
            assert "1042" not in text
    assert untouched(action, link)


def test_signing_in_leads_back_to_the_link() -> None:
    member()
    _, url = link_for(rows.waiting_for_staff())
    client = Client()

    page = client.get(url).content.decode()
    [way] = re.findall(r'href="(/admin/login/[^"]*)"', page)
    answer = client.post(way, {"username": "vera", "password": "correct horse"})

    assert answer.status_code == 302
    assert answer.headers["Location"] == url
    assert client.get(url).status_code == 200


def test_what_is_no_link_is_one_page_and_asks_the_database_nothing(
    django_assert_num_queries: Any,
) -> None:
    rows.waiting_for_staff()
    unknown = tokens.new()
    forged = Signer(key="another secret", salt="agents.links", sep=".").sign("apl_" + "x" * 43)
    other_salt = Signer(salt="something else", sep=".").sign("apl_" + "x" * 43)
    wrong = [
        forged,
        other_salt,
        "apl_",
        "x",
        unknown[:-1],
        unknown + "x",
        unknown.swapcase(),
        "apl_" + "y" * 5000,
    ]

    known_form = Client().get(reverse("approval-link", args=[unknown]))
    with django_assert_num_queries(0):
        pages = [Client().get(reverse("approval-link", args=[token])) for token in wrong]

    assert {page.status_code for page in [*pages, known_form]} == {404}
    assert len({page.content for page in [*pages, known_form]}) == 1


# Deciding


def test_it_decides_once_as_the_person_whom_it_asks() -> None:
    member()
    action = rows.waiting_for_staff()
    link, url = link_for(action)
    other, other_url = link_for(action, making.Person(username=member("nina").username))
    vera = signed_in()

    first = post(vera, url)
    again = post(vera, url, "decline", "no")
    elsewhere = signed_in("nina").get(other_url)

    action.refresh_from_db()
    assert (first.status_code, action.status, action.decided_by) == (200, "approved", "staff")
    assert action.decided_by_name == "vera, by link"
    assert "You approved it" in first.content.decode()
    assert again.status_code == 410
    assert "This link was used" in again.content.decode()
    assert "It was approved by vera, by link" in again.content.decode()
    assert elsewhere.status_code == 410
    assert "It was approved by vera, by link" in elsewhere.content.decode()
    link.refresh_from_db()
    assert (link.decision, link.used_at is not None) == ("approved", True)
    other.refresh_from_db()
    assert other.used_at is None


def test_declining_needs_a_reason_and_tells_it() -> None:
    member()
    action = rows.waiting_for_staff()
    link, url = link_for(action)
    vera = signed_in()

    for decision, reason in (
        ("decline", ""),
        ("decline", "  "),
        ("", "x"),
        ("maybe", "x"),
        ("decline", "x" * 501),
    ):
        assert post(vera, url, decision, reason).status_code == 400
    assert untouched(action, link)
    assert post(vera, url, "decline", "Not covered.").status_code == 200

    action.refresh_from_db()
    assert (action.status, action.reason) == ("rejected", "Not covered.")


def test_a_reason_that_cannot_be_stored_as_it_is_declines_all_the_same() -> None:
    member()
    action = rows.waiting_for_staff()
    _, url = link_for(action)

    assert post(signed_in(), url, "decline", "Not\x00 covered.").status_code == 200

    action.refresh_from_db()
    assert (action.status, action.reason) == ("rejected", "Not\ufffd covered.")


def test_a_form_from_elsewhere_is_refused() -> None:
    member()
    action = rows.waiting_for_staff()
    link, url = link_for(action)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="vera"))

    assert post(strict, url).status_code == 403
    assert untouched(action, link)
    [token] = re.findall(r'csrfmiddlewaretoken" value="([^"]+)"', strict.get(url).content.decode())
    answer = strict.post(url, {"decision": "approve", "csrfmiddlewaretoken": token})
    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_do_nothing(method: str) -> None:
    member()
    action = rows.waiting_for_staff()
    link, url = link_for(action)

    assert getattr(signed_in(), method)(url).status_code == 405
    assert untouched(action, link)


@pytest.mark.django_db(transaction=True)
def test_a_link_that_is_used_many_times_at_once_decides_once() -> None:
    vera = member()
    action = rows.waiting_for_staff()
    link, _ = link_for(action)

    outcomes = at_once(
        [
            lambda approved=place % 2 == 0: deciding.decide(  # type: ignore[misc]
                ApprovalLink.objects.select_related("user", "action").get(pk=link.pk), vera, approved=approved
            )
            for place in range(6)
        ]
    )

    assert sum(isinstance(one, Action) for one in outcomes) == 1
    assert sum(isinstance(one, deciding.LinkSpent) for one in outcomes) == 5
    action.refresh_from_db()
    link.refresh_from_db()
    assert action.status == link.decision


# When it cannot be used any more


def over(action: Action, link: ApprovalLink) -> None:
    ApprovalLink.objects.filter(pk=link.pk).update(expires_at=timezone.now())


def action_over(action: Action, link: ApprovalLink) -> None:
    Action.objects.filter(pk=action.pk).update(expires_at=timezone.now())


def withdrawn(action: Action, link: ApprovalLink) -> None:
    assert making.revoke(action_id=action.pk, link_id=link.pk, by=ROBOT) == 1


def may_no_more(action: Action, link: ApprovalLink) -> None:
    User.objects.get(username="vera").user_permissions.clear()


def edited(action: Action, link: ApprovalLink) -> None:
    """The first of two approves with other values, so it goes on waiting as another call."""
    Action.objects.filter(pk=action.pk).update(approvals_needed=2)
    action.refresh_from_db()
    action.arguments_hash = action.expected_hash()
    action.save()
    ApprovalLink.objects.filter(pk=link.pk).update(arguments_hash=action.arguments_hash)
    nina = approvals.Decider.of(member("nina"))
    approvals.decide(
        action_id=action.pk, approved=True, by=nina, arguments={"order_id": "1042", "percent": 5}
    )
    Action.objects.filter(pk=action.pk).update(votes=[])


@pytest.mark.parametrize(
    ("happens", "status", "words"),
    [
        (over, 410, "This link has come to its end"),
        (action_over, 410, "The time for this is over"),
        (withdrawn, 410, "This link was withdrawn"),
        (may_no_more, 403, "You may not decide on this any more"),
        (edited, 410, "This is not what you were asked any more"),
    ],
)
def test_each_end_has_its_own_page_and_decides_nothing(happens: Any, status: int, words: str) -> None:
    member()
    action = rows.waiting_for_staff()
    link, url = link_for(action)
    assert signed_in().get(url).status_code == 200
    happens(action, link)

    for page in (signed_in().get(url), post(signed_in(), url)):
        assert page.status_code == status
        assert words in page.content.decode()
        assert 'name="decision"' not in page.content.decode()
    assert untouched(action, link)


def test_a_tool_that_has_changed_is_asked_about_again_and_the_link_is_not_used_up() -> None:
    member()
    action = rows.waiting_for_staff()
    link, url = link_for(action)
    Tool.objects.filter(pk=action.tool_id).update(path="/somewhere/else")

    page = post(signed_in(), url)

    action.refresh_from_db()
    link.refresh_from_db()
    assert (page.status_code, action.status, action.reopened, link.used_at) == (409, "awaiting", 1, None)
    assert "This is not what you were asked any more" in page.content.decode()


def test_a_link_whose_user_is_gone_is_nobodys(open_to_all: None) -> None:
    vera = member()
    action = rows.waiting_for_staff()
    link, url = link_for(action)
    vera.delete()

    assert post(Client(), url).status_code == 403
    assert untouched(action, link)


def test_two_people_are_two_also_by_link() -> None:
    member()
    action = rows.waiting_for_staff()
    Action.objects.filter(pk=action.pk).update(approvals_needed=2)
    action.refresh_from_db()
    action.arguments_hash = action.expected_hash()
    action.save()
    _, first = link_for(action)
    _, same = link_for(action)
    _, second = link_for(action, making.Person(username=member("nina").username))

    one = post(signed_in(), first)
    twice = post(signed_in(), same)
    assert "A second person" in one.content.decode()
    assert twice.status_code == 403
    assert "You have approved this already" in twice.content.decode()
    action.refresh_from_db()
    assert (action.status, len(action.votes)) == ("awaiting", 1)
    post(signed_in("nina"), second)
    action.refresh_from_db()
    assert action.status == "approved"


# Without an account


def test_nobody_decides_without_an_account_unless_the_deployment_allows_it(
    settings: Any, robot: None
) -> None:
    action = rows.waiting_for_staff()
    with pytest.raises(making.AccountNeeded):
        link_for(action, VERA)
    assert not ApprovalLink.objects.exists()
    settings.APPROVAL_LINKS_WITHOUT_ACCOUNT = True
    link, url = link_for(action, VERA)
    assert Client().get(url).status_code == 200

    settings.APPROVAL_LINKS_WITHOUT_ACCOUNT = False

    for page in (Client().get(url), post(Client(), url)):
        assert page.status_code == 403
        assert "An account is needed" in page.content.decode()
        assert action.message not in page.content.decode()
    assert untouched(action, link)


def test_somebody_without_an_account_decides_by_name(open_to_all: None) -> None:
    action = rows.waiting_for_staff()
    _, url = link_for(action, VERA)

    assert post(Client(), url).status_code == 200

    action.refresh_from_db()
    assert (action.status, action.decided_by_name) == (
        "approved",
        "Vera Stone <vera@example.com>, by link without an account",
    )


def test_who_has_no_account_is_never_called_like_somebody_who_has(open_to_all: None) -> None:
    member("vera")
    action = rows.waiting_for_staff()
    _, url = link_for(
        action, making.Person(name="vera, by link", email=f"{'x' * 60}@{'y' * 60}.{'z' * 60}.com")
    )

    assert post(Client(), url).status_code == 200

    action.refresh_from_db()
    assert action.decided_by_name.startswith("vera, by link <xxx")
    assert action.decided_by_name.endswith("…, by link without an account")


def key_off(key: ApiKey) -> None:
    api_keys.disable(key)


def key_over(key: ApiKey) -> None:
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now())


def key_replaced_and_then_off(key: ApiKey) -> None:
    newer, _ = api_keys.replace(key.pk, overlap=timedelta(0))
    api_keys.disable(newer)


@pytest.mark.parametrize("happens", [key_off, key_over, key_replaced_and_then_off])
def test_a_link_without_an_account_decides_nothing_once_the_key_that_made_it_is_of_no_use(
    open_to_all: None, happens: Any
) -> None:
    key, text = api_keys.issue(name="Ticket robot", scopes=["approve"])
    rows.key("admin", name="Another that may decide")
    action = rows.waiting_for_staff()
    body = {"name": "Vera Stone"}
    made = Client(headers={"X-API-Key": text}).post(
        f"/api/v1/interrupts/{action.pk}/links", body, content_type="application/json"
    )
    url = made.json()["data"]["url"]
    assert Client().get(url).status_code == 200

    happens(key)

    for page in (Client().get(url), post(Client(), url)):
        assert page.status_code == 403
        assert "Whoever made this link may not decide any more" in page.content.decode()
        assert action.message not in page.content.decode()
    assert untouched(action, ApprovalLink.objects.get())


def test_a_link_of_a_key_goes_on_with_the_key_that_took_its_place(open_to_all: None) -> None:
    key, _ = api_keys.issue(name="Ticket robot", scopes=["interrupts:decide"])
    action = rows.waiting_for_staff()
    _, url = link_for(action, VERA, by=approvals.Decider(kind="staff", name="x", id=f"key:{key.pk}"))

    api_keys.replace(key.pk, overlap=timedelta(0))

    assert post(Client(), url).status_code == 200
    action.refresh_from_db()
    assert action.status == "approved"


@pytest.mark.parametrize("gone", [{"is_active": False}, {"is_staff": False}, {}])
def test_a_link_without_an_account_decides_nothing_once_its_maker_may_not(
    open_to_all: None, gone: dict[str, bool]
) -> None:
    nina = member("nina")
    action = rows.waiting_for_staff()
    link, url = link_for(action, VERA, by=approvals.Decider.of(nina))
    assert Client().get(url).status_code == 200

    if gone:
        User.objects.filter(pk=nina.pk).update(**gone)
    else:
        nina.user_permissions.clear()

    for page in (Client().get(url), post(Client(), url)):
        assert page.status_code == 403
        assert action.message not in page.content.decode()
    assert untouched(action, link)


def test_somebody_without_an_account_is_nobodys_second_person(open_to_all: None) -> None:
    action = rows.waiting_for_staff()
    Action.objects.filter(pk=action.pk).update(approvals_needed=2)
    action.refresh_from_db()
    action.arguments_hash = action.expected_hash()
    action.save()
    link, url = link_for(action, VERA)

    page = post(Client(), url)

    assert page.status_code == 403
    assert "Two people have to agree" in page.content.decode()
    assert untouched(action, link)
    assert post(Client(), url, "decline", "No.").status_code == 200


def test_nobody_approves_their_own_wish_through_a_link(open_to_all: None) -> None:
    action = rows.waiting_for_staff()
    link, url = link_for(action, VERA)
    Turn.objects.filter(pk=action.turn_id).update(asked_by=ROBOT.id)

    with pytest.raises(approvals.NotAllowed):
        link_for(action, VERA)
    page = post(Client(), url)

    assert page.status_code == 403
    assert untouched(action, link)
    assert ApprovalLink.objects.count() == 1


# What is kept of it


def test_the_audit_tells_who_decided_and_no_log_holds_the_token(
    open_to_all: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    action = rows.waiting_for_staff()
    _, token = making.make(action_id=action.pk, person=VERA, by=ROBOT)
    url = reverse("approval-link", args=[token])

    post(Client(), url)

    begun, done = AuditEntry.objects.filter(object_id=str(action.pk)).order_by("pk")
    assert (begun.outcome, done.outcome, done.begun_id) == ("begun", "done", begun.pk)
    assert (done.verb, done.object_type, done.actor_kind) == ("approve", "agents.action", "unknown")
    assert done.actor_name == "Vera Stone <vera@example.com>, by link without an account"
    assert "API key Robot" in str(done.detail)
    secret = token.removeprefix(tokens.PREFIX)
    kept = str(list(AuditEntry.objects.values())) + str(list(ApprovalLink.objects.values()))
    assert secret not in kept
    assert token not in kept
    for text in (f"GET {url} 200", f"/admin/login/?next=%2Fdecide%2F{token}", f"{{'token': '{token}'}}"):
        assert secret not in masked_text(text)
        assert token.partition(".")[2] not in masked_text(text)


def test_trying_links_has_a_limit_by_address(settings: Any, open_to_all: None) -> None:
    settings.APPROVAL_LINKS_PER_MINUTE = 3
    action = rows.waiting_for_staff()
    link, url = link_for(action, VERA)
    for _ in range(3):
        Client().get("/decide/apl_nonsense")

    refused = post(Client(), url)

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    assert untouched(action, link)
    assert Client(REMOTE_ADDR="203.0.113.9").get(url).status_code == 200


# Over the API


@pytest.fixture
def api() -> Client:
    return Client(headers={"X-API-Key": rows.key("approve", name="Robot")})


def asked(api: Client, action: Action, body: Any) -> Any:
    return api.post(f"/api/v1/interrupts/{action.pk}/links", body, content_type="application/json")


def test_a_link_is_made_listed_and_withdrawn(api: Client) -> None:
    member()
    action = rows.waiting_for_staff()

    answer = asked(api, action, {"username": "vera", "expires_in_minutes": 5})

    told = answer.json()["data"]
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    assert (told["decider"], told["without_account"], told["state"]) == ("vera", False, "open")
    link = ApprovalLink.objects.get()
    assert timedelta(minutes=4) < link.expires_at - timezone.now() < timedelta(minutes=6)
    path = told["url"].removeprefix("http://testserver")
    assert signed_in().get(path).status_code == 200
    url = f"/api/v1/interrupts/{action.pk}/links"
    listed = api.get(url)
    assert [one["id"] for one in listed.json()["data"]["links"]] == [told["id"]]
    assert path not in listed.content.decode()
    assert link.token_hash not in listed.content.decode()
    assert path.rpartition("/")[2] not in str(list(AuditEntry.objects.values()))

    gone = api.delete(f"{url}/{told['id']}")
    assert (gone.status_code, gone.json()["data"]["state"]) == (200, "withdrawn")
    assert signed_in().get(path).status_code == 410
    other = rows.waiting_for_staff()
    assert api.delete(f"/api/v1/interrupts/{other.pk}/links/{told['id']}").status_code == 404
    assert api.delete(f"{url}/nonsense").status_code == 404


def test_a_link_lives_no_longer_than_its_approval(api: Client) -> None:
    member()
    action = rows.waiting_for_staff()

    asked(api, action, {"username": "vera", "expires_in_minutes": 60 * 24})

    assert ApprovalLink.objects.get().expires_at == action.expires_at


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"username": "vera", "name": "Vera"}, 400),
        ({"username": "vera", "email": "vera@example.com"}, 400),
        ({"username": "vera", "expires_in_minutes": 0}, 400),
        ({"username": "vera", "expires_in_minutes": "soon"}, 400),
        ({"username": 5}, 400),
        ({"name": "Vera", "email": "nonsense"}, 400),
        ({"name": "Vera"}, 403),
        ({"username": "nobody"}, 422),
        ({"username": "looker"}, 422),
        ({"username": "former"}, 422),
    ],
)
def test_a_link_that_cannot_be_is_not_made(api: Client, body: Any, status: int) -> None:
    member()
    rows.staff("looker", "agents.view_action")
    User.objects.filter(pk=member("former").pk).update(is_active=False)
    action = rows.waiting_for_staff()

    assert asked(api, action, body).status_code == status
    assert not ApprovalLink.objects.exists()


def test_there_is_no_link_for_what_is_decided_expired_or_the_customers(api: Client) -> None:
    member()
    decided, expired = rows.waiting_for_staff(), rows.waiting_for_staff()
    approvals.decide(action_id=decided.pk, approved=False, by=ROBOT)
    Action.objects.filter(pk=expired.pk).update(expires_at=timezone.now())
    theirs = rows.action(rows.turn(rows.customer()), rows.tool())

    answers = [asked(api, action, {"username": "vera"}) for action in (decided, expired, theirs)]

    assert [answer.status_code for answer in answers] == [409, 410, 403]
    assert not ApprovalLink.objects.exists()


def test_an_approval_has_so_many_links(api: Client) -> None:
    member()
    action = rows.waiting_for_staff()
    answers = [asked(api, action, {"username": "vera"}) for _ in range(making.MOST_OPEN + 1)]

    assert [answer.status_code for answer in answers] == [201] * making.MOST_OPEN + [409]
    assert ApprovalLink.objects.count() == making.MOST_OPEN
    making.revoke(action_id=action.pk, by=ROBOT)
    assert asked(api, action, {"username": "vera"}).status_code == 201


# In the console


def test_links_are_made_and_withdrawn_on_the_approvals_page() -> None:
    member()
    action = rows.waiting_for_staff()
    vera = signed_in()
    page = reverse("admin:agents_action_change", args=[action.pk])
    make, withdraw = (
        reverse(f"admin:agents_action_{name}", args=[action.pk]) for name in ("make_link", "withdraw_links")
    )

    assert "Choose a member of staff." in vera.post(make, {"_form_submitted": "True"}).content.decode()
    assert not ApprovalLink.objects.exists()
    shown = vera.post(make, {"_form_submitted": "True", "username": "vera", "minutes": "15"}, follow=True)
    [url] = re.findall(r"<code>http://testserver(/decide/[^<]+)</code>", shown.content.decode())
    assert vera.get(url).status_code == 200
    later = vera.get(page).content.decode()
    assert "Not used yet" in later
    assert url not in later
    vera.post(withdraw, {"_form_submitted": "True"})
    assert vera.get(url).status_code == 410
    assert "Withdrawn" in vera.get(page).content.decode()
    approvals.decide(action_id=action.pk, approved=False, by=ROBOT)
    assert make not in vera.get(page).content.decode()


def test_somebody_who_is_not_signed_in_is_nobody() -> None:
    member()
    link, _ = link_for(rows.waiting_for_staff())

    assert deciding.stands(link, AnonymousUser()) == "sign_in"
    with pytest.raises(deciding.NotTheirs):
        deciding.decide(link, AnonymousUser(), approved=True)
    assert untouched(link.action, link)
