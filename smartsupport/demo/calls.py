"""What an operation is given and what it gives back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple


class Call(NamedTuple):
    """One request whose arguments were checked against the document, defaults filled in."""

    customer_id: str
    arguments: dict[str, Any]
    now: datetime


class Answer(NamedTuple):
    """The HTTP status and the JSON object of a carried-out request."""

    status: int
    body: dict[str, Any]


# Reads and changes the books inside the caller's transaction. Raises Refusal, and has then changed nothing
# that the caller keeps.
Operation = Callable[[sqlite3.Connection, Call], Answer]
