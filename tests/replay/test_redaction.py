"""No card number and no token survives any nesting; ordinary numbers do."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replay.redaction import CARD, DEEPEST, SECRET, TOO_DEEP, redacted, said

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WORDS = st.text(alphabet="abc xyzäé嗯,;()", max_size=12)


def _with_check_digit(digits: str) -> str:
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits))]
    total = sum(number - 9 if number > 9 else number for number in doubled)
    return f"{digits}{-total % 10}"


def _grouped(digits: str, mark: str) -> str:
    return mark.join(digits[place : place + 4] for place in range(0, len(digits), 4))


CARDS = st.builds(
    lambda first, rest: _with_check_digit(first + rest),
    st.sampled_from(["4", "51", "2221", "34", "37", "6011", "3528", "300", "62"]),
    st.text(alphabet="0123456789", min_size=11, max_size=14),
)
WRITTEN_CARDS = st.builds(
    lambda digits, mark: _grouped(digits, mark),
    CARDS,
    st.sampled_from(["", " ", "-", "\u00a0", "\u200b", ". "]),
)
TAILS = st.text(alphabet="ABCDEFGHabcdefgh0123456789", min_size=20, max_size=40)
TOKENS = st.one_of(
    TAILS.map(lambda tail: f"sk-{tail}"),
    TAILS.map(lambda tail: f"sk_live_{tail}"),
    TAILS.map(lambda tail: f"ghp_{tail}"),
    TAILS.map(lambda tail: f"eyJhbGciOiJI.eyJ{tail}.{tail}"),
)
NAMES = st.sampled_from(
    [
        "password",
        "api_key",
        "X-Api-Key",
        "authToken",
        "client_secret",
        "Authorization",
        "Set-Cookie",
        "cvv",
        "accessToken",
    ]
)


def nested(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """JSON in which a leaf is somewhere: in lists, under names, as a name, in JSON within a text."""
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=2),
            st.dictionaries(WORDS, inner, min_size=1, max_size=2),
            inner.map(lambda value: json.dumps({"inner": value})),
            inner.map(lambda value: {"note": f"see {value}"}),
        ),
        max_leaves=3,
    )


def everything(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@FEW
@given(st.data())
def test_no_card_number_survives_any_nesting(data: st.DataObject) -> None:
    card = data.draw(WRITTEN_CARDS)
    before, after = data.draw(WORDS), data.draw(WORDS)
    value = data.draw(nested(st.just(f"{before} {card} {after}")))

    assert card not in everything(redacted(value))
    assert CARD in said(f"{before} {card} {after}")


@FEW
@given(CARDS)
def test_a_card_number_as_a_number_or_as_a_name_is_hidden(card: str) -> None:
    assert redacted({"n": int(card), "f": [float(int(card))] if len(card) < 16 else []})["n"] == CARD
    assert card not in everything(redacted({card: 1}))


@FEW
@given(st.data())
def test_no_token_survives_any_nesting(data: st.DataObject) -> None:
    token = data.draw(TOKENS)
    value = data.draw(nested(st.just(f"{data.draw(WORDS)} {token}")))

    assert token not in everything(redacted(value))
    assert token not in said(f"mine is {token}, ok?")


@FEW
@given(NAMES, st.text(alphabet="abcdefXYZ0123456789!$%", min_size=6, max_size=20))
def test_what_stands_under_the_name_of_a_secret_is_hidden(name: str, secret: str) -> None:
    secret = f"q7{secret}"
    for value in (
        {name: secret},
        {name: {"deep": [secret]}},
        [[name, secret]],
        [{"name": name, "value": secret}],
        json.dumps({"a": {name: secret}}),
        f"{name}: {secret}",
        f"https://x.example/?{name}={secret}&page=2",
        f'cut off {{"{name}": "{secret}"',
    ):
        assert secret not in everything(redacted(value)), value


ORDINARY: list[Any] = [
    1042,
    "order 1042",
    "#1042-77, 2 items at 19.99 EUR, total 39.98",
    1_750_000_000_000,
    "2026-03-01T12:00:00+00:00",
    "2026-03-01 2026-04-01 2026-05-01",
    "0.5238095238095238",
    0.5238095238095238,
    "0f0f0f0f-0000-4000-8000-000000000000",
    "41111111-1111-4111-8111-411111111111",
    "+44 20 7946 0958",
    "1Z 999 AA1 01 2345 6784",
    "4111 1111 1111 1112",  # the last digit is not a card's
    {"tokens_in": 100, "tokens": 5, "max_tokens": 12, "total": 4_111_111.25},
    {"key": "color", "value": "red"},
    {"password": None, "secret": False, "token": ""},
    "The bearer of this letter",
    "basic questions",
    True,
    None,
    [],
]


@pytest.mark.parametrize("value", ORDINARY, ids=str)
def test_what_is_ordinary_stays_as_it_is(value: Any) -> None:
    assert redacted(value) == value


@FEW
@given(
    st.recursive(
        st.one_of(st.integers(-(10**11), 10**11), st.booleans(), st.none(), WORDS), st.lists, max_leaves=8
    )
)
def test_ids_and_amounts_survive_any_nesting(value: Any) -> None:
    assert redacted({"v": value}) == {"v": value}


def test_an_address_keeps_its_first_letter_and_its_host() -> None:
    assert redacted({"to": "Write to ada.stone@example.com."}) == {"to": "Write to a***@example.com."}
    assert said("Write to ada.stone@example.com.") == "Write to ada.stone@example.com."


def test_what_was_said_keeps_its_words() -> None:
    words = "My card is 4111-1111-1111-1111 12/27, my password is hunter2, call me at 555 0100. Order 1042!"

    assert (
        said(words) == f"My card is {CARD} 12/27, my password is {SECRET}, call me at 555 0100. Order 1042!"
    )


def test_user_names_in_addresses_and_bearer_headers_are_hidden() -> None:
    shown = redacted(
        {"url": "https://ada:pw@shop.example/x", "headers": ["Bearer abc.def-123456", "Basic dXNlcjpwYXNz=="]}
    )

    assert shown == {
        "url": f"https://{SECRET}@shop.example/x",
        "headers": [f"Bearer {SECRET}", f"Basic {SECRET}"],
    }


def test_names_that_become_one_do_not_take_each_others_place() -> None:
    shown = redacted({"4111111111111111": 1, "4242424242424242": 2})

    assert sorted(shown.values()) == [1, 2]


def test_what_is_nested_without_end_is_left_out() -> None:
    value: Any = "4111111111111111"
    for _ in range(5 * DEEPEST):
        value = [value]

    shown = everything(redacted(value))

    assert TOO_DEEP in shown
    assert "4111111111111111" not in shown
    assert redacted("[" * 50_000).startswith("[")
