"""Making and withdrawing links that ask one person to decide on one action."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from agents import approvals
from agents.links import tokens
from agents.models import Action, ActionStatus, ApprovalLink, Approver
from smartsupport.lib import audit
from smartsupport.lib.errors import ServiceError

log = structlog.get_logger(__name__)

MOST_OPEN = 20
"""Links of one action that can still be used."""
PERMISSION, SCOPE = "agents.decide_action", "interrupts:decide"


class LinkNotFound(ServiceError):
    code, status, message = "not_found", 404, "This link does not exist."


class NoSuchDecider(ServiceError):
    code, status = "no_such_decider", 422
    message = "Nobody of this name may decide on approvals here."


class AccountNeeded(ServiceError):
    code, status = "account_needed", 403
    message = "Here only people with an account may decide. Name one of them."


class TooManyLinks(ServiceError):
    code, status = "too_many_links", 409
    message = f"{MOST_OPEN} links for this approval can still be used. Withdraw one first."


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a link asks: a member of staff (`username`), or somebody without an account (`name`, perhaps `email`)."""

    username: str = ""
    name: str = ""
    email: str = ""


def make(
    *, action_id: UUID, person: Person, by: approvals.Decider, lives: timedelta | None = None
) -> tuple[ApprovalLink, str]:
    """A link for the call as it is now, and its token, which nobody can read again. It ends with the approval, or
    earlier: after `lives`.

    Raises ActionNotFound, AlreadyDecided, ApprovalExpired, NotAllowed (the customer decides; or `by` asked for it, and
    the link would let somebody decide of whom nobody knows that they are another person), NoSuchDecider,
    AccountNeeded, TooManyLinks.
    """
    user = _user(person)
    with transaction.atomic():
        action = approvals.locked(action_id)
        _check(action, by, without_account=user is None)
        now = timezone.now()
        if action.links.filter(used_at=None, revoked_at=None, expires_at__gt=now).count() >= MOST_OPEN:
            raise TooManyLinks()
        token = tokens.new()
        link = ApprovalLink.objects.create(
            token_hash=tokens.hash_of(token),
            action=action,
            user=user,
            decider_name=(user.get_username() if user else person.name)[:120],
            decider_email=person.email,
            may_decide_without_account=user is None,
            arguments_hash=action.arguments_hash,
            made_by=by.name[:150],
            made_by_id=by.id,
            expires_at=min(action.expires_at, now + lives) if lives else action.expires_at,
        )
        audit.changed("agents.approvallink", link.pk, after=told(link))
    log.info("approval_link_made", action_id=str(action_id), link_id=str(link.pk), by_name=by.name)
    return link, token


def revoke(*, action_id: UUID, link_id: UUID | None = None, by: approvals.Decider) -> int:
    """Withdraw a link, or all of an action's that were not used; how many. Raises LinkNotFound where there is none."""
    links = ApprovalLink.objects.filter(action_id=action_id, **({"pk": link_id} if link_id else {}))
    if link_id and not links.exists():
        raise LinkNotFound()
    open_ones = list(links.filter(used_at=None, revoked_at=None).values_list("pk", flat=True))
    now = timezone.now()
    withdrawn = links.filter(pk__in=open_ones, used_at=None, revoked_at=None).update(revoked_at=now)
    for known in open_ones:
        audit.changed("agents.approvallink", known, before={"revoked_at": None}, after={"revoked_at": now})
    log.info("approval_links_withdrawn", action_id=str(action_id), links=withdrawn, by_name=by.name)
    return withdrawn


def state_of(link: ApprovalLink) -> str:
    """`open`, `used`, `withdrawn` or `over`: of the link alone, whatever became of its approval."""
    if link.used_at is not None:
        return "used"
    if link.revoked_at is not None:
        return "withdrawn"
    return "open" if link.expires_at > timezone.now() else "over"


def deciders() -> Any:
    """The members of staff whom a link may ask."""
    return (
        get_user_model()
        .objects.with_perm(
            PERMISSION,
            is_active=True,
            include_superusers=True,
            backend="django.contrib.auth.backends.ModelBackend",
        )
        .filter(is_staff=True)
    )


def told(link: ApprovalLink) -> dict[str, Any]:
    return {
        "action": str(link.action_id),
        "decider": link.decider_name,
        "email": link.decider_email,
        "without_account": link.may_decide_without_account,
        "expires_at": link.expires_at,
    }


def _user(person: Person) -> Any:
    if not person.username:
        if not settings.APPROVAL_LINKS_WITHOUT_ACCOUNT:
            raise AccountNeeded()
        return None
    user = deciders().filter(username=person.username).first()
    if user is None:
        raise NoSuchDecider()
    return user


def _check(action: Action, by: approvals.Decider, *, without_account: bool) -> None:
    if action.status == ActionStatus.EXPIRED or (
        action.status == ActionStatus.AWAITING and action.expires_at <= timezone.now()
    ):
        raise approvals.ApprovalExpired.of(action)
    if action.status != ActionStatus.AWAITING:
        raise approvals.AlreadyDecided.of(action)
    if action.approver != Approver.STAFF:
        raise approvals.NotAllowed("The customer decides on this. No link can do it for them.")
    if without_account and approvals.has_asked(action, by.id, *by.answers_for):
        raise approvals.NotAllowed("You asked for this yourself. Name a member of staff to decide on it.")
