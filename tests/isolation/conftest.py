"""Two customers with their things, and a secret for tokens."""

from typing import Any

import pytest

from tests.isolation import routes
from tests.isolation.world import World, plant


@pytest.fixture(autouse=True)
def company(settings: Any) -> Any:
    settings.CUSTOMER_JWT_SECRET = "a-secret-of-the-company-0123456789"
    settings.ALLOW_ANONYMOUS_CHAT = True
    return settings


@pytest.fixture
def world(db: None) -> World:
    return plant()


@pytest.fixture(scope="session")
def bodies() -> dict[tuple[str, str], Any]:
    """What each route of the API would take."""
    return routes.bodies()
