"""What the page behind a link says."""

from agents.approvals import changes
from agents.models import Action, ActionStatus, ApprovalLink

SENTENCES = {
    "open": ("Your decision is asked for", ""),
    "done": ("Thank you", ""),
    "agreed": (
        "You agree",
        "A second person has to approve it as well before anything is sent. There is nothing more for you to do.",
    ),
    "unknown": (
        "There is no such page",
        "The link is not complete, or it never was one. Ask whoever sent it to you.",
    ),
    "too_often": (
        "Too many tries",
        "Links were tried too often from here. Wait a minute, then open this one again.",
    ),
    "sign_in": ("Sign in to decide", "This link asks one person, who has to be signed in."),
    "somebody_else": ("This link is for somebody else", "Sign in as the person whom it asks."),
    "no_permission": (
        "You may not decide on this any more",
        "Your account lacks the permission to decide on approvals. Ask an administrator.",
    ),
    "account_needed": (
        "An account is needed",
        "Here only people with an account may decide. Ask whoever sent you this link to decide, or to ask somebody "
        "with one.",
    ),
    "maker_may_not": (
        "Whoever made this link may not decide any more",
        "So it cannot decide either. Ask somebody who may decide for a new link.",
    ),
    "used": ("This link was used", "It works once."),
    "decided": ("This is decided", "Nothing is left for you to do."),
    "expired": (
        "The time for this is over",
        "Nothing was sent to the business system, and the customer was told.",
    ),
    "over": (
        "This link has come to its end",
        "The approval still waits. Ask whoever sent you the link for a new one.",
    ),
    "withdrawn": (
        "This link was withdrawn",
        "Ask whoever sent it to you, if you expected to decide on this.",
    ),
    "changed": (
        "This is not what you were asked any more",
        "What would be sent was changed since this link was made, so it cannot decide on it. Ask for a new link.",
    ),
}
"""{state: (heading, sentence)}."""
WORDS = {
    ActionStatus.REJECTED: "declined",
    ActionStatus.CANCELLED: "cancelled, because the conversation was stopped or taken over",
}


def what_became(link: ApprovalLink) -> str:
    """Who decided, as far as it is decided."""
    action: Action = link.action
    if link.used_at is not None and action.status == ActionStatus.AWAITING:
        return f"{link.decider_name} approved it; a second person has to agree."
    if action.status in (ActionStatus.AWAITING, ActionStatus.EXPIRED):
        return ""
    what = WORDS.get(ActionStatus(action.status), "approved")
    if action.status == ActionStatus.CANCELLED:
        return f"It was {what}."
    who = action.decided_by_name if action.decided_by == "staff" else "the customer"
    at = f" on {action.decided_at:%d %b %Y at %H:%M} UTC" if action.decided_at else ""
    edited = " with other values" if changes(action) and what == "approved" else ""
    return f"It was {what}{edited} by {who}{at}."
