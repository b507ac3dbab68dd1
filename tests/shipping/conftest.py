"""The static files as the image makes them, and the fleet that most of these tests look at, once in a run each."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shipping import fleet, image
from tests.shipping.fleet import Fleet


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the image's /app holds: only what the Dockerfile copies, static files made by its own words."""
    folder = tmp_path_factory.mktemp("image")
    image.build(folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def production(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two web, two turns, jobs and beat behind nginx. Whoever kills one brings it back."""
    with fleet.running(tmp_path_factory.mktemp("fleet"), image_folder / ".build" / "staticfiles") as started:
        yield started


@pytest.fixture
def trusted(production: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets trust nginx's certificate, and nothing else."""
    monkeypatch.setenv("SSL_CERT_FILE", str(production.nginx.certificate))
