"""Two customers with their things, and a secret for tokens."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from tests.isolation import routes
from tests.isolation.world import World, plant


@pytest.fixture(autouse=True)
def company(settings: Any) -> Any:
    settings.CUSTOMER_JWT_SECRET = "a-secret-of-the-company-0123456789"
    settings.ALLOW_ANONYMOUS_CHAT = True
    return settings


@pytest.fixture(scope="module")
def planted(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """The things, once for all tests of a module: each of them takes back what it wrote, and this the things."""
    with django_db_blocker.unblock():
        whole = transaction.atomic()
        whole.__enter__()
        things = plant()
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
