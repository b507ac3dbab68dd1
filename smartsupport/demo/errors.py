"""How the business says no."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """A request that is not carried out. Nothing is changed by it.

    `status` is the HTTP status (4xx or 5xx), `code` a stable word for programs and
    `message` a sentence for people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body of the answer: `{"error": {"code", "message"}}`."""
        return {"error": {"code": self.code, "message": self.message}}


def not_found(what: str, identifier: object) -> Refusal:
    """404. The same sentence whether it does not exist or belongs to somebody else."""
    return Refusal(404, "not_found", f"{what} {identifier} was not found.")


def conflict(message: str) -> Refusal:
    """409: the request is well formed, but the thing is not in a state that allows it."""
    return Refusal(409, "conflict", message)


def invalid(message: str) -> Refusal:
    """422: a value of the request is outside what the document allows."""
    return Refusal(422, "invalid_request", message)


def malformed(message: str) -> Refusal:
    """400: the request cannot be read at all."""
    return Refusal(400, "malformed_request", message)
