"""What else a reviewer decides about an operation: limits, who agrees, what comes before, what comes back."""

from decimal import Decimal
from typing import Any

from django import forms
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from agents.admin.fields import LinesField
from agents.models import Access, Tool
from openapi_import import matching
from openapi_import.binding import arguments
from openapi_import.difference import decided
from openapi_import.models import Change, Classification

LIMIT = ("staff_above_argument", "staff_above_amount")
FURTHER = ("confirmation", "approvals_needed", *LIMIT, "repeat_safe", "read_back", "requires", "projection")
"""The fields, in the order in which they stand in the dialog."""


class FurtherFields(BaseDialogForm):
    """Their names and rules are those of `openapi_import.review_changes`, which checks them."""

    confirmation = forms.CharField(
        required=False,
        max_length=300,
        label="Question to the approver",
        widget=UnfoldAdminTextInputWidget,
        help_text="With required arguments in braces: Cancel order {order_id}? Empty: its title and its arguments.",
    )
    approvals_needed = forms.TypedChoiceField(
        coerce=int,
        choices=[(1, "One person"), (2, "Two people")],
        label="How many must approve",
        widget=UnfoldAdminSelectWidget,
        help_text="Two: a second member of staff has to agree to the same call.",
    )
    staff_above_argument = forms.ChoiceField(
        required=False, label="Staff decide when this argument", widget=UnfoldAdminSelectWidget
    )
    staff_above_amount = forms.DecimalField(
        required=False,
        min_value=Decimal(0),
        max_digits=14,
        decimal_places=2,
        label="is above",
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="Up to this amount the customer decides. Leave both empty for no limit.",
    )
    repeat_safe = forms.BooleanField(
        required=False,
        label="Safe to send again",
        widget=UnfoldBooleanWidget,
        help_text="The business system honours Idempotency-Key here: where no answer came, the call is sent again.",
    )
    read_back = forms.ChoiceField(
        required=False,
        label="How it stands",
        widget=UnfoldAdminSelectWidget,
        help_text="The operation that staff look with where nobody knows what came of a call.",
    )
    requires = LinesField(
        required=False,
        label="What must have succeeded before",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="Names of tools, one per line. Without them, this one is refused and the agent is told why.",
    )
    projection = LinesField(
        required=False,
        label="What the agent is shown of an answer",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="Parts, one per line: items[].id, total. Empty: all of it.",
    )
    further = forms.BooleanField(required=False, initial=True, widget=forms.HiddenInput)
    """Whether the dialog had these fields at all: without it, none of them is changed."""

    def offer(self, row: Classification) -> None:
        """The choices that this operation has, and what stands now, whatever it is."""
        before = shown(row)
        numbers = list(dict.fromkeys(filter(None, [*_numbers(row), before["staff_above_argument"]])))
        if numbers:
            self._choose("staff_above_argument", "No limit", {one: one for one in numbers})
        else:
            for name in LIMIT:
                del self.fields[name]
        reads = Classification.objects.filter(job=row.job_id, access_type=Access.READ, unusable="")
        named = reads.exclude(change=Change.REMOVED).exclude(index=row.index).order_by("operation_id")
        found = {
            one: f"{one} · {title}" if title else one
            for one, title in named.values_list("operation_id", "title")
        }
        self._choose("read_back", "Nothing shows it", {before["read_back"]: before["read_back"]} | found)

    def _choose(self, name: str, none: str, choices: dict[str, str]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", none), *((value, said) for value, said in choices.items() if value)]

    def further_changes(self, row: Classification) -> dict[str, Any]:
        """What is to be another value than `shown` says, as `openapi_import.review.edit` takes it."""
        values = self.cleaned_data
        if not values.get("further"):
            return {}
        before = shown(row)
        names = [name for name in FURTHER if name in self.fields and values[name] != before[name]]
        if any(name in LIMIT for name in names):
            names = list(dict.fromkeys([*names, *LIMIT]))  # one of them means nothing alone
        changed = {name: values[name] for name in names}
        amount = changed.get("staff_above_amount")
        return changed if amount is None else {**changed, "staff_above_amount": f"{amount:.2f}"}


def shown(row: Classification) -> dict[str, Any]:
    """The values that publishing would give the tool: as decided in this import, else as it is live and kept, else as
    a new tool has them."""
    tool = _live(row) or Tool()
    edits = decided(row)
    values = {name: edits.get(name, getattr(tool, name)) for name in FURTHER if name != "read_back"}
    amount = values["staff_above_amount"]
    values["staff_above_amount"] = None if amount is None else Decimal(str(amount))
    values["read_back"] = edits.get("read_back", tool.read_back.operation_id if tool.read_back else "")
    return values


def _numbers(row: Classification) -> list[str]:
    """The arguments that are amounts and that the model fills in."""
    found = arguments(row.tool.get("input_schema") or {})
    return [name for name, part in found.items() if name not in row.customer_params and _is_number(part)]


def _is_number(schema: Any) -> bool:
    kind = schema.get("type") if isinstance(schema, dict) else None
    return bool({"integer", "number"} & set(kind if isinstance(kind, list) else [kind]))


def _live(row: Classification) -> Tool | None:
    """The published tool whose decisions stand; None where there is none, or it was another operation."""
    if not row.kept or row.job.source_id is None:
        return None
    tools = Tool.objects.filter(source=row.job.source_id).select_related("read_back")
    return matching.match([row], tools).get(row.index)
