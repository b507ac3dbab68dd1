"""The forms in which prices, budgets and what changes them are written. Amounts are dollars, in plain digits."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django import forms
from django.db.models import Q
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from agents.providers.catalogue import PROVIDERS
from agents.spending import prices
from agents.spending.changes import REASON_LIMIT
from agents.spending.models import Budget, Period
from smartsupport.lib.ids import parse_uuid

LABELS = {
    "input": "Input",
    "cached_input": "Cached input",
    "cache_write": "Cache writes",
    "output": "Output",
    "reasoning": "Reasoning",
}
EMPTY_COSTS = {
    "cached_input": "Tokens that the provider had in its cache. Empty: they cost what input does.",
    "cache_write": "Tokens that the provider puts into its cache. Empty: they cost what input does.",
    "reasoning": "Tokens of what the model thinks. Empty: they cost what output does.",
}


class MomentInput(UnfoldAdminTextInputWidget):
    input_type = "datetime-local"


class UtcMomentField(forms.DateTimeField):
    """A moment in UTC, whatever the reader's clock says."""

    widget = MomentInput

    def to_python(self, value: Any) -> datetime | None:
        found = super().to_python(value)
        return found.astimezone(UTC) if found else None


class DollarsField(forms.CharField):
    """Micro-dollars, written as dollars: `12.50` is 12,500,000. More than nothing."""

    widget = UnfoldAdminTextInputWidget

    def __init__(self, **more: Any) -> None:
        super().__init__(**{"max_length": 20, **more})
        self.widget.attrs |= {"inputmode": "decimal", "autocomplete": "off"}

    def prepare_value(self, value: Any) -> Any:
        return dollars(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            micros = prices.micros_of(text.removeprefix("$").strip())
        except ValueError:
            raise forms.ValidationError(
                "Dollars in digits: 12.50. At most 999,999 and six decimals."
            ) from None
        if micros <= 0:
            raise forms.ValidationError("More than nothing, please.")
        return micros


def dollars(micros: int) -> str:
    """The shortest text that DollarsField reads as so many micro-dollars."""
    text = f"{micros // 1_000_000}.{micros % 1_000_000:06d}".rstrip("0").rstrip(".")
    return text


class CustomerField(forms.CharField):
    """A customer by the company's own id, email address, or id here. Cleaned: their row, or None."""

    widget = UnfoldAdminTextInputWidget
    NOBODY = "There is no such customer. Their own id is on their page, under Customers."
    SEVERAL = "Several customers have this address. Write the id of one of them."

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        customers: Any = Budget._meta.get_field(
            "customer"
        ).related_model  # of an app that this one does not know
        known = parse_uuid(text)
        wanted = Q(subject=text) | Q(email__iexact=text) | (Q(pk=known) if known else Q())
        found = list(customers._default_manager.filter(wanted)[:2])
        if len(found) != 1:
            raise forms.ValidationError(self.SEVERAL if found else self.NOBODY)
        return found[0]


class PriceForm(forms.Form):
    provider = forms.ChoiceField(
        choices=[(name, one.title) for name, one in PROVIDERS.items() if name != "offline"],
        widget=UnfoldAdminSelectWidget,
    )
    model = forms.CharField(
        max_length=120,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="As the provider writes it: gpt-5.4-mini. It counts for dated snapshots, too "
        "(gpt-5.4-mini-2026-03-17), unless they have a price of their own.",
    )
    effective_from = UtcMomentField(
        required=False,
        label="Counts from (UTC)",
        help_text="Empty: from now on. What was charged before does not change.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for kind in prices.KINDS:
            self.fields[kind] = forms.CharField(
                required=False,  # prices.add says what is missing
                max_length=20,
                label=f"{LABELS[kind]}, dollars for a million tokens",
                help_text=EMPTY_COSTS.get(kind, ""),
                widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"}),
            )
        for kind in prices.REQUIRED:
            self.fields[kind].widget.attrs["required"] = True

    @property
    def price(self) -> prices.NewPrice:
        values = self.cleaned_data
        amounts = {kind: values[kind] for kind in prices.KINDS}
        return prices.NewPrice(values["provider"], values["model"], amounts, values["effective_from"])


class BudgetForm(forms.ModelForm):
    customer = CustomerField(
        required=False,
        max_length=255,
        help_text="For a limit of one customer only: your own id of them, their email address, or their id here. It "
        "goes before that of each customer.",
    )
    limit_micros = DollarsField(
        label="Limit, in dollars",
        help_text="What calls of models may cost in a period. Whoever has reached it is refused until the next one.",
    )

    class Meta:
        model = Budget
        fields = ("scope", "customer", "period", "limit_micros", "enabled")
        labels: ClassVar = {"scope": "Whose", "period": "For", "enabled": "In force"}
        help_texts: ClassVar = {
            "period": "Days begin at midnight UTC, weeks on Monday.",
        }


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=REASON_LIMIT,
        label="Why",
        widget=UnfoldAdminTextInputWidget,
        help_text="Kept with your name, for colleagues. The customer does not read it.",
    )


class PeriodForm(ReasonForm):
    period = forms.ChoiceField(
        choices=[(Period.DAY, "Today"), (Period.WEEK, "This week")],
        label="For",
        widget=UnfoldAdminSelectWidget,
    )
    field_order = ["period", "reason"]


class GrantForm(PeriodForm):
    micros = DollarsField(label="How much more, in dollars")
    field_order = ["micros", "period", "reason"]


class ExemptForm(ReasonForm):
    until = UtcMomentField(required=False, label="Until (UTC)", help_text="Empty: for good.")
    field_order = ["until", "reason"]

    def clean_until(self) -> datetime | None:
        until: datetime | None = self.cleaned_data["until"]
        if until is not None and until <= timezone.now():
            raise forms.ValidationError("That is over already.")
        return until
