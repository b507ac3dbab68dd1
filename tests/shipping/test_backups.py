"""`manage.py backup` and `restore`, as an operator runs them: on databases of their own, by Postgres' programs."""

import json
import os
import secrets
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse, urlunparse

import psycopg
import pytest
from psycopg.rows import dict_row

from tests import migrated
from tests.servers import DATABASE_URL, OURS

ROOT = Path(__file__).resolve().parents[2]
SECRET_KEY = "for-this-test-only-" + "kq3zv8p1x7" * 6


@dataclass
class Done:
    status: int
    out: str
    err: str


class Operator:
    """Runs commands in databases of its own."""

    def __init__(self, folder: Path) -> None:
        env = {key: value for key, value in os.environ.items() if key not in OURS} | {
            "DATABASE_URL": os.environ[DATABASE_URL],
            "REDIS_URL": os.environ["REDIS_URL"],
            "DATA_DIR": str(folder / "data"),
            "SECRET_KEY": SECRET_KEY,
            "DJANGO_SETTINGS_MODULE": "smartsupport.settings",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.shipping.commands"],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, database: str, words: tuple[str, ...], settings: dict[str, Any]) -> Done:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"database": database, "words": words, "settings": settings}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Done(**json.loads(self._process.stdout.readline()))

    def leave(self) -> None:
        self._process.communicate()


class Place:
    """A database of its own, and the commands in it."""

    def __init__(self, name: str, operator: Operator) -> None:
        self.name = name
        self.operator = operator
        self.url = urlunparse(urlparse(os.environ[DATABASE_URL])._replace(path=f"/{name}"))

    def done(self, *words: str, **settings: Any) -> Done:
        found = self.operator.run(self.name, words, settings)
        assert found.status == 0, found.out + found.err
        return found

    def refused(self, *words: str, **settings: Any) -> str:
        """What it says. Nothing in the database has changed."""
        before = self.everything()
        found = self.operator.run(self.name, words, settings)
        assert found.status == 1, found.out + found.err
        assert self.everything() == before
        return found.err

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statement, parameters)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def everything(self) -> dict[str, int]:
        """How many rows each table has."""
        names = [row["relname"] for row in self.rows(TABLES)]
        counts = " UNION ALL ".join(
            f"SELECT '{name}' AS name, count(*) AS n FROM \"{name}\"" for name in names
        )
        return {row["name"]: row["n"] for row in self.rows(counts)} if names else {}


TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text = 'public'"


@contextmanager
def place(operator: Operator, *, empty: bool) -> Iterator[Place]:
    name = f"backup_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(os.environ[DATABASE_URL], autocommit=True) as admin:
        if empty:
            admin.execute(f'CREATE DATABASE "{name}"')
        else:
            migrated.copy(os.environ[DATABASE_URL], name)
        try:
            yield Place(name, operator)
        finally:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    found = Operator(tmp_path_factory.mktemp("operator"))
    yield found
    found.leave()


@pytest.fixture(scope="module")
def origin(operator: Operator) -> Iterator[Place]:
    """A database with some rows in it, secrets and audit among them."""
    with place(operator, empty=False) as found:
        found.done("shell", f"--command={FILL}")
        yield found


@pytest.fixture(scope="module")
def occupied(operator: Operator) -> Iterator[Place]:
    """A database with something in it that nobody wants to lose."""
    with place(operator, empty=False) as found:
        found.done("shell", f"--command={FILL.replace('cus_1', 'kept')}")
        yield found


FILL = r"""
from django.contrib.sessions.backends.db import SessionStore
from chat.models import Customer
from smartsupport.lib import audit

for name in ("one", "two"):
    audit.write(actor=audit.COMMANDS, verb="seed", detail={"made": [name]})
session = SessionStore()
session["x"] = "y"
session.save()
Customer.objects.create(subject="cus_1", business_id="cus_1", name="Zoë 'O\\t' \\.")
"""


