"""The demo business as a process of its own, with its tools published in the test's database."""

from collections.abc import Iterator

import httpx
import pytest
from django.conf import LazySettings

from agents.models import Tool
from smartsupport.seeding.demo_tools import publish_demo_tools
from tests.demo.program import Program


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(tmp_path_factory.mktemp("books"))
    yield program
    program.stop()


@pytest.fixture
def shop(demo: Program) -> httpx.Client:
    """A client of the business, whose books are as on the first day; no fault is in force."""
    assert demo.client.post("/_reset").status_code == 200
    demo.client.delete("/_faults")
    return demo.client


@pytest.fixture
def tools(
    demo: Program, shop: httpx.Client, settings: LazySettings, transactional_db: None
) -> dict[str, Tool]:
    """The business's tools by name, published from its document."""
    host = demo.url.removeprefix("http://")
    settings.DEMO_PORT = int(host.rpartition(":")[2])
    settings.SAFE_HTTP_ALLOWED_HOSTS = [host]
    return {tool.name: tool for tool in publish_demo_tools()}
