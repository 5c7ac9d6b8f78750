"""A real Celery worker on the test database: a process of its own that tests may kill. It serves all queues, with beat.

    from tests import worker_process

    worker = worker_process.worker  # the fixture

    @pytest.mark.commits("another process looks at the rows")
    def test_...(worker): ...

The worker sees what is committed, so such tests are transaction tests; a module of them shares one worker. It runs with
`tests.worker_settings`, which adds the jobs and subscribers of `tests.oms.runners`, and takes every due row of the test
database, so a test that looks at due rows or at the queue itself belongs into another module.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import connections

from oms.celery import app

ROOT = Path(__file__).resolve().parent.parent


def wait_until(is_so: Callable[[], object], *, what: str, seconds: float = 60) -> object:
    """What `is_so` answers once that is true; fails with `what` after a deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := is_so():
            return found
        time.sleep(0.05)
    pytest.fail(f"Not within {seconds:.0f} s: {what}")


class WorkerProcess:
    """One `celery worker --beat` with two children; or another, by its command line."""

    def __init__(self, folder: Path, argv: Sequence[str] = (), env: Mapping[str, str] | None = None) -> None:
        self.log = folder / "worker.log"
        both = (
            *(sys.executable, "-m", "celery", "--quiet", "-A", "oms.celery", "worker"),
            *("--beat", f"--schedule={folder / 'beat'}", "--concurrency=2", "--loglevel=INFO"),
            *("--without-gossip", "--without-mingle"),
        )
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                argv or both,
                cwd=ROOT,
                env={**environment(), **(env or {})},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process that hands tasks to its children."""
        return self._process.pid

    def children(self) -> set[int]:
        """The pids of the processes that run tasks now; a killed one is replaced by another."""
        pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        return {pid for pid in pids if _parent(pid) == self.pid}

    def wait_until_ready(self, queue: str = "celery") -> None:
        """Until a task that was sent has run."""
        nonce = uuid4().hex
        app.send_task("oms.tasks.ping", args=[nonce], queue=queue)
        wait_until(lambda: cache.get(f"lotline:ping:{nonce}") or self._process.poll() is not None, what=self.said())
        assert self._process.poll() is None, self.said()

    def said(self) -> str:
        """Its log."""
        return f"the worker answers. Its log:\n{self.log.read_text()}"

    def stop(self) -> None:
        """End it and its children, warmly where it listens."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it ended meanwhile
        return 0


def environment() -> dict[str, str]:
    """The environment of a process that works on the test database with the settings of tests."""
    urls = {}
    for alias, variable in (("default", "DATABASE_URL"), ("owner", "DATABASE_OWNER_URL")):
        parts = connections[alias].settings_dict
        assert parts["NAME"].startswith("test_"), parts["NAME"]
        password = f":{parts['PASSWORD']}" if parts["PASSWORD"] else ""
        urls[variable] = f"postgres://{parts['USER']}{password}@{parts['HOST']}:{parts['PORT']}/{parts['NAME']}"
    return {**os.environ, **urls, "DJANGO_SETTINGS_MODULE": "tests.worker_settings"}


@pytest.fixture(scope="module")
def worker(django_db_setup, django_db_blocker, tmp_path_factory):
    """A running WorkerProcess for the tests of a module."""
    process = WorkerProcess(tmp_path_factory.mktemp("worker"))
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.stop()
