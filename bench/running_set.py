"""`manage.py up` with a state folder of its own, from outside: started, asked, filled up, and killed."""

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oms.bootstrap import GIVEN, ROOT
from oms.embedded.children import is_healthy
from oms.embedded.ports import HOST, free_port
from oms.embedded.processes import find, processes, wait_until, works_in

START_SECONDS = 240.0
OURS = ("LOTLINE_", "DATABASE_", "REDIS_", "DJANGO_", "SECRET_", "ALLOWED_", "CSRF_", "LOG_", "PORT")
SLUGS = "from oms.models import Account; print(*Account.objects.values_list('slug', flat=True))"
STEPS = "from oms import smoke; [getattr(smoke, name)({url!r}) for name in {names!r}]"
WORKS = ("answers", "workers_run_tasks", "beat_sends_tasks")
CHAIN = ("replenishment_becomes_ready", "ledger_is_sound")


class RunningSet:
    """The set on one `folder`, as often as it is started. What it says goes to a file beside the folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.port, self.log = folder, free_port(), folder.with_suffix(".log")
        shell = {key: value for key, value in GIVEN.items() if not key.startswith(OURS)}
        self.environment = {**shell, "LOTLINE_VENV": "off", "LOTLINE_STATE": str(folder)}
        self.process: subprocess.Popen[bytes] | None = None

    # --- as a person starts and stops it ------------------------------------------------------------------------------
    def start(self) -> None:
        """Start it and wait until it answers. Raises RuntimeError with its last words where it does not."""
        argv = [sys.executable, str(ROOT / "manage.py"), "up", f"--port={self.port}"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, env=self.environment, stdout=log, stderr=log, start_new_session=True)
        wait_until(lambda: self.has_ended or self.is_up, START_SECONDS)
        if not self.is_up:
            raise RuntimeError(f"did not start: {self.said()}")

    def stop(self) -> None:
        """As Ctrl-C does."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(120)

    @property
    def is_up(self) -> bool:
        """All children are there, and web answers."""
        return not self.has_ended and "beat" in self.children() and is_healthy(self.port)

    @property
    def has_ended(self) -> bool:
        """Whether its supervisor has gone."""
        return self.process is None or self.process.poll() is not None

    def said(self) -> str:
        """Its last words."""
        return self.log.read_text(errors="replace")[-2000:]

    # --- what it is made of -------------------------------------------------------------------------------------------
    def children(self) -> dict[str, int]:
        """Name → process of each child that was started."""
        found = {}
        for file in (self.folder / "pids").glob("*.json"):
            with suppress(FileNotFoundError, ValueError):  # it is just being replaced
                found[re.sub(r"-?\d+$", "", file.stem)] = int(json.loads(file.read_text())["pid"])
        return found

    def everything(self) -> set[int]:
        """All processes of the set, those of PostgreSQL and the supervisor among them."""
        roots = {*self.children().values(), *self.supervisor()}
        own = {each.pid for each in processes() if each.group in roots or str(self.folder) in each.command}
        return own | roots | {each.pid for each in works_in(self._data())}

    def supervisor(self) -> set[int]:
        """The one that watches."""
        return {self.process.pid} if self.process else set()

    def _data(self) -> Path:
        """PostgreSQL's folder, wherever it had to be."""
        command = find(self.children().get("postgres", 0))
        found = re.search(r" -D (\S+) ", f"{command.command} ") if command else None
        return Path(found[1]) if found else self.folder / "postgres"

    def kill(self, pids: Collection[int]) -> None:
        """SIGKILL, which nobody hears, for each."""
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process and self.process.pid in pids:
            self.process.wait(60)

    # --- what it does -------------------------------------------------------------------------------------------------
    def manage(self, *arguments: str) -> str:
        """A management command beside it; what it says. Raises RuntimeError where it fails."""
        argv = [sys.executable, str(ROOT / "manage.py"), *arguments]
        done = subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{arguments[0]}: {(done.stderr or done.stdout)[-2000:]}")
        return done.stdout

    def works(self) -> None:
        """Web answers, each worker takes a task, and beat sends the dispatcher; RuntimeError where not."""
        self._steps(WORKS)

    def receives(self) -> None:
        """A replenishment goes through the pages and the sandbox warehouse to Ready; RuntimeError where not."""
        self._steps(CHAIN)

    def leave_mark(self) -> str:
        """Confirm a fact that must outlive everything: an account; its name."""
        slug = f"m{secrets.token_hex(6)}"
        self.manage("create_account", f"--name={slug}", f"--slug={slug}", f"--admin={slug}@example.com")
        return slug

    def keeps(self, marks: Iterable[str]) -> None:
        """The ledger is sound and every mark is there; RuntimeError where not."""
        self.manage("check_ledger")
        if gone := set(marks) - set(self._shell(SLUGS).split()):
            raise RuntimeError(f"what was confirmed before is gone: {', '.join(sorted(gone))}")

    def _steps(self, names: Collection[str]) -> None:
        """Steps of `up --check`, each of which raises where it does not see what it looks for."""
        self._shell(STEPS.format(url=f"http://{HOST}:{self.port}", names=names))

    def _shell(self, code: str) -> str:
        return self.manage("shell", "--no-imports", "--command", code)

    def run_as_owner(self, sql: str) -> None:
        """A statement as the owner of the tables."""
        self._shell(f"from django.db import connections; connections['owner'].cursor().execute({sql!r})")


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """`folder` as a file system of its own of that size; False where nobody but root may make one, or not here."""
    mount, options = shutil.which("mount"), ("-t", "tmpfs", "-o", f"size={megabytes}M,mode=755", "tmpfs", str(folder))
    if os.geteuid() or not mount or subprocess.run([mount, *options], capture_output=True, check=False).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run([str(shutil.which("umount")), "--lazy", str(folder)], check=True)


def fill(file: Path) -> None:
    """Write into `file` until nothing more goes onto its disk."""
    with suppress(OSError), file.open("wb", buffering=0) as filling:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while filling.write(bytes(size)):
                    pass
