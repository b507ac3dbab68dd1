"""Two customers with their things, and a secret for tokens."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

from tests.isolation import routes
from tests.isolation.crowd import gather
from tests.isolation.world import World, plant

SECRET = "a-secret-of-the-company-0123456789"


@pytest.fixture(autouse=True)
def company(settings: Any) -> Any:
    settings.CUSTOMER_JWT_SECRET = SECRET
    settings.ALLOW_ANONYMOUS_CHAT = True
    return settings


@pytest.fixture(scope="module")
def planted(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """The things and who tries them, once for all tests of a module: a test takes back what it wrote, this the rest."""
    with django_db_blocker.unblock():
        whole = transaction.atomic()
        whole.__enter__()
        things = plant()
        with override_settings(CUSTOMER_JWT_SECRET=SECRET):
            things = replace(things, crowd=gather(things.owner, things.stranger))
    yield things
    with django_db_blocker.unblock():
        transaction.set_rollback(True)
        whole.__exit__(None, None, None)


@pytest.fixture
def world(planted: World, db: None) -> World:
    return planted


@pytest.fixture(scope="session")
def bodies() -> dict[tuple[str, str], Any]:
    """What each route of the API would take."""
    return routes.bodies()
