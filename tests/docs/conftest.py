"""The product that the documentation's commands are run against, one for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.docs.world import World, running


@pytest.fixture(scope="session")
def world(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("docs")) as started:
        yield started
