"""Testing a tool from its page: what a call with these arguments would send, and, for one that only reads, what the
business answers."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import structlog
from django import forms
from django.http import HttpRequest
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from agents import credentials, dry_run, paging, policy, tool_http, tool_request
from agents.admin.argument_slots import REQUIRED, Slot, slots_for
from agents.admin.decision_forms import OF_ARGUMENT
from agents.admin.shown import pretty
from agents.dry_run import DryRun
from agents.models import Access, Tool
from agents.projection import projected
from agents.registry import tool_spec
from smartsupport.lib.console import identified
from smartsupport.lib.own_loop import on_own_loop

log = structlog.get_logger(__name__)

LIMIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Tried:
    """`answer` and `shown` (what the model would see of it) are texts, and empty where nothing was called."""

    request: DryRun
    called: bool = False
    ok: bool = False
    told: str = ""
    answer: str = ""
    shown: str = ""


class TryForm(BaseDialogForm):
    """A field for each argument, typed by the tool's schema, and one for each that the server fills in. `arguments` and
    `bound` have them when it is valid; `tried` is what came of it, which the dialog shows below."""

    form_before_template = "agents/console/try_before.html"
    form_after_template = "agents/console/tried.html"

    def __init__(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        rows = Tool.objects.select_related("source")
        self.tool: Tool | None = identified(rows, object_id).first()
        self.arguments: dict[str, Any] = {}
        self.bound: dict[str, str] = {}
        self.tried: Tried | None = None
        self.slots: list[Slot] = slots_for(self.tool.input_schema, {}) if self.tool else []
        self.names = sorted(self.tool.bound) if self.tool else []
        for slot in self.slots:
            self.fields[slot.key] = slot.field()
        for place, name in enumerate(self.names):
            self.fields[f"bound_{place}"] = self._of_customer(name)
        if self.tool is not None and self.tool.access == Access.READ:
            self.fields["really"] = forms.BooleanField(
                label="Really call it",
                required=False,
                widget=UnfoldBooleanSwitchWidget(),
                help_text="Sends the request to the business system and shows the answer. Otherwise nothing is sent.",
            )

    def _of_customer(self, name: str) -> forms.CharField:
        assert self.tool is not None
        return forms.CharField(
            label=name,
            widget=UnfoldAdminTextInputWidget(),
            help_text=f"In a conversation it is filled in with {self.tool.bound[name]} of the verified customer.",
            error_messages={"required": "Write the customer's id in the business system."},
        )

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        return {"tool": self.tool, "faults": self.non_field_errors()}

    def get_after_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        return {"tried": self.tried}

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if self.tool is None:
            raise forms.ValidationError("This tool does not exist.")
        for slot in self.slots:
            self._read(slot, values.get(slot.key, ""))
        if self.errors:
            return values
        self.bound = {name: values[f"bound_{place}"].strip() for place, name in enumerate(self.names)}
        fault, arguments = policy.check(tool_spec(self.tool), self.arguments, self.bound.keys())
        if fault:
            named = OF_ARGUMENT.match(fault)
            key = next((slot.key for slot in self.slots if named and slot.name == named[1]), None)
            self.add_error(key, fault)
            return values
        self.arguments = arguments
        try:
            tool_request.build(self.tool, self.arguments, self.bound)
        except tool_request.RecipeError as refusal:
            self.add_error(None, str(refusal))
        return values

    def _read(self, slot: Slot, text: str) -> None:
        if not text.strip():
            if slot.required:
                self.add_error(slot.key, REQUIRED)
            return
        try:
            self.arguments[slot.name] = slot.value(text)
        except forms.ValidationError as fault:
            self.add_error(slot.key, fault)


def try_out(tool: Tool, arguments: dict[str, Any], bound: dict[str, Any], *, really: bool) -> Tried:
    """What a call would send; and, where it is wanted and the tool only reads, what came of it."""
    request = dry_run.dry_run(tool, arguments, bound)
    if not really or tool.access != Access.READ:
        return Tried(request)
    started = time.monotonic()
    built = tool_request.build(tool, arguments, bound)
    outcome = on_own_loop(_call(built, credentials.terms_of(tool)))
    took = round((time.monotonic() - started) * 1000)
    log.info("tool_tried", tool=tool.name, ok=outcome.ok, status=outcome.status)
    status = f"HTTP {outcome.status}" if outcome.status else "no answer"
    tries = "" if outcome.attempts < 2 else f", after {outcome.attempts} attempts"
    told = f"{status} in {took:,} ms{tries}. {outcome.message}".strip()
    answer = pretty(outcome.result)
    if not outcome.ok:
        return Tried(request, called=True, told=told, answer=answer if outcome.result is not None else "")
    more = paging.more(tool, outcome.result, outcome.next_link)
    shown = pretty(projected(outcome.result, tool.projection)) if tool.projection else ""
    return Tried(request, called=True, ok=True, told=f"{told} {more}".strip(), answer=answer, shown=shown)


async def _call(request: tool_request.Request, terms: credentials.Terms) -> tool_http.Outcome:
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            return await tool_http.send(request, terms, repeatable=True)
    except TimeoutError:
        late = f"The business system did not answer within {LIMIT_SECONDS:.0f} seconds."
        return tool_http.Outcome(False, kind="transient", message=late)
