"""The port on which one process shows its numbers: METRICS_PORT of METRICS_HOST, beside whatever else it serves.

A jobs worker runs its jobs in child processes; they write their numbers into files of a folder, which the parent adds
up when it is asked (prometheus_client's multiprocess mode).
"""

import os
import shutil
import struct
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings

from smartsupport.lib import observing

if TYPE_CHECKING:
    from prometheus_client import Metric

log = structlog.get_logger(__name__)
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
READINGS = 5
PAUSE_SECONDS = 0.05


class _Children:
    """What all children have counted. A file that one is just making cannot be read yet: then all are read again."""

    def __init__(self, files: Any) -> None:
        self._files = files

    def collect(self) -> "Iterable[Metric]":
        from smartsupport.metrics.ended import reading

        for _ in range(READINGS - 1):
            try:
                with reading:
                    return list(self._files.collect())
            except (struct.error, ValueError, RuntimeError):
                threading.Event().wait(PAUSE_SECONDS)
        with reading:
            return list(self._files.collect())


def use_folder(directory: Path) -> bool:
    """Count in files below `directory`, for processes that are yet to be forked. Before anything counts. False where
    nothing can be written there, which the log tells: then the jobs are not counted."""
    folder = directory / f"metrics-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        log.error("metrics_folder_not_made", folder=str(folder), error=str(error))
        return False
    os.environ[FOLDER] = str(folder)
    return True


def fold_ended(**_: Any) -> None:
    """Make one file of those of the children that have ended. In their parent, as often as one likes."""
    from smartsupport.metrics.ended import fold

    if folder := os.environ.get(FOLDER):
        fold(Path(folder))


def counts_here() -> bool:
    """Whether a child that begins now may count: not on a disk that is full, which the log tells."""
    from smartsupport.metrics.ended import has_room

    folder = os.environ.get(FOLDER)
    if not folder or has_room(Path(folder)):
        return True
    log.error("metrics_disk_full", folder=folder)
    return False


def remove_folder() -> None:
    if folder := os.environ.pop(FOLDER, ""):
        shutil.rmtree(folder, ignore_errors=True)


def begin() -> observing.Observer:
    """Count from now on, and show it; who counts. A port that is taken is an error in the log, and nothing else:
    counting is not worth a process that does not start."""
    from prometheus_client import (
        CollectorRegistry,
        ProcessCollector,
        disable_created_metrics,
        start_http_server,
    )
    from prometheus_client.multiprocess import MultiProcessCollector

    from smartsupport.metrics.counting import Counting

    disable_created_metrics()  # type: ignore[no-untyped-call]
    counted = CollectorRegistry()
    told = Counting(counted).told
    observing.observe(told)
    shown = counted
    if FOLDER in os.environ:
        shown = CollectorRegistry()
        shown.register(_Children(MultiProcessCollector(None)))  # type: ignore[no-untyped-call]
    ProcessCollector(registry=shown)
    try:
        server, _ = start_http_server(settings.METRICS_PORT, settings.METRICS_HOST, shown)
    except OSError as error:
        log.error("metrics_port_not_opened", port=settings.METRICS_PORT, error=str(error))
        return told
    log.info("metrics_shown", host=settings.METRICS_HOST, port=server.server_port)
    return told
