"""Customers who call the REST API with their own token: the few routes that answer them, about themselves alone."""

from typing import Any
from uuid import UUID

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, MethodNotAllowed, PermissionDenied
from rest_framework.request import Request
from rest_framework.views import APIView

from chat import held, identity
from chat.authentication import ApiKeyAuthentication, MayCall, StaffSessionAuthentication
from smartsupport.lib.errors import ServiceError

LOOKS = frozenset({"GET", "HEAD"})


class TokenHolder:
    """A customer with their own token. It is no user, and good for nothing but what is theirs."""

    is_authenticated = is_active = True
    is_anonymous = is_staff = is_superuser = False
    pk = id = None

    def __init__(self, customer_id: UUID) -> None:
        self.customer_id = customer_id
        self.decider_id = f"customer:{customer_id}"


class CustomerTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer` with the token of the chat socket. A bad one: 401, whatever else the caller holds."""

    def authenticate(self, request: Request) -> tuple[TokenHolder, None] | None:
        kind, _, token = get_authorization_header(request).decode("latin-1").partition(" ")
        if kind.lower() != "bearer":
            return None
        try:
            visitor = identity.identify(token=token.strip(), cookie=None)
        except ServiceError:
            raise AuthenticationFailed("Unauthorized") from None
        return TokenHolder(visitor.customer_id), None


class MayCallOrOwn(MayCall):
    """As everywhere, and a customer may look at what is theirs. The methods that a view names in `own` are for the
    customer alone, whatever a key or a member of staff may do."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        caller: Any = request.user
        if isinstance(caller, TokenHolder):
            method = str(request.method)
            if method not in getattr(view, "own", LOOKS):
                raise MethodNotAllowed(method)
            held.admit(caller.customer_id, view, "GET" if method == "HEAD" else method)
            return True
        if request.method in getattr(view, "own", ()) and request.successful_authenticator is not None:
            raise PermissionDenied("The customer alone may do this, with their own token.")
        return super().has_permission(request, view)


AUTHENTICATION = [ApiKeyAuthentication, CustomerTokenAuthentication, StaffSessionAuthentication]
"""Of such a route."""
