"""Imports that are cancelled, doubled, late, or whose worker is killed."""

import signal
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from django.db import DatabaseError, OperationalError, connection
from django.utils import timezone
from pytest_django import Settings

from openapi_import import getting, holding, jobs, stages, sweeping
from openapi_import.holding import Held, LeaseLost
from openapi_import.models import Classification, ImportJob, ImportStatus
from openapi_import.signals import import_finished
from tests.at_once import at_once
from tests.openapi_import.far_side import PATIENCE_SECONDS, FarSide
from tests.openapi_import.far_side import far as far  # a fixture
from tests.openapi_import.import_jobs import (
    OPERATIONS,
    carried_out,
    left_by_a_dead_worker,
    now,
    rows,
    shop,
    submitted,
    text,
)

pytestmark = pytest.mark.django_db(transaction=True)

RUN_ONE = "import django, sys; django.setup(); from openapi_import import jobs; from uuid import UUID; "
RUN_ONE += "jobs.run(UUID(sys.argv[1]))"
STAGES = [ImportStatus.FETCHING, ImportStatus.VALIDATING, ImportStatus.PARSING, ImportStatus.CLASSIFYING]


@pytest.fixture(autouse=True)
def allowed(settings: Settings) -> None:
    settings.SAFE_HTTP_ALLOWED_HOSTS = ["127.0.0.1"]


def in_a_thread(job: ImportJob) -> threading.Thread:
    """Carry it out in a thread, as a worker would."""

    def work() -> None:
        try:
            jobs.run(job.pk)
        finally:
            connection.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def waits_for_a_reference(far: FarSide) -> tuple[ImportJob, threading.Event, Any]:
    """A job whose document refers to a server that never answers, and an event: that server is asked."""
    wire, asked = far.silent()
    document = shop()
    document["paths"] = {**document["paths"], "/more": {"$ref": f"{wire.url}/more.json"}}
    return submitted(content=text(document)), asked, wire


@pytest.mark.parametrize("stage", ["fetching", "reading"])
def test_cancelling_takes_effect_at_once_while_a_server_is_silent(
    far: FarSide, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getting, "SECONDS", 10 * PATIENCE_SECONDS)  # a fetch would wait for so long
    if stage == "fetching":
        wire, asked = far.silent()
        job = submitted(url=f"{wire.url}/o", headers={"X-Key": "v"})
    else:
        job, asked, wire = waits_for_a_reference(far)
    worker = in_a_thread(job)
    assert asked.wait(PATIENCE_SECONDS)

    assert jobs.cancel(job.pk, "ada").status == ImportStatus.CANCELLED
    worker.join(PATIENCE_SECONDS)

    assert not worker.is_alive()
    job = now(job)
    assert (job.status, job.lease, job.fetch_secret, rows(job)) == (ImportStatus.CANCELLED, None, "", [])
    assert len(wire.received) == 1


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_dead_worker_left_is_taken_up_where_it_was(
    far: FarSide, valkey: "redis.Redis", stage: ImportStatus
) -> None:
    wire = far.documents({"/o": shop()})
    job = carried_out(url=f"{wire.url}/o")
    fetched = stage != ImportStatus.FETCHING
    left_by_a_dead_worker(job, stage, **({} if fetched else {"content": None}))
    if stage == ImportStatus.PARSING:
        job.classifications.filter(index=2).delete()

    assert sweeping.sweep() == 1
    assert valkey.dbsize()
    jobs.run(job.pk)

    job = now(job)
    assert (job.status, job.attempts, rows(job)) == (ImportStatus.DONE, 2, OPERATIONS)
    assert len(wire.received) == (1 if fetched else 2)
    assert sweeping.sweep() == 0


def test_a_job_whose_worker_lives_is_left_alone() -> None:
    job = submitted()
    held = jobs.claim(job.pk)
    assert held is not None

    jobs.run(job.pk)

    assert sweeping.sweep() == 0
    assert (now(job).lease, now(job).attempts, rows(job)) == (held.lease, 1, [])


def test_a_job_whose_message_was_lost_is_found(valkey: "redis.Redis") -> None:
    submitted()
    valkey.flushdb()

    assert sweeping.sweep() == 1

    assert valkey.dbsize()


