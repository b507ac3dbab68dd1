"""Form fields that several pages use."""

import re
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget

NUMBER_MOST = 18
_LINE_ENDS = re.compile(r"\r\n?")


def as_written(text: str) -> str:
    """Text of several lines as it is stored: browsers send CRLF at the end of each, whoever wrote it."""
    return _LINE_ENDS.sub("\n", text)


def whole_number(text: Any) -> int | None:
    """The number that stands in an address or a hidden field; None for what is none, or larger than any of ours."""
    written = isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= NUMBER_MOST
    return int(text) if written else None


class LinesField(forms.CharField):
    """A list of texts, one per line."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(str(item) for item in value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        return [line.strip() for line in text.splitlines() if line.strip()]

    def run_validators(self, value: Any) -> None:
        super().run_validators("\n".join(value))  # of a list they would check how Python writes it

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or []) != self.to_python(data)
