"""How many tokens a text is, about: enough to keep a prompt within its budget, for every provider and offline.

No tokenizer is asked: each provider has another one, and the public ones are fetched from the network. The estimate
counts what they all have in common and errs upward. Ordinary English comes out about a fifth too high.
"""

import re

PER_MESSAGE = 4
"""What a message costs beside its text: role, separators."""
LONG_WORD = 12

_PIECES = re.compile(
    r"(?P<word>[A-Za-z]+)|(?P<digits>[0-9]+)|(?P<space>[ \t]+)|(?P<break>\s+)|(?P<sign>[\x21-\x7e])"
    r"|(?P<other>[\u0080-\uffff])|(?P<astral>[\U00010000-\U0010ffff])|(?P<control>.)",
    re.DOTALL,
)
_RUN_OF_BLANKS = 8


def estimated(text: str) -> int:
    """Tokens of `text`: one for four letters of a word (two letters of a long one: a hash, a compound), three digits,
    a sign, or a character that is not ASCII (Chinese, accents); three for an emoji. A blank before a word is free."""
    return sum(_cost(piece.lastgroup or "", len(piece.group())) for piece in _PIECES.finditer(text))


def _cost(kind: str, length: int) -> int:
    if kind == "word":
        return -(-length // (4 if length <= LONG_WORD else 2))
    if kind == "digits":
        return -(-length // 3)
    if kind == "space":
        return length // _RUN_OF_BLANKS
    if kind == "break":
        return 1 + length // _RUN_OF_BLANKS
    return 3 * length if kind == "astral" else length


def of_message(text: str) -> int:
    return PER_MESSAGE + estimated(text)


def cut_to(text: str, limit: int) -> str:
    """`text` if it has at most `limit` tokens; else its beginning and its end, and a mark where something is left out.
    The same text and limit give the same result, so a prompt that has it can be cached."""
    spent = estimated(text)
    if spent <= limit:
        return text
    kept = len(text)
    while spent > limit and kept > 3:
        kept = max(3, min(kept - 1, int(kept * limit / spent * 0.97)))
        short = f"{text[: kept - kept // 3].rstrip()} [… left out …] {text[-(kept // 3) :].lstrip()}"
        spent = estimated(short)
    return short
