"""How a dialog that was opened in the inbox answers: the page stays, with its ticks and what is open on it."""

import json
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

DECIDED = "inbox-decided"
"""The event that the inbox's script listens to."""


def from_inbox(request: HttpRequest) -> bool:
    """Whether the dialog is on the inbox's page, which updates itself."""
    if not request.headers.get("HX-Request"):
        return False
    return urlsplit(request.headers.get("HX-Current-URL", "")).path == reverse(
        "admin:agents_action_changelist"
    )


def event(text: str, *, ok: bool, changed: str = "", close: bool = True) -> dict[str, str]:
    """The header that tells the inbox what came of a dialog. `changed`: the id of a call that is to be looked at
    again. `close`: nothing more is to be read in the dialog."""
    told: dict[str, Any] = {"text": text, "ok": ok, "changed": changed, "close": close}
    return {"HX-Trigger": json.dumps({DECIDED: told})}


def stay(text: str, *, ok: bool, changed: str = "") -> HttpResponse:
    return HttpResponse(status=204, headers=event(text, ok=ok, changed=changed))
