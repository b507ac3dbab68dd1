"""What nobody is shown of a conversation's log, also those who may read it: see the rules in docs/replay.md.

Two strengths. `said` is for what a person reads in the chat: it stays as it was said, but for card numbers and
secrets. `redacted` is for everything else (arguments, requests, results, prompts): also what stands under a name of a
secret, and the middle of e-mail addresses. The log itself keeps everything; this is done whenever it is shown.
"""

import json
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from smartsupport.lib.secret_shapes import (
    CARD,
    SECRET,
    is_card,
    without_addresses,
    without_cards,
    without_secrets,
)

TOO_DEEP = "[nested too deeply to show]"
DEEPEST = 80
JSON_MOST = 2_000_000
"""Characters of text that are looked at as JSON."""

_SECRET_WORDS = frozenset(
    "password passwd passphrase passcode pwd secret secrets authorization authentication cookie cookies credential "
    "credentials cvv cvc cvv2 otp jwt bearer apikey accesskey privatekey accesstoken refreshtoken idtoken token "
    "authtoken sessionid".split()
)
_SECRET_PAIRS = frozenset(
    {
        ("api", "key"),
        ("access", "key"),
        ("private", "key"),
        ("secret", "key"),
        ("signing", "key"),
        ("encryption", "key"),
        ("session", "id"),
        ("security", "code"),
        ("card", "code"),
        ("pin", "code"),
    }
)
_NAME = re.compile(r"[\w.\-\[\]]{1,80}")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def redacted(value: Any) -> Any:
    """JSON with every secret in it hidden, names included; of the same shape, but for what stands under the name of a
    secret. What is nested more than DEEPEST levels deep is left out."""
    return _walk(value, _text, 0)


def said(text: str) -> str:
    """What a person said or read in the chat, without card numbers and secrets."""
    return without_cards(without_secrets(text))


def names_secret(name: str) -> bool:
    """Whether what stands under this name is hidden, whatever it is: `api_key`, `X-Auth-Token`, `userPassword`."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return any(word in _SECRET_WORDS for word in words) or any(
        pair in _SECRET_PAIRS for pair in pairwise(words)
    )


def _walk(value: Any, of_text: Callable[[str], str], depth: int) -> Any:
    if depth > DEEPEST:
        return TOO_DEEP
    if isinstance(value, str):
        return of_text(value)
    if isinstance(value, dict):
        return _mapping(value, of_text, depth)
    if isinstance(value, list | tuple):
        first = value[0] if len(value) == 2 else None
        if isinstance(first, str) and _NAME.fullmatch(first) and names_secret(first):
            return [of_text(value[0]), _hidden(value[1])]  # a pair of a query
        return [_walk(item, of_text, depth + 1) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value)
    return value


def _mapping(value: dict[Any, Any], of_text: Callable[[str], str], depth: int) -> dict[str, Any]:
    named = next((value[name] for name in ("name", "key", "field") if isinstance(value.get(name), str)), "")
    shown: dict[str, Any] = {}
    for name, item in value.items():
        hides = names_secret(str(name)) or (name in ("value", "values") and names_secret(named))
        told = of_text(str(name))
        while told in shown:  # two names that became one
            told += "'"
        shown[told] = _hidden(item) if hides else _walk(item, of_text, depth + 1)
    return shown


def _hidden(value: Any) -> Any:
    """What stands in the place of a secret. That there is none, or only a yes or no, is no secret."""
    return value if value is None or isinstance(value, bool) or value in ("", [], {}) else SECRET


def _number(value: int | float) -> Any:
    whole = isinstance(value, int) or value.is_integer()
    return CARD if whole and 10**12 <= value < 10**19 and is_card(str(int(value))) else value


def _text(text: str) -> str:
    """Text that may be JSON itself, as a tool's result in a prompt is."""
    begins = text[:200].lstrip()[:1]
    if begins in ("{", "[") and len(text) <= JSON_MOST:
        try:
            return json.dumps(_walk(json.loads(text), _text, 1), ensure_ascii=False)
        except (ValueError, RecursionError):
            pass
    return without_addresses(without_cards(without_secrets(text)))
