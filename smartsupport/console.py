"""The console's frame: its name, its navigation, its home page. UNFOLD is read by the settings; models are
imported inside the functions, because the settings are read before there are any."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy
from django.utils import timezone


def _item(title: str, icon: str, model: str, **more: Any) -> dict[str, Any]:
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": lambda request: request.user.has_perm(f"{app}.view_{name}"),
        **more,
    }


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Smart Support",
    "SITE_HEADER": "Smart Support",
    "SITE_SUBHEADER": "Operations console",
    "SITE_SYMBOL": "support_agent",
    "SITE_URL": "/",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("console/icon.svg")},
    ],
    "DASHBOARD_CALLBACK": "smartsupport.console.home",
    "STYLES": [lambda request: static("console/console.css")],
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.6)",
            "100": "oklch(93.2% .032 255.6)",
            "200": "oklch(88.2% .059 254.1)",
            "300": "oklch(80.9% .105 251.8)",
            "400": "oklch(70.7% .165 254.6)",
            "500": "oklch(62.3% .214 259.8)",
            "600": "oklch(54.6% .245 262.9)",
            "700": "oklch(48.8% .243 264.4)",
            "800": "oklch(42.4% .199 265.6)",
            "900": "oklch(37.9% .146 265.5)",
            "950": "oklch(28.2% .091 267.9)",
        }
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "title": "Work",
                "items": [
                    {"title": "Home", "icon": "home", "link": reverse_lazy("admin:index")},
                    _item("Conversations", "forum", "chat.conversation"),
                    _item(
                        "Approvals",
                        "gavel",
                        "agents.action",
                        badge="smartsupport.console.waiting_badge",
                        badge_variant="danger",
                    ),
                    _item("Customers", "group", "chat.customer"),
                ],
            },
            {
                "title": "Set-up",
                "separator": True,
                "items": [
                    _item("Agents", "smart_toy", "agents.agent"),
                    _item("Tools", "build", "agents.tool"),
                    _item("API documents", "description", "openapi_import.specsource"),
                ],
            },
            {
                "title": "Access",
                "separator": True,
                "items": [
                    _item("API keys", "key", "chat.apikey"),
                    _item("Staff", "badge", "auth.user"),
                    _item("Groups", "groups", "auth.group"),
                ],
            },
        ],
    },
}


def waiting_badge(request: HttpRequest) -> str:
    """How many approvals wait for staff; nothing for none."""
    from agents.models import Action

    if not request.user.has_perm("agents.view_action"):
        return ""
    count = Action.objects.open_for_staff().count()
    return str(count) if count else ""


@dataclass(frozen=True, slots=True)
class Card:
    """One number of the home page, and the list that it counts."""

    title: str
    number: int
    note: str
    link: str
    icon: str
    urgent: bool = False


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The home page's context: only what this person may look at is counted."""
    from chat.models import Conversation

    cards: list[Card] = []
    if request.user.has_perm("agents.view_action"):
        cards.append(_approvals())
        cards += _unknown_outcomes()
    hint = ""
    if request.user.has_perm("chat.view_conversation"):
        cards += _conversations()
        hint = "" if Conversation.objects.exists() else "first_run"
    return {**context, "title": "Home", "cards": cards, "hint": hint, "chat_url": "/"}


def _approvals() -> Card:
    from agents.models import Action
    from smartsupport.lib.console import age

    since = list(Action.objects.open_for_staff().values_list("created_at", flat=True))
    return Card(
        title="Approvals waiting for you",
        number=len(since),
        note=f"The oldest has waited {age(since[0])}." if since else "Nothing waits for a decision.",
        link=reverse("admin:agents_action_changelist"),
        icon="gavel",
        urgent=bool(since),
    )


def _unknown_outcomes() -> list[Card]:
    """Shown only when there are any: nobody saw whether these took place, so somebody has to look."""
    from agents.models import Action, ActionStatus

    count = Action.objects.filter(status=ActionStatus.UNKNOWN).count()
    if not count:
        return []
    return [
        Card(
            title="Outcome unknown",
            number=count,
            note="Sent, and no clear answer came. Check the business system.",
            link=f"{reverse('admin:agents_action_changelist')}?which=unknown",
            icon="help",
            urgent=True,
        )
    ]


def _conversations() -> list[Card]:
    from chat.models import Conversation, ConversationStatus, Turn, TurnStatus
    from smartsupport.lib.console import age

    today = start_of_today()
    link = reverse("admin:chat_conversation_changelist")
    waiting = list(
        Conversation.objects.filter(status=ConversationStatus.WAITING)
        .order_by("handoff_at")
        .values_list("handoff_at", flat=True)
    )
    oldest = waiting[0] if waiting else None
    failed = Turn.objects.filter(status=TurnStatus.FAILED, sealed_at__gte=today)
    conversations = failed.values("conversation").distinct().count()
    return [
        Card(
            title="Waiting for a person",
            number=len(waiting),
            note=f"The first asked {age(oldest)} ago." if oldest else "Nobody has asked for a person.",
            link=f"{link}?status__exact={ConversationStatus.WAITING}",
            icon="support_agent",
            urgent=bool(waiting),
        ),
        Card(
            title="Conversations today",
            number=Conversation.objects.filter(last_activity_at__gte=today).count(),
            note="With anything said since midnight UTC.",
            link=f"{link}?happened=today",
            icon="forum",
        ),
        Card(
            title="Conversations with a failure today",
            number=conversations,
            note=_failures(failed.count()),
            link=f"{link}?happened=failed_today",
            icon="report",
            urgent=bool(conversations),
        ),
    ]


def _failures(count: int) -> str:
    if not count:
        return "Every turn worked."
    return "One turn failed." if count == 1 else f"{count} turns failed."


def start_of_today() -> datetime:
    return timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
