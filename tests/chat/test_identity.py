"""Who a token or a cookie names. A refused one writes nothing."""

import hmac
import json
import string
import time
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from django.core import signing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwt.utils import base64url_encode

from chat import identity
from chat.models import Customer

SECRET = "a-secret-of-the-company-0123456789"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def company(request: pytest.FixtureRequest) -> Any:
    own = request.getfixturevalue("settings")
    own.CUSTOMER_JWT_SECRET = SECRET
    own.ALLOW_ANONYMOUS_CHAT = True
    return own


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
        {"nbf": int(time.time()) + 365 * 86_400},
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


ALPHABET = string.ascii_letters + string.digits + "-_.=+/%! \n\x00é"
in_this_database = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)


@st.composite
def mutated(draw: st.DrawFn, good: str) -> str:
    """A good credential with something changed: a character, a piece of it, or the order of its parts."""
    place = draw(st.integers(0, len(good) - 1))
    piece = draw(st.text(ALPHABET, max_size=3))
    changes = [
        good[:place] + piece + good[place + 1 :],  # replaced, or cut out
        good[:place] + piece + good[place:],  # put in
        good[:place],
        good[place:],
        good + piece,
        piece + good,
        ".".join(draw(st.permutations(good.split(".")))),
        good.swapcase(),
    ]
    return draw(st.sampled_from(changes).filter(lambda changed: changed != good))


@in_this_database
@given(st.data())
def test_a_mutated_token_never_authenticates(company: Any, data: st.DataObject) -> None:
    refused(data.draw(mutated(token())))


@in_this_database
@given(st.data())
def test_a_mutated_cookie_names_nobody(company: Any, data: st.DataObject) -> None:
    cookie = data.draw(mutated(identity.sign_cookie(UUID(int=7))))

    assert identity.read_cookie(cookie) is None
    assert identity.identify(token=None, cookie=cookie).customer_id != UUID(int=7)


@in_this_database
@given(
    claims=st.dictionaries(st.sampled_from(["sub", "exp", "name", "email"]), st.integers() | st.text()),
    header=st.dictionaries(
        st.sampled_from(["alg", "typ", "kid", "crit"]), st.text() | st.none() | st.just(["x"])
    ),
    secret=st.binary(min_size=1, max_size=64).filter(lambda secret: secret != SECRET.encode()),
)
def test_whatever_it_claims_a_token_that_others_signed_is_none(
    company: Any, claims: dict[str, Any], header: dict[str, Any], secret: bytes
) -> None:
    parts = [{"alg": "HS256", **header}, {"sub": "cus_7", "exp": int(time.time()) + 60, **claims}]
    signed = b".".join(base64url_encode(json.dumps(part).encode()) for part in parts)
    signature = hmac.digest(secret, signed, "sha256")

    refused((signed + b"." + base64url_encode(signature)).decode())


@pytest.mark.parametrize("odd", ["{}=", "{}!", "{}\n", " {}", "{}%"])
def test_a_token_has_one_spelling(odd: str) -> None:
    head, _, signature = token().rpartition(".")

    refused(f"{head}.{odd.format(signature)}")


def test_the_bits_that_are_left_over_are_looked_at_too() -> None:
    """43 characters hold 258 bits, and a signature has 256: four spellings of the last one decode to the same."""
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    good = token()
    last = letters.index(good[-1])

    for other in range(last - last % 4, last - last % 4 + 4):
        if other != last:
            refused(good[:-1] + letters[other])


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
