"""Who may call the REST API: an integrator with a key, or a member of staff who is signed in to the console.

A customer's cookie or token is not looked at here: the kinds of credential never stand in for each other.
"""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import NotAuthenticated, PermissionDenied, Throttled
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from chat import api_keys, held, key_limits, limits, scopes
from chat.models import ApiKey
from smartsupport.lib.rest import Need, held_to

if TYPE_CHECKING:
    from rest_framework.views import APIView  # at run time it imports this module, through the settings

HEADER = "X-API-Key"


class Integrator:
    """The caller behind an API key. It is not a Django user and has none of a user's permissions."""

    is_authenticated = True
    is_active = True
    is_anonymous = False
    is_staff = False
    is_superuser = False
    pk = None
    id = None

    def __init__(self, key: ApiKey) -> None:
        self.key = key
        self._scopes = scopes.granted(key.scopes)
        self._line = api_keys.line_of(key)

    def get_username(self) -> str:
        """How decisions and logs name it. User names have no spaces, so nobody can be taken for a key."""
        return f"API key {self.key.name}"

    @property
    def decider_id(self) -> str:
        """`key:<id>` of the first key of its line: one that was replaced goes on as the same integrator."""
        return self._line[0]

    @property
    def answers_for(self) -> tuple[str, ...]:
        """The deciders' ids of the people who made the key: what they ask for is not the key's to approve."""
        return tuple(self._line[1:])

    @property
    def customer_id(self) -> UUID | None:
        """The one customer whom the key is held to; None: any."""
        return self.key.customer_id

    def has_scope(self, scope: str) -> bool:
        return scope in self._scopes

    def __str__(self) -> str:
        return self.get_username()


class ApiKeyAuthentication(BaseAuthentication):
    """`X-API-Key`. Absent: the next kind is tried. Wrong, disabled or expired: 403 (429 when it was too often),
    whatever else the caller holds. A good one that was used too often: 429."""

    def authenticate(self, request: Request) -> tuple[Integrator, ApiKey] | None:
        text = request.headers.get(HEADER, "")
        if not text:
            return None
        key = api_keys.find(text)
        if key is None:
            peer, forwarded = (
                request.META.get("REMOTE_ADDR", ""),
                request.META.get("HTTP_X_FORWARDED_FOR", ""),
            )
            if not limits.allows_now(limits.WRONG_KEYS, limits.address(peer, forwarded)):
                raise Throttled(limits.WINDOW_SECONDS, "Too many wrong API keys from this address.")
            if api_keys.is_expired(text):
                raise api_keys.KeyExpired()
            raise PermissionDenied("Invalid API key", code="invalid_api_key")
        request._request.api_key = key  # type: ignore[attr-defined]  # whoever tells of a refusal knows whose it was
        standing = key_limits.take(key)
        request._request.rate_limit = standing  # type: ignore[attr-defined]  # the middleware tells it
        if standing is not None and standing.wait:
            raise Throttled(standing.wait, "Too many requests with this API key.")
        api_keys.record_use(key)
        return Integrator(key), key

    def authenticate_header(self, request: Request) -> str:
        return HEADER


class StaffSessionAuthentication(SessionAuthentication):
    """The console's session, for active members of staff; writes need the CSRF token."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, None] | None:
        user = getattr(request._request, "user", None)
        if user is None or not user.is_active or not user.is_staff:
            return None
        self.enforce_csrf(request)
        return user, None


class MayCall(BasePermission):
    """Checks the view's `needs` for the method: {"GET": Need(scope, permission)}. None declared: nobody. Who is held to
    a customer meets nobody else (`chat.held`)."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        caller: Any = request.user
        if not getattr(caller, "is_authenticated", False) or request.successful_authenticator is None:
            raise NotAuthenticated(f"Missing {HEADER} header", code="missing_api_key")
        needs: dict[str, Need] = getattr(view, "needs", {})
        method = "GET" if request.method == "HEAD" else str(request.method)
        need = needs.get(method)
        if request.method == "OPTIONS":
            return True
        if need is None:
            if request.method in view.allowed_methods:
                raise PermissionDenied()
            return True  # the method does not exist here: 405 says so
        if isinstance(caller, Integrator):
            if not caller.has_scope(need.scope):
                raise PermissionDenied(f"This API key lacks the scope {need.scope}.", code="scope_missing")
            if (customer_id := held_to(caller)) is not None:
                held.admit(customer_id, view, method)
            return True
        for permission in (need.permission, *need.also):
            if not caller.has_perm(permission):
                raise PermissionDenied(f"You lack the permission {permission}.", code="permission_missing")
        return True