@pytest.mark.parametrize("stage", STAGES)
def test_a_job_that_kills_its_workers_is_given_up(stage: ImportStatus) -> None:
    told: list[Any] = []

    def note(sender: Any, **what: Any) -> None:
        told.append((what["job_id"], what["status"]))

    import_finished.connect(note)
    job = carried_out()
    left_by_a_dead_worker(job, stage, attempts=jobs.ATTEMPTS, fetch_secret="sealed")
    told.clear()

    assert jobs.claim(job.pk) is None
    assert at_once([sweeping.sweep, sweeping.sweep]).count(1) == 1
    jobs.run(job.pk)

    job = now(job)
    assert (job.status, job.error_stage, job.lease, job.fetch_secret) == (
        ImportStatus.FAILED,
        stage,
        None,
        "",
    )
    assert "3 times" in job.error_message
    assert rows(job) == (OPERATIONS if stage == ImportStatus.CLASSIFYING else [])
    assert told == [(job.pk, "failed")]
    jobs.retry(job.pk, "ada")
    jobs.run(job.pk)
    assert (now(job).status, now(job).attempts, rows(job)) == (ImportStatus.DONE, 1, OPERATIONS)


def test_two_workers_on_one_job_do_it_once() -> None:
    told: list[UUID] = []

    def note(sender: Any, job_id: UUID, **what: Any) -> None:
        told.append(job_id)

    import_finished.connect(note)
    job = submitted()

    outcomes = at_once([lambda: jobs.run(job.pk) for _ in range(4)])

    assert outcomes == [None] * 4
    assert (now(job).status, now(job).attempts, rows(job)) == (ImportStatus.DONE, 1, OPERATIONS)
    assert told == [job.pk]


def test_only_so_many_run_at_once_and_the_next_one_is_told_when_one_ends(valkey: "redis.Redis") -> None:
    waiting = [submitted() for _ in range(jobs.RUNNING_AT_ONCE + 1)]
    holds = at_once([lambda job=job: jobs.claim(job.pk) for job in waiting])

    held = [one for one in holds if isinstance(one, Held)]
    assert len(held) == jobs.RUNNING_AT_ONCE
    assert holds.count(None) == 1
    late = waiting[holds.index(None)]
    jobs.run(late.pk)
    assert (now(late).status, now(late).attempts) == (ImportStatus.PENDING, 0)

    held[0].end(ImportStatus.FAILED)
    jobs.run(late.pk)
    assert now(late).status == ImportStatus.DONE


def late_writes(held: Held) -> list[Any]:
    row = Classification(job_id=held.job_id, index=77, name="late", access_type="read", approval="none")

    def rows_of_a_batch() -> None:
        with held.writing(total_endpoints=77):
            row.save()

    return [
        lambda: held.write(title="late"),
        lambda: held.enter(ImportStatus.PARSING),
        lambda: held.end(ImportStatus.DONE),
        lambda: held.end(ImportStatus.FAILED, keep_rows=False, error_message="late"),
        rows_of_a_batch,
    ]


@pytest.mark.parametrize("because", ["another worker", "cancelled", "cancelled and tried again", "ended"])
def test_a_worker_that_comes_too_late_writes_nothing(because: str) -> None:
    job = carried_out()
    ImportJob.objects.filter(pk=job.pk).update(status=ImportStatus.PENDING)
    held = jobs.claim(job.pk)
    assert held is not None
    match because:
        case "another worker":
            left_by_a_dead_worker(job, ImportStatus.PARSING)
            assert jobs.claim(job.pk)
        case "cancelled":
            jobs.cancel(job.pk, "ada")
        case "cancelled and tried again":
            jobs.cancel(job.pk, "ada")
            jobs.retry(job.pk, "ada")
            jobs.claim(job.pk)
        case "ended":
            held.end(ImportStatus.DONE)
    before = ImportJob.objects.values().get(pk=job.pk), rows(job)

    for write in late_writes(held):
        with pytest.raises(LeaseLost):
            write()

    assert held.stop()
    assert (ImportJob.objects.values().get(pk=job.pk), rows(job)) == before


def test_a_worker_that_lost_its_job_while_reading_writes_nothing_more(far: FarSide) -> None:
    job, asked, _ = waits_for_a_reference(far)
    worker = in_a_thread(job)
    assert asked.wait(PATIENCE_SECONDS)
    another = left_by_a_dead_worker(job, ImportStatus.PARSING)

    worker.join(PATIENCE_SECONDS)

    assert not worker.is_alive()
    assert (now(job).status, now(job).lease, rows(job)) == (ImportStatus.PARSING, another, [])


def test_a_batch_and_a_cancellation_do_not_mix() -> None:
    """Whoever cancels waits for the batch that is being written, and then deletes it with the others."""
    job = submitted()
    held = jobs.claim(job.pk)
    assert held is not None
    row = Classification(job_id=job.pk, index=0, name="x", access_type="read", approval="none")

    def batch() -> None:
        with held.writing(classified_count=1):
            row.save()

    outcomes = at_once([batch, lambda: jobs.cancel(job.pk, "ada")])

    assert isinstance(outcomes[1], ImportJob)
    assert outcomes[0] is None or isinstance(outcomes[0], LeaseLost)
    assert (now(job).status, rows(job)) == (ImportStatus.CANCELLED, [])


