"""Links in the console: made and withdrawn on the page of the approval that they are for."""

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from agents import approvals
from agents.admin.decision_forms import DecisionForm
from agents.admin.decision_words import known_id, page_url, refused
from agents.admin.inbox import InboxAdmin
from agents.links import making
from smartsupport.lib.console import go_to
from smartsupport.lib.errors import ServiceError

LIVES = {"": "As long as the approval", "15": "15 minutes", "60": "1 hour", "1440": "1 day"}
MOST_OFFERED = 500
BOTH_OR_NONE = "Choose a member of staff, or write the name of somebody without an account."


class LinkForm(DecisionForm):
    username = forms.ChoiceField(
        label="Member of staff",
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="They have to be signed in to decide.",
    )
    name = forms.CharField(
        label="Or somebody without an account",
        required=False,
        max_length=120,
        widget=UnfoldAdminTextInputWidget,
        help_text="Whoever has the link can decide. They cannot be one of two who have to agree.",
    )
    email = forms.EmailField(label="Their e-mail address", required=False, widget=UnfoldAdminTextInputWidget)
    minutes = forms.ChoiceField(
        label="The link works", required=False, choices=list(LIVES.items()), widget=UnfoldAdminSelectWidget
    )

    def __init__(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        names = making.deciders().order_by("username").values_list("username", flat=True)[:MOST_OFFERED]
        self.fields["username"].choices = [("", "Choose one"), *((name, name) for name in names)]
        if not settings.APPROVAL_LINKS_WITHOUT_ACCOUNT:
            del self.fields["name"], self.fields["email"]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and bool(values.get("username")) == bool(values.get("name", "").strip()):
            self.add_error("username", BOTH_OR_NONE if "name" in self.fields else "Choose a member of staff.")
        return values

    def person(self) -> making.Person:
        values = self.cleaned_data
        return making.Person(
            values.get("username", ""), values.get("name", "").strip(), values.get("email", "")
        )


class LinkActions(InboxAdmin):
    """Two buttons of an approval that waits for staff."""

    @action(
        description="Make a link",
        url_path="make-link",
        permissions=["decide"],
        icon="link",
        dialog={
            "title": "Ask somebody by a link?",
            "description": "One person can decide with it, once, on exactly this call. Send it to them yourself: it "
            "is shown once.",
            "form_class": LinkForm,
            "form_submit_text": "Make the link",
        },
    )
    def make_link(self, request: HttpRequest, form: LinkForm, object_id: str) -> HttpResponse:
        minutes = form.cleaned_data["minutes"]
        back = go_to(request, page_url(object_id))
        try:
            link, token = making.make(
                action_id=known_id(object_id),
                person=form.person(),
                by=approvals.Decider.of(request.user),
                lives=timedelta(minutes=int(minutes)) if minutes else None,
            )
        except ServiceError as refusal:
            messages.error(request, refused(refusal))
            return back
        self.log_change(request, link.action, f"Made a link for {link.decider_name}.")
        url = request.build_absolute_uri(reverse("approval-link", args=[token]))
        messages.warning(
            request,
            format_html(
                "The link for {} is <code>{}</code>. Copy it now: it is not shown again. It works once, until {} UTC.",
                link.decider_name,
                url,
                f"{link.expires_at:%d %b %Y, %H:%M}",
            ),
        )
        return back

    @action(
        description="Withdraw its links",
        url_path="withdraw-links",
        permissions=["decide"],
        icon="link_off",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Withdraw the links of this approval?",
            "description": "Links that were not used yet work no more. The approval goes on waiting.",
            "form_class": DecisionForm,
            "form_submit_text": "Withdraw them",
        },
    )
    def withdraw_links(self, request: HttpRequest, form: DecisionForm, object_id: str) -> HttpResponse:
        back = go_to(request, page_url(object_id))
        if form.action is None:
            messages.error(request, approvals.ActionNotFound.message)
            return back
        withdrawn = making.revoke(action_id=form.action.pk, by=approvals.Decider.of(request.user))
        if not withdrawn:
            messages.info(request, "There was no link that could still be used.")
            return back
        self.log_change(request, form.action, f"Withdrew {withdrawn} of its links.")
        messages.success(
            request, "1 link is withdrawn." if withdrawn == 1 else f"{withdrawn} links are withdrawn."
        )
        return back


def shown_links(action: Any) -> list[tuple[str, str, str, Any]]:
    """(whom it asks, how it stands, who made it, its end) of an action's links, newest first."""
    words = {"open": "Not used yet", "used": "Used", "withdrawn": "Withdrawn", "over": "Came to its end"}
    rows = action.links.all()[: making.MOST_OPEN]
    return [(one.decider_name, words[making.state_of(one)], one.made_by, one.expires_at) for one in rows]
