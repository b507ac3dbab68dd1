"""Who a token or a cookie names. A refused one writes nothing."""

import json
import time
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from django.core import signing

from chat import identity
from chat.models import Customer

SECRET = "a-secret-of-the-company-0123456789"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def company(settings: Any) -> Any:
    settings.CUSTOMER_JWT_SECRET = SECRET
    settings.ALLOW_ANONYMOUS_CHAT = True
    return settings


def token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A token for cus_7, good for a minute; a claim that is None is left out."""
    wanted = {"sub": "cus_7", "exp": int(time.time()) + 60, **claims}
    given = {name: value for name, value in wanted.items() if value is not None}
    return jwt.encode(given, secret, algorithm=algorithm)


def refused(bad: str) -> None:
    with pytest.raises(identity.Unauthorized) as caught:
        identity.identify(token=bad, cookie=None)

    assert (caught.value.code, caught.value.message) == ("unauthorized", "Unauthorized")
    assert not Customer.objects.exists()


def test_a_good_token_makes_its_customer_once() -> None:
    known = {"email": "ada@example.com", "attributes": {"plan": "gold"}}
    first = identity.identify(token=token(name="Ada", **known), cookie=None)
    second = identity.identify(token=token(name="Ada L.", email="ada@example.com"), cookie=None)

    assert first.customer_id == second.customer_id
    assert first.verified
    assert first.new_cookie == ""
    customer = Customer.objects.get()
    assert (customer.subject, customer.business_id) == ("cus_7", "cus_7")
    assert (customer.name, customer.email, customer.attributes) == (
        "Ada L.",
        "ada@example.com",
        {"plan": "gold"},
    )


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"sub": None},
        {"exp": int(time.time()) - 1},
        {"exp": "soon"},
        {"exp": [1]},
        {"nbf": int(time.time()) + 3600},
        {"sub": ""},
        {"sub": "  "},
        {"sub": "x" * 256},
        {"sub": "a\x00b"},
        {"sub": "\ud800"},
    ],
)
def test_tokens_with_claims_that_do_not_hold(claims: dict[str, Any]) -> None:
    refused(token(**claims))


@pytest.mark.parametrize("subject", [7, ["cus_7"], {"id": "cus_7"}, True])
def test_a_subject_must_be_a_string(subject: Any) -> None:
    payload = json.dumps({"sub": subject, "exp": int(time.time()) + 60}).encode()

    refused(jwt.api_jws.encode(payload, SECRET, algorithm="HS256"))


@pytest.mark.parametrize("payload", [b"[]", b"null", b"7", b"not json", b'{"sub":"cus_7","exp":1e999}'])
def test_payloads_that_are_no_claims(payload: bytes) -> None:
    refused(jwt.api_jws.encode(payload, SECRET, algorithm="HS256"))


def test_only_our_secret_and_only_hs256() -> None:
    refused(token("another-secret-of-somebody-0123456789"))
    refused(token("", algorithm="none"))
    refused(token(SECRET * 2, algorithm="HS512"))
    refused(jwt.encode({"sub": "cus_7", "exp": int(time.time()) + 60}, SECRET * 2, algorithm="HS384"))


@pytest.mark.parametrize("bad", ["", "x", "a.b.c", "é", "." * 1_000, "\x00", "null", "\ud800"])
def test_what_is_no_token(bad: str) -> None:
    refused(bad)


def test_without_a_secret_no_token_is_good(company: Any) -> None:
    company.CUSTOMER_JWT_SECRET = ""

    refused(token())
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        nobodys = token("x")
    refused(nobodys)


def test_a_bad_token_is_not_replaced_by_a_good_cookie() -> None:
    with pytest.raises(identity.Unauthorized):
        identity.identify(token="bad", cookie=identity.sign_cookie(uuid4()))


def test_odd_profiles_are_left_out_and_the_customer_is_let_in() -> None:
    visitor = identity.identify(token=token(name=["Ada"], email=7, attributes="gold"), cookie=None)

    customer = Customer.objects.get(pk=visitor.customer_id)
    assert (customer.name, customer.email, customer.attributes) == ("", "", {})


def test_profiles_are_cut_and_made_storable() -> None:
    odd = token(name="A\x00\ud800" + "a" * 300, attributes={"k": "\x00"})
    visitor = identity.identify(token=odd, cookie=None)

    customer = Customer.objects.get(pk=visitor.customer_id)
    assert customer.name == "A\ufffd\ufffd" + "a" * 197
    assert customer.attributes == {"k": "\ufffd"}


def test_a_new_visitor_has_a_cookie_and_no_row() -> None:
    visitor = identity.identify(token=None, cookie=None)

    assert identity.read_cookie(visitor.new_cookie) == visitor.customer_id
    assert not visitor.verified
    assert not Customer.objects.exists()


def test_a_cookie_names_the_same_visitor_again() -> None:
    first = identity.identify(token=None, cookie=None)

    again = identity.identify(token=None, cookie=first.new_cookie)

    assert (again.customer_id, again.new_cookie) == (first.customer_id, "")


def forged() -> list[str]:
    victim = UUID(int=7)
    good = identity.sign_cookie(victim)
    return [
        "",
        str(victim),
        good[:-1] + ("a" if good[-1] != "a" else "b"),
        good + "a",
        good.replace(":", "."),
        signing.dumps(str(victim)),  # another purpose of the same secret
        signing.dumps(str(victim), salt="smartsupport.customer", key="another"),
        signing.dumps("not an id", salt="smartsupport.customer"),
        signing.dumps([str(victim)], salt="smartsupport.customer"),
        "é",
    ]


@pytest.mark.parametrize("cookie", forged(), ids=range(len(forged())))
def test_a_forged_cookie_names_nobody(cookie: str) -> None:
    visitor = identity.identify(token=None, cookie=cookie)

    assert visitor.new_cookie
    assert identity.read_cookie(cookie) is None


def test_a_cookie_is_too_old_after_a_year(monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = identity.sign_cookie(uuid4())
    later = time.time() + identity.COOKIE_MAX_AGE + 1
    monkeypatch.setattr(time, "time", lambda: later)

    assert identity.read_cookie(cookie) is None


def test_without_anonymous_chat_a_cookie_is_no_credential(company: Any) -> None:
    company.ALLOW_ANONYMOUS_CHAT = False

    for cookie in (None, identity.sign_cookie(uuid4())):
        with pytest.raises(identity.Unauthorized):
            identity.identify(token=None, cookie=cookie)


def test_the_row_of_a_visitor_is_made_once_and_bound_to_the_demo_customer(company: Any) -> None:
    company.DEMO_CUSTOMER_ID = "cus_1001"
    visitor = identity.Visitor(UUID(int=7), verified=False)

    visitor.make_row()
    visitor.make_row()

    assert Customer.objects.get().business_id == "cus_1001"


def test_a_verified_visitor_makes_no_row_of_its_own() -> None:
    identity.Visitor(UUID(int=7), verified=True).make_row()

    assert not Customer.objects.exists()
