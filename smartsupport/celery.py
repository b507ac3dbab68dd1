"""The Celery application: `celery -A smartsupport worker` and `beat`."""

import logging.config
import warnings
from pathlib import Path
from typing import Any

import django
from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import (
    after_task_publish,
    beat_init,
    celeryd_init,
    heartbeat_sent,
    setup_logging,
    worker_shutdown,
)
from django.apps import apps
from django.conf import settings
from django_structlog.celery.steps import DjangoStructLogInitStep
from kombu.transport.redis import Channel

from smartsupport import startup
from smartsupport.last_answer import LastAnswer
from smartsupport.lib import liveness, observing

startup.read_settings()

# It warns root of pickled tasks; ours are JSON, and in a container there is often nobody but root.
warnings.filterwarnings("ignore", category=SecurityWarning)

# When the broker goes away while a task runs, kombu's channel wants to put the task back through the very connection
# that is gone, and the worker ends with an AttributeError. Every task of ours is found again by a sweep, so nothing
# needs putting back; what the broker still has as delivered comes again after `visibility_timeout`.
Channel.do_restore = False

app = Celery("smartsupport")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["worker"].add(DjangoStructLogInitStep)
app.steps["consumer"].add(LastAnswer)
app.autodiscover_tasks()


@setup_logging.connect
def log_like_everything_else(**_: Any) -> None:
    """Connecting here is what keeps Celery from setting up logging of its own."""
    logging.config.dictConfig(settings.LOGGING)


@setup_logging.connect
def make_room_for_the_schedule(**_: Any) -> None:
    """Beat keeps its schedule in a file, and would end without a word where the folder is missing."""
    Path(settings.CELERY_BEAT_SCHEDULE_FILENAME).parent.mkdir(parents=True, exist_ok=True)


@celeryd_init.connect
def need_the_servers(**_: Any) -> None:
    """A worker without its broker would only say every few seconds that it cannot reach it."""
    startup.require_servers()
    observing.tell("process_started", name="jobs")


@heartbeat_sent.connect
def worker_lives(**_: Any) -> None:
    """Every two seconds, by the loop that takes tasks from the broker."""
    liveness.say("jobs", settings.DATA_DIR)


@worker_shutdown.connect
def worker_leaves(**_: Any) -> None:
    liveness.silent("jobs", settings.DATA_DIR)
    observing.tell("process_leaves")


@beat_init.connect
def beat_lives(**_: Any) -> None:
    """Beat lives as long as the broker takes what it sends: every five seconds something is due."""
    from smartsupport import only_beat  # Django is loaded by now

    only_beat.wait_for_turn()
    liveness.say("beat", settings.DATA_DIR)
    after_task_publish.connect(_beat_has_sent)


def _beat_has_sent(**_: Any) -> None:
    liveness.say("beat", settings.DATA_DIR)


if not (apps.ready or apps.loading):  # `celery -A smartsupport`; every other program has loaded Django itself
    with startup.loading():
        django.setup()
        app.loader.import_default_modules()
