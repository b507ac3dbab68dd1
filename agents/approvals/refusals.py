"""Why a decision, or the opening of one, is refused."""

from django.conf import settings

from agents.models import Action
from smartsupport.lib.errors import ServiceError


class ActionNotFound(ServiceError):
    code, status, message = "not_found", 404, "This approval does not exist."


class NotAllowed(ServiceError):
    code, status, message = "not_allowed", 403, "Not allowed to decide"


class AlreadyDecided(ServiceError):
    code, status, message = "already_decided", 409, "Already decided"

    @classmethod
    def of(cls, action: Action) -> "AlreadyDecided":
        """Tells what was decided and by whom. An approved action stays `approved` whatever became of it later."""
        resolution = action.status if action.status in ("rejected", "cancelled") else "approved"
        return cls(resolution=resolution, by=action.decided_by, by_name=action.decided_by_name)


class ApprovalExpired(ServiceError):
    code, status = "approval_expired", 410

    @classmethod
    def of(cls, action: Action) -> "ApprovalExpired":
        return cls(expiry_message(action), interrupt_id=str(action.pk), action=action.tool_name)


class ArgumentsChanged(ServiceError):
    code, status = "arguments_changed", 409
    message = "The arguments were changed while you looked at them. Read them again, then decide."


NOT_SEEN = "This is not what was first asked. Read it as it is now, and send the arguments_hash of what you have read."


class InvalidArguments(ServiceError):
    code, status = "invalid_arguments", 400


class ToolChanged(ServiceError):
    code, status = "tool_changed", 409
    message = "The tool has changed since this was asked. Nothing was sent: staff have to look at it again."


class ToolSwitchedOff(ServiceError):
    code, status = "tool_switched_off", 409
    message = "The tool is switched off. Switch it on first, or decline."


def expiry_message(action: Action) -> str:
    waited = action.expires_at - action.created_at
    # One that came back was asked for again, with the whole time.
    minutes = settings.INTERRUPT_TTL_MINUTES if action.reopened else round(waited.total_seconds() / 60)
    expired = f"The approval request for '{action.tool_name}' has expired after {minutes} minutes."
    return f"{expired} Would you like to try again?"