@pytest.fixture(scope="module")
def file(origin: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backup") / "smartsupport.backup"
    done = origin.done("backup", str(path))
    assert "is whole" in done.err
    assert "SEALING_KEYS" in done.err
    return path


def test_a_backup_is_for_its_owner_only_and_nothing_else_is_left(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_everything_comes_back_but_sessions_and_the_audit_goes_on(
    operator: Operator, origin: Place, file: Path, tmp_path: Path
) -> None:
    before = origin.everything()

    with place(operator, empty=True) as there:
        done = there.done("restore", str(file))

        after = there.everything()
        assert "Restored." in done.out
        assert after.pop("smartsupport_auditentry") == before.pop("smartsupport_auditentry") + 1
        assert (after.pop("django_session"), before.pop("django_session")) == (0, 1)
        assert after == before
        assert there.rows("SELECT name FROM chat_customer") == origin.rows("SELECT name FROM chat_customer")
        assert "entries, all as they were written" in there.done("verify_audit").out
        # What was restored can be backed up and restored like the first one.
        again, third = tmp_path / "again.backup", tmp_path / "third.backup"
        there.done("backup", str(again))
        there.done("restore", str(again), "--replace")
        there.done("backup", str(third))
        there.done("restore", str(third), "--replace")
        assert there.rows("SELECT nspname FROM pg_namespace WHERE nspname = 'before_restore'") == []


def test_what_is_there_is_given_up_only_where_that_is_said(occupied: Place, file: Path) -> None:
    assert "Add --replace to give up what is in it." in occupied.refused("restore", str(file))


def test_nothing_is_restored_under_a_program_that_is_connected(occupied: Place, file: Path) -> None:
    with psycopg.connect(occupied.url) as somebody:
        somebody.execute("SELECT 1")

        said = occupied.refused("restore", str(file), "--replace")

    assert "other connections to this database are open. Stop web, turns, jobs and beat first" in said


def test_a_backup_that_is_not_whole_changes_nothing(occupied: Place, file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    cuts = [whole[:part] for part in (0, 100, len(whole) // 2, len(whole) - 2_000, len(whole) - 1)]
    for number, content in enumerate([*cuts, bytes(flipped), whole + b"more"]):
        broken = tmp_path / f"broken-{number}"
        broken.write_bytes(content)

        assert "or not a whole one" in occupied.refused("restore", str(broken), "--replace"), number
    [row] = occupied.rows("SELECT subject FROM chat_customer")
    assert row["subject"] == "kept"


def test_what_is_no_backup_is_refused(occupied: Place, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"PGDMP" + secrets.token_bytes(5_000))

    assert "is not a backup" in occupied.refused("restore", str(garbage), "--replace")
    assert "There is no file" in occupied.refused("restore", str(tmp_path / "missing"), "--replace")


def test_a_backup_says_before_it_is_restored_that_the_keys_are_others(occupied: Place, file: Path) -> None:
    other = {"SECRET_KEY": "another-" * 8}

    said = occupied.refused("restore", str(file), "--replace", **other)
    looked = occupied.done("restore", str(file), "--look", **other)

    for text in (said, looked.err):
        assert "cannot be opened with the SEALING_KEYS and SECRET_KEY that are set here" in text
        assert "staff sign in again" in text
    assert "Set the keys that it was made under, or add --without-keys" in said
    assert "made by version" in looked.out
    assert occupied.rows("SELECT subject FROM chat_customer") == [{"subject": "kept"}]


def test_keys_of_their_own_for_sealing_make_secrets_independent_of_secret_key(
    operator: Operator, tmp_path: Path
) -> None:
    keys = {"SEALING_KEYS": ["a2V5LWtleS1rZXkta2V5LWtleS1rZXkta2V5LWtleS0="]}
    file = tmp_path / "sealed.backup"
    with place(operator, empty=False) as there:
        there.done("backup", str(file), **keys)

        looked = there.done("restore", str(file), "--look", SECRET_KEY="another-" * 8, **keys)

    assert "cannot be opened" not in looked.err
    assert "staff sign in again" in looked.err


def test_a_backup_of_a_newer_version_is_refused(operator: Operator, occupied: Place, tmp_path: Path) -> None:
    file = tmp_path / "newer.backup"
    with place(operator, empty=False) as newer:
        newer.rows("INSERT INTO django_migrations (app, name, applied) VALUES ('chat', '0999_later', now())")
        newer.done("backup", str(file))

    said = occupied.refused("restore", str(file), "--replace")

    assert "changes that this one does not know (chat 0999_later)" in said


def test_a_restore_that_died_is_undone_by_the_next_one(occupied: Place, file: Path) -> None:
    occupied.rows("ALTER SCHEMA public RENAME TO before_restore")
    occupied.rows("CREATE SCHEMA public")
    occupied.rows("CREATE TABLE half_of_it (id int)")

    # Or everything would start on half of it, and the next restore would give up what was written since.
    assert "A restore did not come to its end" in occupied.refused("migrate")
    done = occupied.operator.run(occupied.name, ("restore", str(file)), {})

    assert done.status == 1
    assert "putting back what was there before it" in done.err
    assert "The database is not empty" in done.err
    assert occupied.rows("SELECT subject FROM chat_customer") == [{"subject": "kept"}]


def test_an_audit_that_was_changed_is_told_and_the_rest_is_there(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "changed.backup"
    with place(operator, empty=False) as changed, place(operator, empty=True) as there:
        for name in ("one", "two", "three"):
            changed.done("shell", f"--command={FILL.replace('two', name)}".replace("cus_1", name))
        changed.rows("ALTER TABLE smartsupport_auditentry DISABLE TRIGGER USER")
        changed.rows("UPDATE smartsupport_auditentry SET detail = '{}' WHERE id = 2")
        changed.rows("ALTER TABLE smartsupport_auditentry ENABLE TRIGGER USER")
        changed.done("backup", str(file))

        done = operator.run(there.name, ("restore", str(file)), {})

        assert done.status == 1
        assert "its audit is not as it was written: Its content was changed" in done.err
        assert len(there.rows("SELECT 1 FROM chat_customer")) == 3


def test_a_name_that_is_taken_is_left_alone_and_a_folder_that_is_not_there_is_named(
    origin: Place, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("something else")

    assert "exists already" in origin.refused("backup", str(taken))
    assert "cannot be written: No such file or directory" in origin.refused(
        "backup", str(tmp_path / "no" / "x")
    )
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    assert taken.read_text() == "something else"


UNFINISHED = r"""
from datetime import timedelta
from django.utils import timezone
from agents.models import Action, ActionStatus
from chat.models import Turn, TurnStatus
from tests import rows

write = rows.tool("cancel_order", repeat_safe=True)
now = timezone.now()


def begun(name, age, status, **fields):
    return rows.turn(
        rows.customer(subject=name), thread_id=name, content=f"of {name}", status=status,
        queued_at=now - timedelta(minutes=age), **fields,
    )


def asked(name, age, status, decided, **fields):
    turn = begun(name, age, status)
    action = rows.action(turn, write, order_id=name)
    Turn.objects.filter(pk=turn.pk).update(status=status, **fields)
    if decided != ActionStatus.AWAITING:
        Action.objects.filter(pk=action.pk).update(status=decided, decided_at=now, decided_by="customer")
    return action


asked("approved", 1, TurnStatus.QUEUED, ActionStatus.APPROVED)
asked("dispatching", 1, TurnStatus.RUNNING, ActionStatus.DISPATCHING, fence=3, lease_until=now)
asked("in-time", 20, TurnStatus.WAITING, ActionStatus.AWAITING)
overdue = asked("overdue", 90, TurnStatus.WAITING, ActionStatus.AWAITING)
Action.objects.filter(pk=overdue.pk).update(expires_at=now - timedelta(hours=1))
begun("old", 9, TurnStatus.QUEUED)
begun("lost", 9, TurnStatus.RUNNING, fence=1, lease_until=now)
begun("new", 0, TurnStatus.QUEUED)
"""
WATCHED = """
CREATE TABLE seen (set_aside bigint);
CREATE FUNCTION saw() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.seen SELECT count(*) FROM pg_namespace WHERE nspname = 'before_restore';
    RETURN NULL;
END $$;
CREATE TRIGGER watch AFTER UPDATE ON agents_action FOR EACH ROW WHEN (NEW.status = 'unknown') EXECUTE FUNCTION saw();
"""
STATES = """
SELECT c.thread_id, t.status, a.status AS action FROM chat_turn t JOIN chat_conversation c ON c.id = t.conversation_id
LEFT JOIN agents_action a ON a.turn_id = t.id ORDER BY c.thread_id
"""
CLAIM_ALL = """
from chat import turns
claimed = []
while (claim := turns.claim("first")) is not None:
    claimed.append(claim.thread_id)
print("claimed", sorted(claimed))
"""


@pytest.fixture(scope="module")
def unfinished(operator: Operator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a system in the middle of its work."""
    path = tmp_path_factory.mktemp("unfinished") / "smartsupport.backup"
    with place(operator, empty=False) as there:
        there.done("shell", f"--command={UNFINISHED}")
        there.rows(WATCHED)
        there.done("backup", str(path))
    return path


@pytest.fixture(scope="module")
def gone_back(operator: Operator, unfinished: Path) -> Iterator[tuple[Place, Done]]:
    """Where it was restored, and what the command said."""
    with place(operator, empty=True) as there:
        yield there, there.done("restore", str(unfinished))


def states(there: Place) -> dict[str, tuple[str, str | None]]:
    return {row["thread_id"]: (row["status"], row["action"]) for row in there.rows(STATES)}


def test_nothing_goes_on_by_itself_after_a_restore(gone_back: tuple[Place, Done]) -> None:
    there, done = gone_back

    assert states(there) == {
        "approved": ("failed", "unknown"),
        "dispatching": ("failed", "unknown"),
        "in-time": ("waiting", "awaiting"),
        "lost": ("failed", None),
        "new": ("queued", None),
        "old": ("failed", None),
        "overdue": ("failed", "cancelled"),
    }
    assert there.rows("SELECT set_aside FROM seen") == [{"set_aside": 1}] * 2, "nothing can start meanwhile"
    assert "claimed ['new']" in there.done("shell", f"--command={CLAIM_ALL}").out
    sent_again = "from agents.repetition import due; print(due().count(), 'due')"
    assert "0 due" in there.done("shell", f"--command={sent_again}").out
    assert "when the backup was made: 2. Nobody knows" in done.err
    assert done.err.count("  cancel_order ") == 2
    assert "not answered yet: 5." in done.err
    assert "that still wait: 1." in done.err


def test_whoever_reads_on_after_a_restore_is_told_what_is_not_known(gone_back: tuple[Place, Done]) -> None:
    there, _ = gone_back

    told = there.rows(
        "SELECT c.thread_id, e.kind, e.payload FROM chat_event e JOIN chat_conversation c "
        "ON c.id = e.conversation_id WHERE e.kind IN ('tool_returned', 'turn_failed') ORDER BY 1, e.seq"
    )
    kinds = [(row["thread_id"], row["kind"]) for row in told]
    assert kinds[:4] == [
        (name, kind) for name in ("approved", "dispatching") for kind in ("tool_returned", "turn_failed")
    ]
    assert [name for name, _ in kinds[4:]] == ["lost", "old", "overdue"]
    assert told[0]["payload"]["error"]["kind"] == "unknown"
    assert "This was restored from a backup of 20" in told[0]["payload"]["error"]["message"]
    assert "check whether it was done before you ask for it again" in told[1]["payload"]["message"]
    [waits] = there.rows("SELECT message FROM agents_action WHERE status = 'awaiting'")
    assert waits["message"].startswith("Asked before a restore, so it may have been done since: look first. ")
    [entry] = there.rows("SELECT detail FROM smartsupport_auditentry WHERE verb = 'restore'")
    assert {name: entry["detail"][name] for name in ("resumed", "unknown_actions", "ended_turns")} == {
        "resumed": False,
        "unknown_actions": 2,
        "ended_turns": 5,
    }
    before = there.everything()
    again = "from django.utils import timezone; from smartsupport.backups import unfinished; "
    again += "print(unfinished.settle(timezone.now()))"
    assert "unknown=[], ended=0, waiting=0" in there.done("shell", f"--command={again}").out
    assert there.everything() == before


def test_where_nothing_has_run_since_everything_goes_on(operator: Operator, unfinished: Path) -> None:
    with place(operator, empty=True) as there:
        done = there.done("restore", str(unfinished), "--resume")

        assert states(there)["approved"] == ("queued", "approved")
        assert states(there)["dispatching"] == ("running", "dispatching")
        assert states(there)["old"] == ("queued", None)
        assert there.rows("SELECT 1 FROM seen") == []
        assert "They are carried out as soon as a turns process starts" in done.err
        assert done.err.count("  cancel_order ") == 2
        claimed = "['approved', 'dispatching', 'lost', 'new', 'old']"
        assert f"claimed {claimed}" in there.done("shell", f"--command={CLAIM_ALL}").out


def test_no_turns_process_starts_on_half_of_a_backup(operator: Operator) -> None:
    with place(operator, empty=False) as there:
        there.rows("ALTER SCHEMA public RENAME TO before_restore")
        there.rows("CREATE SCHEMA public")

        done = subprocess.run(
            [sys.executable, "manage.py", "runworker", "turns"],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": there.url, "DJANGO_SETTINGS_MODULE": "smartsupport.settings"},
            capture_output=True,
            text=True,
            timeout=180,
        )

    assert done.returncode == 1
    assert done.stderr.strip().endswith("what was there before is put back.")


FULL = r"""
from smartsupport.backups.making import make
from smartsupport.backups.programs import BackupFailed

try:
    with open("/dev/full", "wb", buffering=0) as full:
        make(full)
except BackupFailed as refusal:
    print(refusal)
"""
WITHOUT_LINKS = r"""
import errno, os
from pathlib import Path
from smartsupport.backups.making import make

linked = os.link


def refused(*_: object) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


os.link = refused
try:
    make(Path("TARGET"))
finally:
    os.link = linked
"""


def test_a_full_disk_and_one_without_hard_links(operator: Operator, origin: Place, tmp_path: Path) -> None:
    said = origin.done("shell", f"--command={FULL}").out
    origin.done("shell", "--command=" + WITHOUT_LINKS.replace("TARGET", str(tmp_path / "a.backup")))

    assert "could not be written: No space left on device. Nothing of it is kept." in said
    assert [path.name for path in tmp_path.iterdir()] == ["a.backup"]
    assert "made by version" in origin.done("restore", str(tmp_path / "a.backup"), "--look").out
