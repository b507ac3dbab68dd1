"""What the published document says of the REST routes beside their shapes: who may refuse why, and examples."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from smartsupport.lib.envelope import CODES, MESSAGES, MISSING_KEY, NO_FORM, NOT_JSON
from smartsupport.lib.errors import ServiceError


class Problem(NamedTuple):
    """A refusal that is no ServiceError of its own: its code, HTTP status, and what such a message looks like."""

    code: str
    status: int
    message: str


Refusal = Problem | type[ServiceError]

INVALID = Problem("invalid", 400, "Some fields are not valid.")
INVALID_DOCUMENT = Problem("invalid", 422, "Some fields are not valid.")
INVALID_JSON = Problem("invalid_json", 400, NOT_JSON)
INVALID_FORM = Problem("invalid_form", 400, NO_FORM)
NO_CREDENTIAL = Problem(CODES[401], 401, MISSING_KEY)
FORBIDDEN = Problem(CODES[403], 403, "Invalid API key")
NOT_ACCEPTABLE = Problem(CODES[406], 406, "Could not satisfy the request Accept header.")
UNSUPPORTED = Problem(CODES[415], 415, 'Unsupported media type "text/plain" in request.')
TOO_MANY = Problem(CODES[429], 429, "This API key has used up its requests of this minute.")
BROKEN = Problem("server_error", 500, MESSAGES[500])


def problem_of(refusal: Refusal) -> Problem:
    """The same for both kinds."""
    if isinstance(refusal, Problem):
        return refusal
    return Problem(refusal.code, refusal.status, refusal.message)


def page_of(name: str, *rows: Any) -> dict[str, Any]:
    """An example of a page of a list, with these rows under `name`."""
    return {
        name: list(rows),
        "total": len(rows),
        "page": 1,
        "per_page": 20,
        "next": None,
        "previous": None,
    }


def by_status(refusals: Sequence[Refusal]) -> dict[int, dict[str, str]]:
    """{status: {code: message}}, in order; the first message of a code is its example."""
    found: dict[int, dict[str, str]] = {}
    for problem in map(problem_of, refusals):
        found.setdefault(problem.status, {}).setdefault(problem.code, problem.message)
    return {status: dict(sorted(codes.items())) for status, codes in sorted(found.items())}
