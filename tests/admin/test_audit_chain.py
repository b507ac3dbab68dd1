"""The audit's chain: what was changed, removed or moved is found, whoever did it; and what nobody may do at all."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import Error as DatabaseFault
from django.db import connection, transaction

from smartsupport.audit import chain
from smartsupport.lib import audit
from smartsupport.lib.postgres import connection_parameters
from smartsupport.models import AuditEntry

ACTOR = audit.Actor("staff", "7", "sam")
TABLE = "smartsupport_auditentry"


def write(count: int = 1, **more: object) -> list[int]:
    return [
        audit.write(actor=ACTOR, verb="change", object_type="agents.tool", object_id=number, **more)  # type: ignore[arg-type]
        for number in range(count)
    ]


def tamper(*statements: str) -> None:
    """As somebody would who owns the tables and switches the guards off."""
    with connection.cursor() as cursor:
        for table in (TABLE, "smartsupport_audithead"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements:
            cursor.execute(statement)
        for table in (TABLE, "smartsupport_audithead"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@pytest.mark.django_db
def test_an_untouched_chain_is_whole_and_tells_its_anchor() -> None:
    last = write(3, before={"title": "Größe, 尺寸 \x00"}, after={"n": 1.5, "z": [1, None]}, status=302)[-1]
    out = StringIO()

    call_command("verify_audit", stdout=out)

    entry = AuditEntry.objects.get(pk=last)
    assert f"{last} entries, all as they were written." in out.getvalue()
    assert f"Anchor: {last}:{entry.hash}" in out.getvalue()
    assert entry.previous_hash == AuditEntry.objects.get(pk=last - 1).hash
    call_command("verify_audit", anchor=[f"{last}:{entry.hash}"], stdout=out)


@pytest.mark.django_db
def test_the_hash_is_what_the_documentation_says() -> None:
    number = audit.write(actor=audit.SYSTEM, verb="purge", object_type="x", object_id="1", detail={"rows": 3})
    entry = AuditEntry.objects.get(pk=number)
    at = f"{entry.at:%Y-%m-%dT%H:%M:%S.%f}"
    texts = [entry.previous_hash, str(number), at, "system", "", "Smart Support", "purge", "x", "1"]
    texts += [""] * 6 + ["done", None, None, None, None, '{"rows": 3}']  # type: ignore[list-item]

    parts = ["-" if text is None else f"{len(text.encode())}:{text}," for text in texts]

    assert entry.hash == hashlib.sha256("".join(parts).encode()).hexdigest()


CUTS = {
    "changed": ("UPDATE {t} SET actor_name = 'alex' WHERE id = {n}", 0, "changed after it was written"),
    "moment": ("UPDATE {t} SET at = at - interval '1 microsecond' WHERE id = {n}", 0, "changed after"),
    "nulled": ("UPDATE {t} SET after = NULL WHERE id = {n}", 0, "changed after it was written"),
    "shifted": (
        "UPDATE {t} SET verb = 'chang', object_type = 'e' || object_type WHERE id = {n}",
        0,
        "changed",
    ),
    "removed": ("DELETE FROM {t} WHERE id = {n}", 0, "was removed"),
    "closed up": (
        "DELETE FROM {t} WHERE id = {n}; UPDATE {t} SET id = -id WHERE id > {n};"
        "UPDATE {t} SET id = -id - 1 WHERE id < 0",
        0,
        "does not follow",
    ),
    "swapped": (
        "UPDATE {t} SET id = -1 WHERE id = {n}; UPDATE {t} SET id = {n} WHERE id = {n} + 1;"
        "UPDATE {t} SET id = {n} + 1 WHERE id = -1",
        0,
        "does not follow",
    ),
    "end cut off": ("DELETE FROM {t} WHERE id > {n}", 1, "were removed"),
    "added behind its back": (
        "UPDATE smartsupport_audithead SET last_id = last_id + 1",
        5,
        "removed",
    ),
    "head lost": ("DELETE FROM smartsupport_audithead", None, "head record of the audit is missing"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("cut", CUTS)
def test_what_was_done_to_it_is_found_where_it_was_done(cut: str) -> None:
    numbers = write(6, after={"enabled": False})
    second = numbers[1]
    statement, later, words = CUTS[cut]
    with transaction.atomic():
        tamper(*statement.format(t=TABLE, n=second).split(";"))

        with pytest.raises(CommandError) as refused:
            call_command("verify_audit", stdout=StringIO())

        broken = 1 if later is None else second + later
        assert f"broken at entry {broken}:" in str(refused.value)
        assert words in str(refused.value)
        transaction.set_rollback(True)
    assert chain.verify().broken_at is None


@pytest.mark.django_db
def test_an_end_that_was_cut_off_together_with_its_head_is_found_by_a_noted_anchor() -> None:
    numbers = write(4)
    noted = AuditEntry.objects.get(pk=numbers[-1])
    kept = AuditEntry.objects.get(pk=numbers[1])
    with transaction.atomic():
        tamper(
            f"DELETE FROM {TABLE} WHERE id > {kept.pk}",
            f"UPDATE smartsupport_audithead SET last_id = {kept.pk}, last_hash = '{kept.hash}'",
        )

        assert chain.verify().broken_at is None
        with pytest.raises(CommandError, match="the end was removed"):
            call_command("verify_audit", anchor=[f"{noted.pk}:{noted.hash}"], stdout=StringIO())
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_a_chain_that_was_written_anew_is_found_by_a_noted_anchor() -> None:
    first = write(1)[0]
    noted = "ab" * 32

    with pytest.raises(
        CommandError, match=f"broken at entry {first}: Its hash is not the one that was noted"
    ):
        call_command("verify_audit", anchor=[f"{first}:{noted}"], stdout=StringIO())
    for wrong in ("12", "x:y", f"{first}:{noted}0"):
        with pytest.raises(CommandError, match="is no anchor"):
            call_command("verify_audit", anchor=[wrong], stdout=StringIO())


@pytest.mark.django_db
def test_it_is_walked_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_PAGE", chain._PAGE.replace(f"LIMIT {chain.ROWS_AT_ONCE}", "LIMIT 2"))
    monkeypatch.setattr(chain, "ROWS_AT_ONCE", 2)
    write(5)
    told: list[int] = []

    verdict = chain.verify(told=told.append)

    assert (verdict.broken_at, verdict.count) == (None, AuditEntry.objects.count())
    assert len(told) == verdict.count // 2


REFUSED = {
    "update": "UPDATE {t} SET verb = 'x'",
    "delete": "DELETE FROM {t}",
    "truncate": "TRUNCATE {t}",
    "head update": "UPDATE smartsupport_audithead SET last_id = 0",
    "head delete": "DELETE FROM smartsupport_audithead",
    "head truncate": "TRUNCATE smartsupport_audithead",
}


@pytest.mark.django_db
@pytest.mark.parametrize("attempt", REFUSED)
def test_even_the_owner_and_a_superuser_are_refused_by_the_triggers(attempt: str) -> None:
    number = write(1)[0]

    for replica in ("origin", "replica"):  # what switches ordinary triggers off does not switch these off
        if replica == "replica" and attempt.startswith("head"):
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL session_replication_role = {replica}")
            with pytest.raises(DatabaseFault, match="append-only"), transaction.atomic():
                cursor.execute(REFUSED[attempt].format(t=TABLE))
            cursor.execute("SET LOCAL session_replication_role = origin")

    assert AuditEntry.objects.filter(pk=number, verb="change").exists()
    assert chain.verify().broken_at is None


@pytest.mark.django_db
def test_number_time_and_hash_cannot_be_chosen() -> None:
    before = write(1)[0]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {TABLE} (id, at, verb, outcome, previous_hash, hash)"
            " VALUES (999999999, '2001-01-01', 'x', 'done', 'y', 'z') RETURNING id, at > '2026-01-01', hash"
        )
        number, is_now, hashed = cursor.fetchone()

    assert (number, is_now, len(hashed)) == (before + 1, True, 64)
    assert chain.verify().broken_at is None


@pytest.mark.django_db(transaction=True)
def test_many_writers_at_once_make_one_chain() -> None:
    start = chain.verify().count

    def some(_: int) -> None:
        write(10)
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(some, range(8)))

    verdict = chain.verify()
    assert (verdict.broken_at, verdict.count) == (None, start + 80)


@pytest.fixture
def roles(transactional_db: None) -> Iterator[tuple[str, str]]:
    """The documented separation: a role that owns the audit and cannot log in, and the one that the product uses."""
    mark = uuid4().hex[:8]
    owner, app = f"audit_{mark}", f"app_{mark}"
    script = (Path(__file__).parents[2] / "docs" / "audit-owner.sql").read_text()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        before = cursor.fetchone()[0]
        cursor.execute(
            f"CREATE ROLE {app} LOGIN PASSWORD 'app'; GRANT ALL ON ALL TABLES IN SCHEMA public TO {app}"
        )
        cursor.execute(script.replace("smartsupport_audit_owner", owner).replace("smartsupport_app", app))
        cursor.execute(script.replace("smartsupport_audit_owner", owner).replace("smartsupport_app", app))
    yield owner, app
    with connection.cursor() as cursor:
        cursor.execute(f"REASSIGN OWNED BY {owner} TO {before}; DROP OWNED BY {owner}; DROP OWNED BY {app}")
        cursor.execute(f"DROP ROLE {owner}; DROP ROLE {app}")


def test_the_role_of_the_product_may_add_and_read_and_nothing_else(roles: tuple[str, str]) -> None:
    owner, app = roles
    parameters = connection_parameters(connection) | {"user": app, "password": "app"}
    count = AuditEntry.objects.count()

    with psycopg.connect(**parameters, autocommit=True) as product:
        added = product.execute(
            f"INSERT INTO {TABLE} (verb, outcome) VALUES ('change', 'done') RETURNING id"
        ).fetchone()
        assert added == (count + 1,)
        assert product.execute(f"SELECT count(*) FROM {TABLE}").fetchone() == (count + 1,)
        escapes = [
            *(text.format(t=TABLE) for text in REFUSED.values()),
            f"ALTER TABLE {TABLE} DISABLE TRIGGER ALL",
            f"DROP TABLE {TABLE}",
            f"DROP TRIGGER chain ON {TABLE}",
            f"CREATE TRIGGER own BEFORE INSERT ON {TABLE} FOR EACH ROW EXECUTE FUNCTION smartsupport_audit_refuse()",
            "CREATE OR REPLACE FUNCTION smartsupport_audit_refuse() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
            "ALTER FUNCTION smartsupport_audit_chain() OWNER TO CURRENT_USER",
            "SET session_replication_role = replica",
            f"SET ROLE {owner}",
        ]
        for escape in escapes:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                product.execute(escape)
        product.execute(f"GRANT UPDATE ON {TABLE} TO CURRENT_USER")  # a warning: nothing was granted
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            product.execute(f"UPDATE {TABLE} SET verb = 'x'")

    assert chain.verify() == chain.Verdict(count + 1, AuditEntry.objects.order_by("-pk")[0].hash)


@pytest.mark.django_db(transaction=True)
def test_flushing_the_database_leaves_the_audit() -> None:
    """Tests with their own transactions flush after each other; so does `manage.py flush`."""
    number = write(1)[0]

    call_command("flush", interactive=False, verbosity=0)

    assert AuditEntry.objects.filter(pk=number).exists()
    assert chain.verify().broken_at is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "kept"),
    [
        ({"password": "hunter2"}, '{"password": "[hidden]"}'),
        ({"key_hash": "ab12"}, '{"key_hash": "[hidden]"}'),
        ({"value": b"\x00\x01"}, '{"value": "[hidden]"}'),
        ({"note": "the key is sk_Q8hQz0abcdEF-_12"}, '{"note": "the key is [hidden]"}'),
        ({"m": ["Authorization: Bearer abcdefghij"]}, '{"m": ["Authorization: Bearer [hidden]"]}'),
        ({"a": {"b": {"api_key": "x"}}}, '{"a": {"b": {"api_key": "[hidden]"}}}'),
        (
            {"url": "https://u:pw@x.example/?token=abc"},
            '{"url": "https://u:[hidden]@x.example/?token=[hidden]"}',
        ),
        ({"n": float("nan"), "t": "a\x00b"}, '{"n": "nan", "t": "a\ufffdb"}'),
    ],
)
def test_secrets_are_never_kept(state: dict[str, object], kept: str) -> None:
    number = audit.write(actor=ACTOR, verb="change", before=state, detail=state)

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT before::text, detail::text FROM {TABLE} WHERE id = %s", [number])
        stored = cursor.fetchone()
    assert stored == (kept, kept)
    assert chain.verify().broken_at is None
