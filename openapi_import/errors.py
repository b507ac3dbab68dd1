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
