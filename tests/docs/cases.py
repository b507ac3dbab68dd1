"""What is done with each shell block of the documentation. A block without an entry here fails the tests, and so does
an entry without a block. Blocks are named by their page and a piece of their text."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.docs.pages import Block
from tests.docs.world import World


@dataclass(frozen=True)
class Live:
    """Run by bash against the running product. `swaps` are texts of the block that stand for something of the reader's;
    `variables` what the page says to fill in; `answers` a path into each JSON answer, in order, whose last name the
    page tells; `prints` is what else has to be in the output; `after` is done when it has run, however it ended."""

    answers: tuple[str, ...] = ()
    variables: Callable[[World], dict[str, str]] = lambda world: {}
    swaps: Callable[[World], dict[str, str]] = lambda world: {}
    prints: tuple[str, ...] = ()
    after: Callable[[World], None] = lambda world: None


@dataclass(frozen=True)
class Command:
    """Management commands, each run on a database of its own test. `swaps` are as in `Live`; `before` is what the page
    tells to do first."""

    swaps: dict[str, str] = field(default_factory=dict)
    before: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Offered:
    """Too long to be run by a test: each line starts a program of ours that has these options."""


@dataclass(frozen=True)
class Compose:
    """Docker Compose: files, services and the commands in them are there."""


@dataclass(frozen=True)
class Held:
    """Run by tests of its own."""

    by: str


Case = Live | Command | Offered | Compose | Held
# A block that begins with what follows.
BARE = "^"
MAKE_RUN = Held("tests/ground/test_run.py::test_a_run_is_used_stopped_and_started_again")
SHOW_WIDGET = Held("tests/chat/test_widget_browser.py::test_the_example_of_the_documentation_shows_the_chat")
SERVE_STORES = Held("tests/docs/world.py::_stores")


def _job(world: World) -> dict[str, str]:
    return {"JOB": world.imported()}


def _interrupt(world: World) -> dict[str, str]:
    return {"ID": world.awaiting()}


def _thread(world: World) -> dict[str, str]:
    return {"THREAD": world.thread}


def _key_to_rotate(world: World) -> dict[str, str]:
    made = world.stack.api.post("/keys", json={"name": "a shop", "scopes": ["conversations:read"]})
    key = made.raise_for_status().json()["data"]
    return {"KEY_ID": key.get("id") or key["key_id"], "ADMIN_KEY": world.key}


def _addresses(world: World) -> dict[str, str]:
    address = f"http://127.0.0.1:{world.stores_port}/openapi.yaml"
    return {"https://api.example.com/openapi.json": address, "…": "a-secret"}


def _own_mcp(world: World) -> dict[str, str]:
    return {"https://tools.example.com/mcp": f"{world.stack.url}/mcp", "Bearer …": f"Bearer {world.key}"}


def _the_shop(world: World) -> dict[str, str]:
    """An API that is called `shop` is live."""
    job = world.imported(text=(world.folder / "openapi.yaml").read_text(), name="shop")
    world.stack.api.post(f"/openapi/jobs/{job}/approve").raise_for_status()
    return {"JOB": job}


def _failed_or_cancelled(world: World) -> dict[str, str]:
    """An import that nobody has begun."""
    world.pause_jobs()
    document = (world.folder / "openapi.yaml").read_text()
    sent = world.stack.api.post("/openapi/import", json={"text": document, "name": "never"})
    return {"JOB": sent.raise_for_status().json()["data"]["job_id"]}


def _rename_the_role() -> None:
    from django.contrib.auth.models import Group

    Group.objects.filter(name="Manager").update(name="Managers of old")


CASES: dict[tuple[str, str], Case] = {
    ("README.md", "make test"): MAKE_RUN,
    ("docs/running.md", "DATA_DIR=.local2"): MAKE_RUN,
    ("docs/running.md", BARE + "make run\n"): MAKE_RUN,
    ("docs/quick-start.md", "make run\n"): MAKE_RUN,
    ("docs/demo-script.md", "make run\n"): MAKE_RUN,
    ("docs/quick-start.md", "http.server"): SERVE_STORES,
    ("docs/widget.md", "make run\n"): SHOW_WIDGET,
    ("docs/widget.md", "http.server"): SHOW_WIDGET,
    ("docs/demo-script.md", "http.server"): SERVE_STORES,
    ("docs/demo-api.md", "smartsupport.demo"): Held(
        "tests/demo/test_server.py::test_it_says_where_it_listens_and_ends_cleanly"
    ),
    ("docs/benchmarks.md", "tests.bench --quick"): Offered(),
    ("docs/benchmarks.md", "make soak"): Offered(),
    ("docs/webhooks.md", "tests.chat.webhook_drain"): Offered(),
    ("docs/benchmarks.md", "make bench-import"): Offered(),
    ("docs/faults.md", "make faults"): Offered(),
    ("docs/deployment.md", "up -d --build\n"): Compose(),
    ("docs/deployment.md", "compose.data.yml"): Compose(),
    ("docs/deployment.md", "manage.py verify_audit"): Compose(),
    ("docs/deployment.md", "manage.py backup"): Compose(),
    ("docs/deployment.md", "manage.py restore"): Compose(),
    ("docs/privacy.md", "/backups/cus_1001.json"): Compose(),
    ("docs/privacy.md", BARE + "manage.py export_customer"): Held(
        "tests/shipping/test_retention.py::test_a_persons_file_has_everything_of_theirs_and_nothing_of_others"
    ),
    ("docs/roles-and-audit.md", "make_again"): Command(before=_rename_the_role),
    ("docs/roles-and-audit.md", "axes_reset_username"): Command(),
    ("docs/roles-and-audit.md", "--anchor"): Command({"48211:5c1e...": "$ANCHOR"}),
    ("docs/quick-start.md", "git clone"): Live(variables=lambda world: {"REPOSITORY": world.repository()}),
    ("docs/quick-start.md", "KEY=ss_…"): Live(),
    ("docs/openapi-import.md", "KEY=sk_…"): Live(),
    ("docs/quick-start.md", "order 1042"): Live(("data.replies",), prints=("Order 1042 is",)),
    ("docs/quick-start.md", "status=awaiting"): Live(("data.interrupts",), variables=_interrupt),
    ("docs/quick-start.md", "JOB=$(curl"): Live(swaps=lambda world: {"docs/examples/stores/": ""}),
    ("docs/quick-start.md", 'jobs/$JOB" -H'): Live(("data.status",), variables=lambda world: world.kept()),
    ("docs/quick-start.md", "jobs/$JOB/approve"): Live(
        ("data.classifications", "data.status"), variables=lambda world: world.kept(), prints=("listStores",)
    ),
    ("docs/quick-start.md", "Where are your stores?"): Live(("data.replies",), prints=("Torstrasse 12",)),
    ("docs/demo-api.md", "_faults"): Live(
        swaps=lambda world: {"localhost:8001": f"127.0.0.1:{world.stack.demo_port}"},
        after=lambda world: world.stack.business.delete("/_faults"),
    ),
    ("docs/api.md", "rotate"): Live(("data.key",), variables=_key_to_rotate),
    ("docs/api.md", "/stream"): Live(
        swaps=lambda world: {"shop-4711": world.thread, "after=40": "after=0"},
        prints=("retry: 2000", "id: 1", 'data: {"type": "user_message"'),
    ),
    ("docs/api.md", "mail-9"): Live(("data.replies",), prints=("mail-9", "expected to leave the warehouse")),
    ("docs/api.md", "cursor="): Live(("data.conversations",)),
    ("docs/api.md", "openapi-python-client"): Held(
        "tests/api/test_generated_client.py::test_it_is_generated_without_a_warning_and_passes_a_smoke_suite"
    ),
    ("docs/api.md", "/decision"): Live(("data.status",), variables=_interrupt, prints=("rejected",)),
    ("docs/approval-links.md", "/links"): Live(
        ("data.url",),
        variables=_interrupt,
        swaps=lambda world: {"vera": "approver"},
        prints=("/decide/apl_",),
    ),
    ("docs/feedback.md", "/feedback"): Live(("data.thread_id",), variables=_thread),
    ("docs/mcp.md", "mcp_url"): Live(("data.job_id",), swaps=_own_mcp),
    ("docs/openapi-import.md", "file=@openapi.yaml"): Live(("data.job_id",) * 3, swaps=_addresses),
    ("docs/openapi-import.md", 'jobs/$JOB" -H'): Live(("data.status",), variables=_job),
    ("docs/openapi-import.md", "/cancel"): Live(
        ("data.status", "data.status"), variables=_failed_or_cancelled, after=World.resume_jobs
    ),
    ("docs/openapi-import.md", "uncertain=true"): Live(
        ("data.classifications", "data.access_type", "data.changed"), variables=_job
    ),
    ("docs/openapi-import.md", "jobs/$JOB/approve"): Live(
        ("data.status",), variables=_job, prints=("approved",)
    ),
    ("docs/openapi-import.md", "/pause"): Live(("data.kind", "data.publications"), variables=_the_shop),
}


def is_of(block: Block, page: str, piece: str) -> bool:
    """Whether an entry of the table is this block's."""
    return block.page == page and piece in BARE + block.text


def case_of(block: Block) -> Case | None:
    """The entry for a block."""
    found = [case for entry, case in CASES.items() if is_of(block, *entry)]
    return found[0] if len(found) == 1 else None
