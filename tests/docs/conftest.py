"""The product that the documentation's commands are run against, one for all tests of this folder."""

import shutil
from collections.abc import Iterator

import pytest

from tests.docs.world import World, running


@pytest.fixture(scope="session")
def world(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    missing = [program for program in ("bash", "curl", "git") if shutil.which(program) is None]
    if missing:
        pytest.fail(f"{' and '.join(missing)} are not installed: .ci/run installs them")
    with running(tmp_path_factory.mktemp("docs")) as started:
        yield started
