"""What actions and turns are tested on: the demo business alone, or the product with a scripted model."""

from collections.abc import Iterator

import httpx
import pytest
from django.conf import LazySettings

from agents.models import Tool
from smartsupport.seeding.demo_tools import SOURCE, publish_demo_tools
from tests import kept_rows
from tests.demo.program import Program
from tests.live.stack import Stack
from tests.scripted_model.fixture import RunningModel


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
    published = f"demo tools of {demo.url}"
    if not kept_rows.put_back(published):
        with kept_rows.keeping(published):
            publish_demo_tools()
    return {tool.name: tool for tool in Tool.objects.filter(source__name=SOURCE, enabled=True)}


@pytest.fixture
def stack(scripted_stack: Stack) -> Stack:
    """The product as it runs, on a business whose books are as on the first day."""
    scripted_stack.business.post("/_reset")
    return scripted_stack


@pytest.fixture
def model(stack: Stack, scripted_model_server: RunningModel) -> RunningModel:
    """The model that the stack asks, with no rules in force."""
    return scripted_model_server
