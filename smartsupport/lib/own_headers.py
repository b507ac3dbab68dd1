"""Headers that are never a model's or a document's to set: connection, framing, identity, routing, and what is ours."""

_NAMES = frozenset(
    """
    accept accept-charset accept-encoding authorization connection content-encoding content-length
    content-type cookie cookie2 date dnt expect forwarded host idempotency-key keep-alive origin referer
    set-cookie te trailer transfer-encoding upgrade user-agent via x-api-key api-key apikey
    x-auth-token x-access-token x-csrf-token x-xsrf-token x-http-method x-http-method-override
    x-method-override x-original-url x-rewrite-url x-real-ip x-client-ip true-client-ip cf-connecting-ip
    """.split()
)
_KEYS = frozenset("authorization x-api-key api-key apikey x-auth-token x-access-token".split())
_PREFIXES = ("proxy-", "sec-", "x-forwarded-", "access-control-")


def is_own(name: str) -> bool:
    """Whether a request header of that name is left to the code that sends the request."""
    lower = name.strip().lower()
    return lower in _NAMES or lower.startswith(_PREFIXES)


def is_key(name: str) -> bool:
    """Whether a header of that name proves who sends a request."""
    return name.strip().lower() in _KEYS
