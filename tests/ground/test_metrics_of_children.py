"""What children of a jobs worker counted stays counted when they end, in files that do not become more and more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from smartsupport.metrics.ended import fold
from smartsupport.metrics.listening import FOLDER
from tests.ground.product import ROOT

CHILD = """
import sys
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
registry = CollectorRegistry()
jobs = Counter("jobs", "Jobs.", ["job"], registry=registry)
seconds = Histogram("seconds", "Seconds.", registry=registry, buckets=(1, 2))
running = Gauge("running", "Running.", registry=registry, multiprocess_mode="livesum")
for number in range(int(sys.argv[1])):
    jobs.labels("sweep").inc()
    seconds.observe(1.5)
    running.set(1)
print("counted", flush=True)
sys.stdin.read()
"""


def child(folder: Path, count: int) -> "subprocess.Popen[str]":
    """A process that has counted so often, and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(count)],
        cwd=ROOT,
        env=os.environ | {FOLDER: str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "counted\n"
    return process


def total(folder: Path, name: str) -> float:
    from prometheus_client.multiprocess import MultiProcessCollector

    found = MultiProcessCollector(None, str(folder)).collect()  # type: ignore[no-untyped-call]
    return sum(sample.value for family in found for sample in family.samples if sample.name == name)


def test_what_ended_children_counted_is_kept_in_one_file_of_each_kind(tmp_path: Path) -> None:
    children = [child(tmp_path, count) for count in (2, 3, 4)]
    before = [total(tmp_path, name) for name in ("jobs_total", "seconds_count", "seconds_sum", "running")]
    assert before == [9, 9, 13.5, 3]
    assert fold(tmp_path) == 0, "they live"

    for one in children[:2]:
        one.communicate()
    assert fold(tmp_path) == 6
    one_more = child(tmp_path, 5)
    one_more.communicate()
    assert fold(tmp_path) == 3
    (tmp_path / f"counter_{one_more.pid}.db").write_bytes(b"\1")  # it was killed while it made it
    assert fold(tmp_path) == 1

    after = [total(tmp_path, name) for name in ("jobs_total", "seconds_count", "seconds_sum", "running")]
    assert after == [14, 14, 21, 1], "what runs is no total"
    assert total(tmp_path, "seconds_bucket") == 28, "of those up to 2 seconds, and of all"
    living = children[2].pid
    names = {"counter_ended.db", "histogram_ended.db", f"counter_{living}.db", f"histogram_{living}.db"}
    assert {path.name for path in tmp_path.iterdir()} == names | {f"gauge_livesum_{living}.db"}
    children[2].communicate()


def test_a_disk_that_cannot_be_written_to_ends_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smartsupport.metrics import listening

    monkeypatch.delenv(FOLDER, raising=False)
    (tmp_path / "file").touch()

    assert listening.use_folder(tmp_path / "file") is False
    assert FOLDER not in os.environ
    listening.fold_ended()
    listening.remove_folder()
    assert (tmp_path / "file").exists()


def test_on_a_full_disk_no_child_begins_to_count_and_nothing_is_folded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smartsupport.metrics import ended, listening

    one = child(tmp_path, 2)
    one.communicate()
    monkeypatch.setenv(FOLDER, str(tmp_path))
    assert listening.counts_here()

    free = os.statvfs(tmp_path)
    monkeypatch.setattr(ended, "ROOM_BYTES", free.f_blocks * free.f_frsize + 1)

    assert not listening.counts_here()
    assert fold(tmp_path) == 0
    assert total(tmp_path, "jobs_total") == 2
