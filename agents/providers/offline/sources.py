"""Where the value of an argument may come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from agents.lexical import Clause


@dataclass(frozen=True)
class Sources:
    """Where values may come from, the nearest first: the clause, the rest of the message, the conversation.

    `remembered` holds (role, text), newest first. `answering` is set when the message answers a question for a
    value: then a bare value counts although nothing names it.

    The rest of the message is `earlier` (the parts before the clause, in order) and what follows it: `added`, the
    parts that ask for nothing ("Cancel my order. The number is 1042."), and `later`, those of other requests.
    """

    clause: Clause
    message: str
    remembered: Sequence[tuple[str, str]]
    today: date
    answering: bool = False
    several_missing: bool = False
    leftovers: Sequence[str] = ()
    earlier: Sequence[str] = ()
    added: Sequence[str] = ()
    later: Sequence[str] = ()
