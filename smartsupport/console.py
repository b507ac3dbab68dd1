"""The console's frame: its name and its navigation. UNFOLD is read by the settings; models are imported inside the
functions, because the settings are read before there are any. The home page is `analytics.home`."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

SPENDING = tuple(f"/admin/agents/{name}/" for name in ("modelcall", "modelprice", "budget"))
"""The pages that are tabs of one: the sidebar marks all of them as that one."""


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
    "LOGIN": {"form": "smartsupport.sign_in_form.SignInForm"},
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("console/icon.svg")},
    ],
    "DASHBOARD_CALLBACK": "analytics.home.home",
    "STYLES": [lambda request: static("console/console.css")],
    "SCRIPTS": [
        lambda request: static("console/console.js"),
        lambda request: static("console/dialogs.js"),
        lambda request: static("console/theme.js"),
        lambda request: static("console/badges.js"),
    ],
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
        "navigation": "smartsupport.console.navigation",
    },
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar, built for each request: the theme draws a badge even where the badge's callback says nothing, and
    none only where the badge itself is 0.
    """
    counts = badges(request)
    return [
        {
            "title": "Work",
            "items": [
                {"title": "Home", "icon": "home", "link": reverse_lazy("admin:index")},
                _item(
                    "Conversations",
                    "forum",
                    "chat.conversation",
                    badge=counts["asking"],
                    badge_variant="warning",
                ),
                _item(
                    "Approvals",
                    "gavel",
                    "agents.action",
                    badge=counts["waiting"],
                    badge_variant="danger",
                ),
                _item("Customers", "group", "chat.customer"),
                {
                    "title": "Analytics",
                    "icon": "monitoring",
                    "link": reverse_lazy("analytics"),
                    "permission": lambda request: request.user.has_perm("analytics.view_analytics"),
                },
                _item(
                    "Costs",
                    "payments",
                    "agents.modelcall",
                    link=reverse_lazy("admin:agents_modelcall_costs"),
                    active=lambda request: request.path.startswith(SPENDING),
                ),
            ],
        },
        {
            "title": "Set-up",
            "separator": True,
            "items": [
                _item("Agents", "smart_toy", "agents.agent"),
                _item("Tools", "build", "agents.tool"),
                _item("API documents", "description", "openapi_import.specsource"),
                _item("Imports", "upload_file", "openapi_import.importjob"),
                _item(
                    "Credentials",
                    "passkey",
                    "agents.credential",
                    badge=counts["refused"],
                    badge_variant="danger",
                ),
                _item("Canned replies", "quickreply", "chat.cannedreply"),
                _item("Tags", "sell", "chat.tag"),
                _item("Webhooks", "webhook", "chat.webhookendpoint"),
            ],
        },
        {
            "title": "Access",
            "separator": True,
            "items": [
                _item("API keys", "key", "chat.apikey"),
                _item("Staff", "badge", "auth.user"),
                _item("Roles", "groups", "auth.group"),
                _item("Audit", "policy", "smartsupport.auditentry"),
            ],
        },
    ]


def badges(request: HttpRequest) -> dict[str, int]:
    """How many conversations wait for a person ("asking"), approvals for staff ("waiting") and which credentials a
    business refused ("refused"); 0 also for those who may not see them. One statement: every page asks."""
    from agents.credentials import refused_rows
    from agents.models import Action
    from analytics.home_counts import counted
    from chat.models import Conversation, ConversationStatus

    lists = {
        "asking": ("chat.view_conversation", Conversation.objects.filter(status=ConversationStatus.WAITING)),
        "waiting": ("agents.view_action", Action.objects.open_for_staff()),
        "refused": ("agents.view_credential", refused_rows()),
    }
    seen = {
        name: (rows, "created_at")
        for name, (permission, rows) in lists.items()
        if request.user.has_perm(permission)
    }
    found = counted(seen)
    return {name: found[name].number if name in found else 0 for name in lists}


def waiting(request: HttpRequest) -> int:
    """How many approvals wait for staff, 0 also for those who may not see them."""
    return badges(request)["waiting"]


def asking(request: HttpRequest) -> int:
    """How many conversations wait for a person and have nobody, 0 also for those who may not see them."""
    return badges(request)["asking"]
