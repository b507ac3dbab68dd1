"""Who calls `/mcp`, for which customer, and what of the tools they want to see: read from the request's headers and its
address, before a message is looked at.

The key comes as `X-API-Key` or `Authorization: Bearer`; the customer as `X-Customer-Id`, the company's own id, which
only a key may name: it becomes the verified customer that arguments are bound to. No message can say another one. A key
that is held to a customer acts for that one, named or not.
"""

import io
import re
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from django.conf import settings
from django.core.exceptions import DisallowedHost, SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from agents.models import Access, Agent
from chat import direct_calls
from chat.authentication import HEADER, ApiKeyAuthentication, Integrator
from chat.customers import CustomerNotFound, is_subject
from chat.direct_calls import Caller
from chat.identity import SUBJECT_LIMIT
from chat.mcp import door
from chat.mcp.refusals import Refused
from chat.models import Customer
from smartsupport.lib.audit import Actor, Place
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.text import storable

CALL, POLL = "tools:call", "interrupts:read"
CUSTOMER, LANE, KEY = "X-Customer-Id", "X-Conversation-Id", "Idempotency-Key"
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="Smart Support"'}
_LANE = _AGENT = re.compile(r"[A-Za-z0-9_-]{1,64}")
QUERY_MOST = 200
FILTERS = frozenset({"agent", "access", "q"})


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of the published tools there are for this caller. They choose by the address that they connect to."""

    agent: str = ""
    access: str = ""
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class McpCaller:
    """`subject` is the company's id of the customer; "" acts for nobody, or for one whom the company has no id of.
    `held` is the customer whom the key is held to. `lane` sets calls apart that need not wait for each other, `key` is
    the idempotency key of the request's header. `standing`: headers that tell the key's limit."""

    integrator: Integrator
    place: Place
    subject: str = ""
    held: UUID | None = None
    lane: str = ""
    key: str = ""
    filter: Filter = Filter()
    standing: tuple[tuple[str, str], ...] = ()

    @property
    def asker(self) -> Caller:
        return Caller(self.integrator.decider_id, self.integrator.get_username())

    @property
    def actor(self) -> Actor:
        key = self.integrator.key
        return Actor("key", str(key.pk), key.name)

    @property
    def may_poll(self) -> bool:
        return self.integrator.has_scope(POLL)

    def known_customer(self) -> UUID | None:
        """The row of the customer whom this caller acts for, where there is one. One statement at most."""
        if self.held is not None:
            return self.held
        if not self.subject:
            return self._nobody
        return Customer.objects.filter(subject=self.subject).values_list("pk", flat=True).first()

    def customer(self) -> UUID:
        """The same, made where it is new. Who acts for nobody has a row of its own, which is bound to nothing."""
        if self.held is not None:
            return self.held
        if self.subject:
            return direct_calls.known_customer(self.subject)
        named = {"name": f"{self.integrator.key.name} (MCP)"[:200]}
        return Customer.objects.get_or_create(pk=self._nobody, defaults=named)[0].pk

    @property
    def _nobody(self) -> UUID:
        return uuid5(NAMESPACE_URL, f"smartsupport:mcp:{self.integrator.decider_id}")


def identify(scope: dict[str, Any]) -> McpCaller:
    """The caller of an ASGI request. Synchronous (ORM). Raises Refused; then nothing was written but the key's use, and
    a line of the audit."""
    request = _request(scope)
    try:
        return _identified(request)
    except Refused as refused:
        door.record(request, refused)
        raise


def _identified(request: ASGIRequest) -> McpCaller:
    _check_place(request)
    integrator = _integrator(request)
    if not integrator.has_scope(CALL):
        raise Refused(403, "scope_missing", f"This API key lacks the scope {CALL}.")
    standing = getattr(request, "rate_limit", None)
    return McpCaller(
        integrator,
        door.place_of(request),
        subject=_acts_for(integrator, _subject(request)),
        held=integrator.customer_id,
        lane=_matching(request, LANE, _LANE),
        key=idempotency_key(request.headers.get(KEY, "")),
        filter=_filter(request),
        standing=tuple(standing.headers().items()) if standing is not None else (),
    )


def _request(scope: dict[str, Any]) -> ASGIRequest:
    """Raises Refused for an address or a content type that cannot be read."""
    try:
        request = ASGIRequest(scope, io.BytesIO())
        request.GET  # noqa: B018 - it is read here
    except (SuspiciousOperation, ValueError):
        raise Refused(400, "bad_request", "This request cannot be read.") from None
    return request


def _check_place(request: ASGIRequest) -> None:
    """Against pages that make a browser call us under a name of theirs: the host must be ours, and so must the page, if
    a page it is."""
    try:
        host = request.get_host()
    except DisallowedHost:
        raise Refused(421, "invalid_host", "This host name is not served here.") from None
    if settings.SECURE_SSL_REDIRECT and not request.is_secure():
        raise Refused(
            403, "https_required", "Use https: a key that is sent without it can be read on its way."
        )
    origin = request.headers.get("Origin")
    own = f"{request.scheme}://{host}"
    if origin and origin.lower() != own.lower() and origin not in settings.CSRF_TRUSTED_ORIGINS:
        raise Refused(403, "invalid_origin", "Requests from pages of this origin are not accepted.")


def _integrator(request: ASGIRequest) -> Integrator:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if not request.headers.get(HEADER) and kind.lower() == "bearer":
        request.META["HTTP_X_API_KEY"] = token.strip()
        request.__dict__.pop("headers", None)  # it is worked out once
    request.was_authenticated = True  # type: ignore[attr-defined]  # for the audit
    try:
        known = ApiKeyAuthentication().authenticate(Request(request))
    except ServiceError as fault:
        raise Refused(fault.status, fault.code, fault.message, CHALLENGE) from None
    except APIException as fault:
        wait = getattr(fault, "wait", None)
        code = "rate_limited" if fault.status_code == 429 else str(fault.get_codes())
        headers = {"Retry-After": str(int(wait))} if wait else CHALLENGE
        raise Refused(fault.status_code, code, str(fault.detail), headers) from None
    if known is None:
        missing = f"Missing API key: send it as {HEADER} or as Authorization: Bearer."
        raise Refused(401, "missing_api_key", missing, CHALLENGE)
    return known[0]


def _subject(request: ASGIRequest) -> str:
    given = request.headers.get(CUSTOMER)
    if given is None:
        return ""
    try:
        subject = given.encode("latin-1").decode().strip()
    except UnicodeDecodeError:
        subject = ""
    if not is_subject(subject):
        raise Refused(
            400, "invalid_customer", f"{CUSTOMER} must be a customer id of 1 to {SUBJECT_LIMIT} characters."
        )
    return subject


def _acts_for(integrator: Integrator, named: str) -> str:
    """What tools bind. To a key that is held to a customer nobody else exists. Raises Refused."""
    held = integrator.key.customer
    if held is None:
        return named
    if named and named not in (held.subject, str(held.pk)):
        raise Refused(
            404, CustomerNotFound.code, f"{CustomerNotFound.message}: this key is held to another one."
        )
    return held.business_id


def _matching(request: ASGIRequest, name: str, pattern: re.Pattern[str]) -> str:
    given = request.headers.get(name)
    if given is None:
        return ""
    if not pattern.fullmatch(given):
        raise Refused(400, "invalid_header", f"{name} must be 1 to 64 letters, digits, _ or -.")
    return str(given)


def idempotency_key(given: object) -> str:
    """A key as a header or `_meta` gives it; "" for none. Raises Refused for what is no key."""
    if given in ("", None):
        return ""
    if not isinstance(given, str) or len(given) > 200 or not given.isprintable() or not given.isascii():
        raise Refused(
            400, "invalid_idempotency_key", "An idempotency key is 1 to 200 printable ASCII characters."
        )
    return given


def _filter(request: ASGIRequest) -> Filter:
    """`?agent=` an agent's tools, `?access=read` those that change nothing, `?q=` those with all of these words. Raises
    Refused for anything else: a typing error would offer all tools, or none. One statement where an agent is named."""
    if unknown := sorted(set(request.GET) - FILTERS):
        named = f"{unknown[0][:QUERY_MOST]!r} is not known in this address."
        raise Refused(400, "invalid_filter", f"{named} Known are: {', '.join(sorted(FILTERS))}.")
    agent, access = request.GET.get("agent", ""), request.GET.get("access", "")
    if agent and not _AGENT.fullmatch(agent):
        raise Refused(400, "invalid_filter", "agent must be the name of an agent.")
    # One that is switched off still is one: what became of its calls can be asked meanwhile.
    if agent and not Agent.objects.filter(name=agent).exists():
        raise Refused(
            404, "agent_not_found", f"There is no agent {agent}. Correct the address of this server."
        )
    if access and access not in Access.values:
        raise Refused(400, "invalid_filter", "access must be read or write.")
    return Filter(agent, access, tuple(storable(request.GET.get("q", ""))[:QUERY_MOST].split()))
