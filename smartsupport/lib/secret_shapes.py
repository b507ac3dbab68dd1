"""Secrets, card numbers and e-mail addresses in any text, found by their shape. What logs and replays hide is the same.
No models, no Django."""

import re
import unicodedata
from collections.abc import Iterator

CARD, SECRET = "[card number hidden]", "[hidden]"
_NAMES = (
    r"(?:[\w-]*(?:password|passwd|passphrase|pwd|secret|credential|authorization|api[_-]?key|access[_-]?key|"
    r"private[_-]?key|access[_-]?token|refresh[_-]?token|auth[_-]?token|session[_-]?id)s?|[\w-]*(?:token|cookie)|cvv2?|cvc)"
)
_NAMED = re.compile(
    rf"""(?ix)(?<![\w-])(?P<name>{_NAMES})(?P<between>\\{{0,4}}["']?\s{{0,20}}(?:[:=]|\bis\b)\s{{0,20}})"""
    r"""(?P<value> \\{0,4}"(?:[^"\\]|\\[^"]){0,500}\\{0,4}" | '[^']{0,500}'"""
    r"""| (?! (?:(?:bearer|basic|token)\s{1,3})? \[hidden ) (?:(?:bearer|basic|token)\s{1,3})? [^\s"'&;,}\]]{3,})"""
)
_HINTS = re.compile(r"pass|pwd|secret|credential|auth|key|token|session|cookie|cvv|cvc", re.I)
"""Each name of _NAMES has one of these in it: a text without them is not searched for names."""
_SHAPES = tuple(
    (hints, re.compile(shape))
    for hints, shape in (
        (
            ("-----BEGIN",),
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        ),
        (("eyJ",), r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)*"),
        (("k-", "k_"), r"\b[srp]k[-_](?:live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{16,}"),
        (("ss_", "apl_"), r"\b(?:ss|apl)_[A-Za-z0-9_-]{32,}"),  # our own first key, and an approval's link
        (("gh", "glpat-", "github_"), r"\b(?:gh[pousr]_|github_pat_|glpat-)[A-Za-z0-9_.+/=-]{10,}"),
        (
            ("xox", "whsec_", "ya29.", "npm_", "hf_"),
            r"\b(?:xox[abeoprs]-|whsec_|ya29\.|npm_|hf_)[A-Za-z0-9_.+/=-]{10,}",
        ),
        (("shpat_", "dop_v1_", "SG."), r"\b(?:shpat_|dop_v1_|SG\.)[A-Za-z0-9_.+/=-]{10,}"),
        (("AKIA", "ASIA"), r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
        (("AIza",), r"\bAIza[0-9A-Za-z_-]{30,}"),
    )
)
"""(one of these is in the text, the shape)"""
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+(?=[^\s\"',]*[\d._~+/=-])[A-Za-z0-9._~+/=-]{8,}")
_USERINFO = re.compile(r"(?<=://)[^\s/@:\"']{1,200}:(?!\[hidden\]@)[^\s/@\"']{1,200}(?=@)")
_CODE = re.compile(
    r"(?i)\b((?:otp|totp|passcode|"
    r"(?:one[-_ ]?time|verification|security|login|sms|2fa|mfa)[-_ ](?:pass)?(?:code|pin))\b"
    r"[\s\"':=]{0,6}(?:code\b|is\b|was\b)?[\s\"':=]{1,6})\d(?:[ -]?\d){3,7}(?!\d)"
)
"""A code that is good once: its digits behind what it is called. Not `PIN code`, which is an address in India."""
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
ACCOUNT = "[account number hidden]"
_EMAIL = re.compile(
    r"(?<![\w.+-])([\w.+-])(?:[\w.+-]|%2[Bb]){0,63}((?:@|%(?:25)?40)[^\W_][\w-]{0,62}(?:\.[\w-]{1,63}){1,6})"
)
_KEPT_APART = re.compile(
    r"(?<![\w-])[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![\w-])"
    r"|(?<!\d)(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d)"
)
_FORMATS = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_BETWEEN = rf"[\s.\u00b7_/{_FORMATS}\u2010-\u2015\u2212-]"
_RUN = re.compile(rf"\d(?:{_BETWEEN}{{0,3}}\d){{12,}}")
_DIGITS = re.compile(r"\d+")
_ESCAPED = re.compile(r"%(?:20|2[Dd])|(?<=\d)\+(?=\d)")
"""A space or a dash as it stands in the query of an address."""


def without_secrets(text: str) -> str:
    """Without tokens, keys and passwords: by the name before them, and by their shape."""
    if _HINTS.search(text):
        text = _NAMED.sub(_named, text)
    for hints, shape in _SHAPES:
        if any(hint in text for hint in hints):
            text = shape.sub(SECRET, text)
    if "://" in text:
        text = _USERINFO.sub(SECRET, text)
    text = _CODE.sub(rf"\g<1>{SECRET}", text)
    return _BEARER.sub(lambda match: f"{match[1]} {SECRET}", text)


def _named(match: re.Match[str]) -> str:
    value = match["value"]
    if value.strip("\\\"'") in ("", "true", "false", "null", "None"):
        return match[0]
    bare = value.lstrip("\\")
    quote = value[: len(value) - len(bare) + 1] if bare[:1] in ('"', "'") else ""
    return f"{match['name']}{match['between']}{quote}{SECRET}{quote}"


def without_addresses(text: str) -> str:
    """E-mail addresses keep their first letter and their host."""
    return _EMAIL.sub(r"\1***\2", text) if "@" in text or "40" in text else text


def without_accounts(text: str) -> str:
    """Bank accounts (IBAN, ISO 13616, with the right check digits) hidden: for logs. Staff may need to read them."""
    return _IBAN.sub(lambda match: ACCOUNT if _is_account(match[0]) else match[0], text)


def _is_account(text: str) -> bool:
    plain = text.replace(" ", "")
    moved = plain[4:] + plain[:4]
    return int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1


def without_cards(text: str) -> str:
    """Card numbers hidden, also those with spaces, dashes or marks that nobody sees between their digits, and in digits
    of other scripts. Dates and UUIDs are none, and neither are the decimals of a number."""
    if len(text) < 13:
        return text
    pieces, last = [], 0
    for apart in _KEPT_APART.finditer(text):
        pieces += [_cards_in(text[last : apart.start()]), apart[0]]
        last = apart.end()
    return "".join([*pieces, _cards_in(text[last:])])


def _cards_in(text: str) -> str:
    plain = _ESCAPED.sub(lambda match: " " * len(match[0]), text)
    found = [
        (run.start() + start, run.start() + end)
        for run in _RUN.finditer(plain)
        for start, end in _within(run[0])
    ]
    for start, end in reversed(found):
        if not _is_decimals(text, start):
            text = text[:start] + CARD + text[end:]
    return text


def _is_decimals(text: str, start: int) -> bool:
    return start > 1 and text[start - 1] == "." and text[start - 2].isdecimal()


def _within(run: str) -> Iterator[tuple[int, int]]:
    """Where the card numbers are in a run of digits: each begins and ends where a group of digits does."""
    groups = list(_DIGITS.finditer(run))
    place = 0
    while place < len(groups):
        if not 2 <= unicodedata.decimal(groups[place][0][0]) <= 6:
            place += 1
            continue
        digits, ends = "", -1
        for other in range(place, len(groups)):
            digits += groups[other][0]
            if len(digits) > 19:
                break
            if len(digits) >= 13 and is_card(digits):
                ends = other
        if ends < 0:
            place += 1
            continue
        yield groups[place].start(), groups[ends].end()
        place = ends + 1


def is_card(digits: str) -> bool:
    """13 to 19 digits as issuers number cards (they begin with 2 to 6), with the right last digit (Luhn)."""
    numbers = [unicodedata.decimal(digit) for digit in digits]
    if not 13 <= len(numbers) <= 19 or not 2 <= numbers[0] <= 6:
        return False
    doubled = (number * 2 for number in numbers[-2::-2])
    return (sum(numbers[-1::-2]) + sum(number - 9 if number > 9 else number for number in doubled)) % 10 == 0
