"""What the jobs and outbox subscribers of the tests do; also a worker in another process runs them."""

import os
import signal
import time
from pathlib import Path

from django.db import connection

from oms import files
from oms.errors import DomainError
from oms.models import Sku


def make_skus(progress):
    """As many SKUs as `count` says, with progress, counts, an error and a file."""
    count = progress.params["count"]
    for number in range(count):
        Sku.objects.create(code=f"{progress.job.id}-{progress.job.attempt}-{number}", name="made by a job")
        progress.step(number + 1, count, f"SKU {number + 1}")
    file = files.store("skus.csv", "text/csv", [b"SKU\r\n", b"1\r\n"])
    error = {"line": 3, "column": "SKU", "message": "<b>No.</b>", "raw": "x"}
    progress.finish({"summary": "All made.", "counts": {"Made": count}, "errors": [error]}, file)


def wait_midway(progress):
    """Make SKUs, say so by a file that holds this process's id, and go on when a file `go` appears."""
    folder = Path(progress.params["folder"])
    for number in range(10):
        Sku.objects.create(code=f"{progress.job.id}-{progress.job.attempt}-{number}", name="made by a job")
    progress.step(5, 10, "half")
    (folder / f"started-{progress.job.attempt}").write_text(str(os.getpid()))
    deadline = time.monotonic() + 300
    while not (folder / "go").exists():
        assert time.monotonic() < deadline
        progress.step(5, 10, "half")
        time.sleep(0.05)
    progress.finish({"counts": {"Made": 10}})


def refuse(progress):
    """Begin, then find that it cannot be done."""
    Sku.objects.create(code="half-done", name="made by a job")
    raise DomainError("Not on Sundays.")


def crash(progress):
    """A mistake of ours."""
    Sku.objects.create(code="half-done", name="made by a job")
    raise RuntimeError("secret detail")


def sleep(progress):
    """One long statement, without a word to `progress`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [progress.params["seconds"]])


def lose_connection(progress):
    """The server ends the session in the first attempt, as when it is restarted."""
    Sku.objects.create(code=f"{progress.job.attempt}", name="made by a job")
    if progress.job.attempt == 1:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def hear(message):
    """Make a SKU of each message, in the message's transaction; refuse as long as the payload's file exists."""
    Sku.objects.create(code=f"heard-{message.pk}", name=message.aggregate)
    if (path := message.payload.get("fails_while")) and Path(path).exists():
        raise RuntimeError(f"told to fail: {message.payload.get('why', '')}")


def die():
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)
