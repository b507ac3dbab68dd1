"""The forms in which people correct what was judged: one operation in a dialog, many in the bar under the table."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.http import HttpRequest, QueryDict
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from agents.models import Access, Approver, Risk, name_validator
from openapi_import.admin.further_fields import FURTHER, FurtherFields, shown
from openapi_import.binding import arguments
from openapi_import.models import Classification
from openapi_import.review_changes import ALWAYS_WRITES

CUSTOMER = "customer.id"
EDITED = (
    "title",
    "selected",
    "access_type",
    "approval",
    "risk",
    "agent_group",
    "name",
    "tool_description",
)
AS_IT_IS = [("", "As it is")]


class EditForm(FurtherFields):
    """One operation, as a tool. `changes` has the fields that are to be another value; `seen` is the revision that the
    dialog showed."""

    form_before_template = "openapi_import/edit_head.html"
    form_after_template = "openapi_import/edit_further.html"
    data: Any

    title = forms.CharField(
        max_length=120,
        label="In plain words",
        widget=UnfoldAdminTextInputWidget,
        help_text="As customers and staff read it: Cancel an order.",
    )
    selected = forms.BooleanField(required=False, label="Make a tool of it", widget=UnfoldBooleanWidget)
    access_type = forms.ChoiceField(
        choices=Access.choices, label="What it does", widget=UnfoldAdminSelectWidget
    )
    approval = forms.ChoiceField(
        choices=Approver.choices,
        label="Who approves",
        widget=UnfoldAdminSelectWidget,
        help_text="What reads needs nobody; what writes needs the customer or staff, each time.",
    )
    confirm_read = forms.BooleanField(
        required=False,
        label="It only reads, in spite of its method",
        widget=UnfoldBooleanWidget,
        help_text="Tick this to make a read of it: PUT, PATCH and DELETE change something by their nature.",
    )
    risk = forms.ChoiceField(choices=Risk.choices, label="Risk", widget=UnfoldAdminSelectWidget)
    agent_group = forms.CharField(
        required=False,
        max_length=64,
        validators=[name_validator],
        label="Agent",
        widget=UnfoldAdminTextInputWidget(attrs={"list": "agent-groups", "autocomplete": "off"}),
        help_text="The agent that gets it; it is made if there is none of that name. Empty: no agent.",
    )
    customer = forms.MultipleChoiceField(
        required=False,
        label="Names the customer",
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Smart Support fills these in from the verified customer; the model never sees them.",
    )
    name = forms.CharField(
        max_length=64,
        validators=[name_validator],
        label="Name of the tool",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    tool_description = forms.CharField(
        max_length=4000,
        label="What the model reads",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text="It chooses the tool by this.",
    )
    seen = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, request: HttpRequest, row: Classification, *args: Any, **kwargs: Any) -> None:
        self.row = row
        super().__init__(request, row.job_id, *args, initial=_values(row), **kwargs)
        names = list(arguments(row.tool.get("input_schema") or {}))
        self.fields["customer"].choices = [(name, name) for name in names]
        if not names:
            del self.fields["customer"]
        if row.method.upper() not in ALWAYS_WRITES:
            del self.fields["confirm_read"]
        self.offer(row)
        if not self.data.get("further"):
            for name in self._further_names():
                self.fields[name].required = False

    def __iter__(self) -> Iterator[BoundField]:
        """The fields at first sight; the others are folded below them."""
        return (self[name] for name in self.fields if name not in FURTHER and name != "further")

    def _further_names(self) -> list[str]:
        return [name for name in FURTHER if name in self.fields]

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        return {"row": self.row, "faults": self.non_field_errors()}

    def get_after_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        names = self._further_names()
        wrong = any(name in self.errors for name in names)
        return {"further": [self[name] for name in names], "asked": self["further"], "open": wrong}

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        access, approval = values.get("access_type"), values.get("approval")
        if access == Access.READ and approval and approval != Approver.NONE:
            self.add_error("approval", "What only reads needs nobody's approval.")
        if access == Access.WRITE and approval == Approver.NONE:
            self.add_error("approval", "What writes needs an approver: the customer or staff.")
        return values

    def look_again(self, fresh: Classification) -> None:
        """Somebody was faster: show the row as it is now; to save once more is then meant so."""
        self.row = fresh
        self.data = self.data.copy()
        self.data["seen"] = str(fresh.revision)

    @property
    def changes(self) -> dict[str, Any]:
        """What is to be another value than the dialog showed, by the classification's own field names."""
        values, shown = self.cleaned_data, _values(self.row)
        changed = {name: values[name] for name in EDITED if values[name] != shown[name]}
        if "agent_group" in changed:
            changed["agent_group"] = changed["agent_group"] or None
        if values.get("confirm_read") and changed.get("access_type") == Access.READ:
            changed["confirm_read"] = True
        chosen = values.get("customer", [])
        if sorted(chosen) != sorted(shown["customer"]):
            changed["customer_params"] = {
                name: self.row.customer_params.get(name, CUSTOMER) for name in chosen
            }
        return changed | self.further_changes(self.row)


def _values(row: Classification) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in EDITED},
        "customer": list(row.customer_params),
        "seen": row.revision,
        **shown(row),
    }


class BulkForm(forms.Form):
    """The same change of many operations. What is left empty stays as it is."""

    access_type = forms.ChoiceField(
        required=False,
        label="What they do",
        choices=AS_IT_IS + Access.choices,
        widget=UnfoldAdminSelectWidget,
    )
    approval = forms.ChoiceField(
        required=False,
        label="Who approves",
        choices=AS_IT_IS + Approver.choices,
        widget=UnfoldAdminSelectWidget,
    )
    risk = forms.ChoiceField(
        required=False, label="Risk", choices=AS_IT_IS + Risk.choices, widget=UnfoldAdminSelectWidget
    )
    agent_group = forms.CharField(
        required=False,
        max_length=64,
        validators=[name_validator],
        label="Agent",
        widget=UnfoldAdminTextInputWidget(
            attrs={"list": "agent-groups", "placeholder": "As it is", "autocomplete": "off"}
        ),
    )
    selected = forms.ChoiceField(
        required=False,
        label="As a tool",
        choices=[*AS_IT_IS, ("yes", "Make one"), ("no", "Leave out")],
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        # The dialog of one operation has fields of the same names on the same page.
        super().__init__(data, auto_id="bulk_%s")

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        access, approval = values.get("access_type"), values.get("approval")
        if access == Access.READ and approval not in ("", Approver.NONE, None):
            self.add_error("approval", "What only reads needs nobody's approval.")
        if access == Access.WRITE and approval == Approver.NONE:
            self.add_error("approval", "What writes needs an approver: the customer or staff.")
        return values

    @property
    def changes(self) -> dict[str, Any]:
        values = self.cleaned_data
        changed = {
            name: values[name] for name in ("access_type", "approval", "risk", "agent_group") if values[name]
        }
        if values["selected"]:
            changed["selected"] = values["selected"] == "yes"
        return changed
