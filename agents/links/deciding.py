"""What a link is good for at this moment, and deciding with it. What is decided, and who may not, is
`agents.approvals.decide`'s, as everywhere."""

from typing import Any

import structlog
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from agents import approvals
from agents.links import tokens
from agents.links.making import PERMISSION, SCOPE, LinkNotFound
from agents.models import Action, ActionStatus, ApprovalLink
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.text import readable, shorten

log = structlog.get_logger(__name__)

NO_ACCOUNT = ", by link without an account"
LONGEST_NAME = 150 - len(NO_ACCOUNT)
"""So that it is not what is cut off."""


class LinkSpent(ServiceError):
    code, status = "link_spent", 409
    message = "This link was used, withdrawn, or has come to its end."


class NotTheirs(ServiceError):
    code, status = "not_theirs", 403
    message = "This link is for somebody else, or asks for an account."


def found(token: str) -> ApprovalLink:
    """The link of this token. Raises LinkNotFound, whatever is wrong with it."""
    known = tokens.hash_of(token)
    rows = ApprovalLink.objects.select_related("action__tool", "action__customer", "action__turn", "user")
    link = rows.filter(token_hash=known).first() if known else None
    if link is None:
        raise LinkNotFound()
    return link


def stands(link: ApprovalLink, user: Any) -> str:
    """How the link stands for whoever holds it, signed in as `user` or not: `open`, or why it cannot be used.

    First who they are (`sign_in`, `somebody_else`, `no_permission`, `account_needed`, `maker_may_not`), then what
    became of the link (`used`, `withdrawn`), of the action (`decided`, `expired`, `changed`), and of the link's time
    (`over`).
    """
    if who := _who(link, user):
        return who
    action = link.action
    if link.used_at is not None:
        return "used"
    if action.status == ActionStatus.EXPIRED:
        return "expired"
    if action.status != ActionStatus.AWAITING:
        return "decided"
    if link.revoked_at is not None:
        return "withdrawn"
    now = timezone.now()
    if action.expires_at <= now:
        return "expired"
    if link.expires_at <= now:
        return "over"
    return "open" if link.arguments_hash == action.arguments_hash else "changed"


def _who(link: ApprovalLink, user: Any) -> str:
    if link.may_decide_without_account:
        if not settings.APPROVAL_LINKS_WITHOUT_ACCOUNT:
            return "account_needed"
        return "" if _maker_may(link) else "maker_may_not"
    if link.user is None:
        return "account_needed"
    if not user.is_authenticated:
        return "sign_in"
    if user.pk != link.user.pk:
        return "somebody_else"
    return "" if _may_decide(user) else "no_permission"


def _may_decide(user: Any) -> bool:
    return bool(user.is_active and user.is_staff and user.has_perm(PERMISSION))


def _maker_may(link: ApprovalLink) -> bool:
    """Whether whoever made the link may still decide. Of a link that is nobody's own this is all there is to take away
    when a key got out, or somebody has left."""
    kind, _, own = link.made_by_id.partition(":")
    if kind == "key":
        return bool(apps.get_model("chat.ApiKey").objects.may(link.made_by_id, SCOPE))
    maker = get_user_model().objects.filter(pk=own).first() if own.isdecimal() else None
    return maker is not None and _may_decide(maker)


def decider(link: ApprovalLink) -> approvals.Decider:
    """Who decides with it. Somebody without an account is nobody's second person, and approves nothing that the link's
    maker asked for: nobody can tell whether they are two. Their name is whatever the maker wrote, so it says so: it is
    never that of a member of staff."""
    if link.user is not None:
        return approvals.Decider(
            kind="staff", name=f"{link.user.get_username()}, by link", id=f"user:{link.user.pk}"
        )
    known = f"{link.decider_name} <{link.decider_email}>" if link.decider_email else link.decider_name
    return approvals.Decider(
        kind="staff",
        name=f"{shorten(readable(known), LONGEST_NAME)}{NO_ACCOUNT}",
        id=f"link:{link.pk}",
        answers_for=(link.made_by_id,),
    )


def decide(link: ApprovalLink, user: Any, *, approved: bool, reason: str = "") -> Action:
    """Decide with the link, which is used up by it; the action as it is then. A refusal leaves the link as it was.

    Raises NotTheirs, LinkSpent, and what `agents.approvals.decide` raises.
    """
    if _who(link, user):
        raise NotTheirs()
    late: ServiceError | None = None
    decided = link.action
    with transaction.atomic():
        now = timezone.now()
        usable = ApprovalLink.objects.filter(pk=link.pk, used_at=None, revoked_at=None, expires_at__gt=now)
        if not usable.update(used_at=now, decision="approved" if approved else "rejected"):
            raise LinkSpent()
        try:
            decided = approvals.decide(
                action_id=link.action_id,
                approved=approved,
                by=decider(link),
                reason=reason,
                seen=link.arguments_hash,
            )
        except (approvals.ApprovalExpired, approvals.ToolChanged) as refusal:
            # Both have written what they found, which stays.
            ApprovalLink.objects.filter(pk=link.pk).update(used_at=None, decision="")
            late = refusal
    if late is not None:
        raise late
    log.info("approval_link_used", action_id=str(link.action_id), link_id=str(link.pk), approved=approved)
    return decided
