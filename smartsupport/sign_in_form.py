"""The form of the console's sign-in page."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import transaction
from unfold.forms import AuthenticationForm

from smartsupport.lib.locks import one_at_a_time
from smartsupport.sign_in import address

LONGEST_NAME = 150


class SignInForm(AuthenticationForm):
    """Attempts from one address, and those of one name, are checked one after the other: many at once would all be
    checked before the first of them is counted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].validators.append(
            MaxLengthValidator(LONGEST_NAME)
        )  # Django's only tells browsers

    def clean(self) -> Any:
        name = self.cleaned_data.get("username")
        if not name or not self.cleaned_data.get("password"):
            return super().clean()
        with transaction.atomic():
            one_at_a_time(f"sign in from {address(self.request)}")
            one_at_a_time(f"sign in as {name}")
            try:
                return super().clean()
            except ValidationError as refused:  # outside of the transaction, which would take the count back
                refusal = refused
        raise refusal
