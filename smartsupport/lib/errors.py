"""Errors with a stable code: one tree, translated once per edge (API envelope, socket frame, admin message)."""

from typing import Any


class ServiceError(Exception):
    """A refusal that may be shown to whoever asked. `code` is stable, `message` a sentence, `extra` more fields,
    `retry_after` the seconds after which asking again makes sense (0: nobody knows)."""

    code = "error"
    message = "The request could not be carried out."
    status = 400
    retry_after = 0

    def __init__(self, message: str = "", *, code: str = "", **extra: Any) -> None:
        self.message = message or self.message
        self.code = code or self.code
        self.extra = extra
        super().__init__(self.message)


class ThreadNotFound(ServiceError):
    """No such conversation, or somebody else's: to whoever asks, these are the same."""

    code, status, message = "thread_not_found", 404, "Thread not found"
