"""Secrets at rest open with this deployment's keys and no others, and keys can be replaced."""

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings

from smartsupport.lib.sealing import CannotUnseal, seal, unseal

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRET = {"client_secret": "s3cret", "umlaut": "ü"}


def test_what_is_sealed_opens_again_and_says_nothing() -> None:
    sealed = seal(SECRET)

    assert unseal(sealed) == SECRET
    assert "s3cret" not in sealed
    assert seal(SECRET) != sealed


def test_a_new_key_in_front_opens_what_the_old_one_sealed(settings: LazySettings) -> None:
    settings.SEALING_KEYS = [OLD]
    sealed = seal(SECRET)

    settings.SEALING_KEYS = [NEW, OLD]
    assert unseal(sealed) == SECRET
    newer = seal(SECRET)
    settings.SEALING_KEYS = [NEW]
    assert unseal(newer) == SECRET
    with pytest.raises(CannotUnseal):
        unseal(sealed)


def test_without_keys_the_secret_key_seals(settings: LazySettings) -> None:
    settings.SEALING_KEYS = []
    sealed = seal(SECRET)

    settings.SEALING_KEYS = [NEW]
    assert unseal(sealed) == SECRET  # a first key of its own locks nobody out
    settings.SECRET_KEY = "another-" * 8
    with pytest.raises(CannotUnseal):
        unseal(sealed)


@pytest.mark.parametrize("text", ["", "not sealed", "gAAAAABm", "ü"])
def test_what_was_never_sealed_is_refused(text: str) -> None:
    with pytest.raises(CannotUnseal, match="Enter it again"):
        unseal(text)
