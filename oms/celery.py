"""The Celery application: `celery -A oms.celery worker --queues=...` and `celery -A oms.celery:clock beat`.

Each queue has a worker of its own, so that long jobs and slow systems keep nobody waiting; see WORKERS in the settings.
"""

import os
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from celery import Celery, signals
from celery.schedules import schedule

from oms.memory import settle

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oms.settings")

app = Celery("oms")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Beat only sends names at times: without tasks, models and views it starts sooner and needs half the memory.
clock = Celery("oms", fixups=[], set_as_current=False)
clock.config_from_object("django.conf:settings", namespace="CELERY")


def since_start() -> datetime:
    """A moment of a clock that nobody sets: were it the machine's, a day too far once would stop beat for that day."""
    return datetime.fromtimestamp(monotonic(), UTC)


STEADILY = schedule(2.0, nowfun=since_start)
for each in (app, clock):
    each.conf.beat_schedule = {
        "dispatch": {"task": "oms.tasks.dispatch", "schedule": STEADILY, "options": {"expires": 10}},
    }


def begin_small(**_: Any) -> None:
    """See `memory.settle`: before a pool forks, and when a worker of threads has loaded all."""
    settle()


for signal in (signals.worker_before_create_process, signals.worker_ready):
    signal.connect(begin_small)
