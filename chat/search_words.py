"""What a search looks for, and the expressions by which it is found; the console's and the API's.

Words are compared as they stand, without their endings, in every language (Postgres' `simple`); the last one may be
unfinished. What was said is found by the index `event_words`, customers by `customer_words`, threads and references by
their own keys.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Q

from chat import handoff
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.ids import is_thread_id
from smartsupport.lib.text import storable

LONGEST = 200
SECONDS = 1.5
"""How long one statement of a search may take."""
# As in the migrations that made the indexes: Postgres uses one only for the very same expression.
SAID = "left(coalesce(payload ->> 'content', payload ->> 'message', ''), 20000)"
CUSTOMER = (
    "to_tsvector('simple', name || ' ' || replace(email, '@', ' ') || ' ' || email || ' ' || "
    "coalesce(subject, ''))"
)
# What was typed, as people write in a search box ("a phrase", or, -without), the last word as a beginning.
QUERY = """(
    SELECT CASE WHEN %(open)s AND written::text LIKE '%%''' THEN (written::text || ':*')::tsquery ELSE written END
    FROM websearch_to_tsquery('simple', %(text)s) AS written)"""
LINES = f"""
    SELECT id, conversation_id, seq, kind, agent, created_at, {SAID} AS said FROM chat_event
    WHERE kind IN ('message_received', 'replied', 'question_asked', 'staff_wrote', 'note_written')"""  # noqa: S608


# What of it an index can look for: nothing, or T, where every word is only left out, or one side of an "or" is that.
_LEAVES_OUT = f"SELECT querytree({QUERY}) IN ('', 'T')"


class OnlyLeftOut(ServiceError):
    """Nearly every line lacks a word: finding them all takes as long as there are lines, and tells nothing."""

    code, status = "only_left_out", 400
    message = "Say also what to look for: a word that is only left out (-refund) fits nearly everything."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed, cleaned. `open`: its last word may be unfinished. `thread`: the pattern of the thread ids that it
    may be the beginning of, "" for none. `reference`: the condition on the conversation that it names, if it is one."""

    text: str
    open: bool
    thread: str
    reference: Q | None

    @classmethod
    def of(cls, typed: str) -> "Wanted | None":
        """None: there is nothing in it to look for."""
        text = storable(typed).strip()[:LONGEST]
        if not any(letter.isalnum() for letter in text):
            return None
        ends_open = len(text) > 1 and text[-2:].isalnum()
        thread = text.replace("_", r"\_") + "%" if is_thread_id(text) else ""
        return cls(text, ends_open, thread, handoff.with_ticket(text))

    def only_a_thread(self) -> bool:
        """Whether it would only leave words out, but is the beginning of a thread id: some begin with a hyphen. Raises
        OnlyLeftOut where it is not that either. Two statements at the most, none where there is no hyphen."""
        if "-" not in self.text:
            return False
        with connection.cursor() as cursor:
            cursor.execute(_LEAVES_OUT, self.asked)
            [leaves_out] = cursor.fetchone()
            if not leaves_out:
                return False
            cursor.execute(
                "SELECT EXISTS (SELECT FROM chat_conversation WHERE thread_id LIKE %s)", [self.thread]
            )
            [known] = cursor.fetchone()
        if not known:
            raise OnlyLeftOut()
        return True

    @property
    def asked(self) -> dict[str, Any]:
        """The parameters of QUERY, and of what looks for threads."""
        return {"text": self.text, "open": self.open, "thread": self.thread}