def test_progress_is_written_about_twice_a_second_and_renews_the_lease(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    moments = iter(range(1_000))
    # A hundred looks at the clock a second.
    monkeypatch.setattr(holding, "time", SimpleNamespace(monotonic=lambda: next(moments) / 100))
    job = submitted()
    held = jobs.claim(job.pk)
    assert held is not None
    held.enter(ImportStatus.PARSING, total=100_000)
    first = now(job).leased_until

    with django_assert_num_queries(3):
        for done in range(1, 51 * 3 + 20):  # a write looks at the clock once more
            held.progress(done, 100_000)

    job = now(job)
    assert 51 * 3 - 4 <= job.stage_done <= 51 * 3
    assert job.stage_total == 100_000
    assert first
    assert job.leased_until
    assert job.leased_until > first


def test_a_connection_to_the_database_that_breaks_is_survived(far: FarSide) -> None:
    job, asked, wire = waits_for_a_reference(far)
    broke: list[Exception] = []

    def work() -> None:
        try:
            jobs.run(job.pk)
        except DatabaseError as error:
            broke.append(error)
        finally:
            connection.close()

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    assert asked.wait(PATIENCE_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    worker.join(PATIENCE_SECONDS)

    assert not worker.is_alive()
    assert [type(error) for error in broke] == [OperationalError]
    assert (now(job).running, rows(job)) == (True, []), "nothing could be written, not even that it failed"
    far.do(wire.__aexit__())
    ImportJob.objects.filter(pk=job.pk).update(leased_until=timezone.now())
    jobs.run(job.pk)
    assert (now(job).status, now(job).attempts, rows(job)) == (ImportStatus.DONE, 2, OPERATIONS)
    # The pool is still busy replacing what was cut: the next test begins with a new one.
    connection.close()
    connection.close_pool()


def test_a_fault_of_our_own_is_told_without_its_details(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job = submitted()

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("the divisor")

    with monkeypatch.context() as patched:
        patched.setattr(stages.difference, "compare", broken)
        jobs.run(job.pk)

    job = now(job)
    assert (job.status, job.error_stage) == (ImportStatus.FAILED, ImportStatus.CLASSIFYING)
    assert job.error_message.startswith("Something went wrong on our side.")
    assert "divisor" in caplog.text
    assert rows(job) == OPERATIONS, "what was read is kept"
    assert jobs.retry(job.pk, "ada").status == ImportStatus.CLASSIFYING
    jobs.run(job.pk)
    assert (now(job).status, rows(job)) == (ImportStatus.DONE, OPERATIONS)


def test_a_worker_that_is_killed_is_survived(
    far: FarSide, server_environment: dict[str, str], settings: Settings
) -> None:
    job, asked, wire = waits_for_a_reference(far)
    environment = server_environment | {"SAFE_HTTP_ALLOWED_HOSTS": "127.0.0.1"}

    worker = subprocess.Popen([sys.executable, "-c", RUN_ONE, str(job.pk)], env=environment)
    try:
        assert asked.wait(PATIENCE_SECONDS)
        worker.send_signal(signal.SIGKILL)
        assert worker.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    finally:
        worker.kill()
    assert now(job).running
    jobs.run(job.pk)
    assert now(job).attempts == 1, "its lease has not run out"
    ImportJob.objects.filter(pk=job.pk).update(leased_until=timezone.now())
    far.do(wire.__aexit__())
    assert sweeping.sweep() == 1
    jobs.run(job.pk)

    job = now(job)
    assert (job.status, job.attempts) == (ImportStatus.DONE, 2), job.error_message
    assert rows(job) == OPERATIONS
    assert any("more" in fault["pointer"] for fault in job.faults), job.faults


def test_a_database_that_goes_away_while_rows_are_copied_in_fails_no_import() -> None:
    job = submitted()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE SEQUENCE inserted; CREATE FUNCTION go_away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF nextval('inserted') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; "
            "END $$; CREATE TRIGGER go_away BEFORE INSERT ON openapi_import_classification "
            "FOR EACH ROW EXECUTE FUNCTION go_away()"
        )
    try:
        with pytest.raises(DatabaseError):
            jobs.run(job.pk)
        connection.close()
        assert now(job).running, now(job).error_message
        ImportJob.objects.filter(pk=job.pk).update(leased_until=timezone.now())
        jobs.run(job.pk)
    finally:
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION go_away CASCADE; DROP SEQUENCE inserted")

    assert (now(job).status, now(job).attempts, rows(job)) == (ImportStatus.DONE, 2, OPERATIONS)


def test_nobody_claims_what_does_not_exist() -> None:
    assert jobs.claim(uuid4()) is None
