"""How reading a specification fails."""

from smartsupport.lib.errors import ServiceError


class SpecInvalid(ServiceError):
    """The document, or one operation in it, cannot be used. The message says what is wrong with it."""

    code = "spec_invalid"
    status = 422


class SpecUnavailable(ServiceError):
    """The document could not be fetched; trying again later may help."""

    code = "spec_unavailable"
    status = 502


class ImportRefused(ServiceError):
    """What was asked for cannot be done with what was given; `fields` names the faults where fields are at fault."""

    code = "invalid"
    status = 422


class JobNotFound(ServiceError):
    """No such import."""

    code = "not_found"
    status = 404

    @classmethod
    def of(cls, job_id: object) -> "JobNotFound":
        return cls(f"Job '{job_id}' not found")


class WrongStage(ServiceError):
    """The import is not in a state that allows this; the message says which it is in."""

    code = "wrong_stage"
    status = 409


class TooManyImports(ServiceError):
    """Too many imports are not finished yet."""

    code = "too_many_imports"
    status = 429
