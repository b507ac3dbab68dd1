"""What the name and the path of an operation say: their words, and the verb that leads them."""

from dataclasses import dataclass

from openapi_import.judging.endpoint import Endpoint
from openapi_import.judging.vocabulary import (
    AMBIGUOUS_WRITING,
    CLEAR_WRITING,
    MODIFIERS,
    READING,
    THINGS,
    VERBS,
    WRITING,
)
from openapi_import.judging.words import levels, segments

FUSED = tuple(
    "create delete remove update insert cancel upload revoke disable approve activate reset send".split()
)
"""Verbs that are found at the beginning of a word written without any capital: `/deletegroup`."""
INFLECTED = frozenset("d r s ing ion al or ers rs ds ions able d_by".split())
READING_LAST = frozenset("get read retrieve describe fetch find list search exists".split())


@dataclass(frozen=True, slots=True)
class Name:
    """`words` are those of the innermost level of the id, `outer` of the others, `path` of each literal segment.

    `verb` leads the words; "" where no known one does. `plain`: it stands at their beginning.
    """

    method: str
    words: tuple[str, ...]
    outer: tuple[str, ...]
    path: tuple[tuple[str, ...], ...]
    verb: str
    plain: bool

    @property
    def in_doubt(self) -> bool:
        """A reading verb ends what an ambiguous one begins: `issue_read` reads, `mark_read` does not."""
        return len(self.words) > 1 and self.verb in AMBIGUOUS_WRITING and self.words[-1] in READING_LAST


def name_of(endpoint: Endpoint) -> Name:
    """The name of an operation, taken apart once for all rules."""
    method = endpoint.method.upper()
    found = levels(endpoint.operation_id)
    words = _core(found[-1], method) if found else ()
    verb = _lead(words)
    return Name(
        method=method,
        words=words,
        outer=tuple(word for level in found[:-1] for word in level),
        path=tuple(segments(endpoint.path)),
        verb=verb,
        plain=bool(words) and words[0] == verb,
    )


def _core(words: tuple[str, ...], method: str) -> tuple[str, ...]:
    """Without the method that generators put before or behind (`post_users_search`), and without modifiers."""
    if len(words) > 1 and method not in ("", "GET"):
        if words[0] == method.lower():
            words = words[1:]
        elif words[-1] == method.lower():
            words = words[:-1]
    while len(words) > 1 and words[0] in MODIFIERS:
        words = words[1:]
    return words


def _lead(words: tuple[str, ...]) -> str:
    """The verb of a name: at its beginning, at its end (`productCreate`), or the first clear one in between."""
    if not words:
        return ""
    if words[0] in VERBS:
        return words[0]
    if fused := _fused(words[0]):
        return fused
    if words[-1] in READING or words[-1] in CLEAR_WRITING:
        return words[-1]
    inside = next((word for word in words if word in READING or word in CLEAR_WRITING), "")
    return inside or (words[-1] if words[-1] in VERBS else "")


def _fused(word: str) -> str:
    for verb in FUSED:
        if word.startswith(verb) and len(word) - len(verb) > 2 and word[len(verb) :] not in INFLECTED:
            return verb
    return ""


def writing_beside(name: Name) -> str:
    """A clear writing verb in the id that is not its leading one; "" where it only names a thing (`getImportJob`)."""
    for word in name.outer:
        if word in CLEAR_WRITING and word != name.verb:
            return word
    if len(name.words) > 2 and name.words[-1] in THINGS and name.verb == name.words[0]:
        return ""
    for word in name.words:
        if word in CLEAR_WRITING and word != name.verb:
            return word
    return ""


def writing_in_path(name: Name) -> str:
    """The verb of a path segment that is an action: `/deleteGroup`, `/sms/send-bulk`, `/orders/{id}/cancel`."""
    last = len(name.path) - 1
    for at, segment in enumerate(name.path):
        verb = segment[0] if segment[0] in CLEAR_WRITING else _fused(segment[0])
        if (
            verb
            and segment[1:2] not in (("on",), ("ons",), ("in",), ("ins",))
            and (at == last or len(segment) > 1)
        ):
            if not (len(segment) > 1 and segment[-1] in THINGS):
                return verb
    return ""


def action_in_path(name: Name) -> str:
    """The writing verb, clear or not, that a path ends with, alone in its segment: `/payments/{id}/refund`. The plural
    counts, too: a POST to `/refunds` makes one."""
    last = name.path[-1] if name.path else ()
    return last[0] if len(last) == 1 and (last[0] in WRITING or last[0].removesuffix("s") in WRITING) else ""


def reading_in_path(name: Name) -> str:
    """The reading verb that a path ends with: `/orders/search`, `/documents:batchGet`."""
    words = _core(name.path[-1], "") if name.path else ()
    return words[0] if words and words[0] in READING else ""
