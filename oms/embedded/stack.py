"""Everything together on one state: servers, preparation, processes."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from oms.bootstrap import GIVEN, ROOT
from oms.embedded import postgres, valkey
from oms.embedded.children import Setting, children, command
from oms.embedded.errors import CannotStart
from oms.embedded.ports import HOST, free_port, is_free
from oms.embedded.processes import processes, works_in
from oms.embedded.state import State, write_private
from oms.embedded.supervisor import Service, Supervisor
from oms.memory import settle

DEFAULT_PORT = 8000
SERVERS = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")
SANDBOX = ("LOTLINE_SANDBOX_URL", "LOTLINE_SANDBOX_TOKEN")
# glibc would keep a heap for each thread, and what a large page or file has taken.
LITTLE_MEMORY = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072"}
# What other management commands need to work beside a running `up`; settings.py reads it from the env file. A backup
# must find the same files and keys.
SHARED = (
    *(*SERVERS, *SANDBOX, "SECRET_KEY", "SECRET_KEY_FALLBACKS", "LOTLINE_SECRETS_KEYS", "LOTLINE_FILES"),
    *("ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "LOTLINE_HTTPS"),
)


def pick_port(asked: str | None) -> int:
    """The port for web: the one asked for, else 8000, else any. Raises `CannotStart` if the one asked for is taken."""
    if not asked:
        return DEFAULT_PORT if is_free(DEFAULT_PORT) else free_port()
    if not asked.isdecimal() or not 0 < int(asked) < 65536:
        raise CannotStart(f"{asked!r} is not a port. Give a number from 1 to 65535.")
    if not is_free(int(asked)):
        raise CannotStart(f"Port {asked} is taken, or not yours to use. Stop what listens there, or ask for another.")
    return int(asked)


class Stack:
    """The servers and processes of one `state`.

    Servers named in the environment replace our own where `uses_given_servers`. Paths and secrets named there are used
    too, but never for a throw-away state: it must not touch what is in use.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        state: State,
        *,
        port: int,
        has_sandbox: bool = False,
        uses_given_servers: bool = True,
        is_talkative: bool = False,
    ) -> None:
        self.supervisor = supervisor
        self.state = state
        self.port = port
        self.sandbox_port = self._sandbox_port() if has_sandbox else None
        self.given_servers = {key: GIVEN[key] for key in SERVERS if key in GIVEN and uses_given_servers}
        self.is_talkative = is_talkative
        self.seconds: list[tuple[str, float]] = []
        self.environment: dict[str, str] = {}

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step and say that it is done."""
        started = time.monotonic()
        yield
        self.seconds.append((name, time.monotonic() - started))
        self.supervisor.console.say(f"{name}: {self.seconds[-1][1]:.1f} s")

    @property
    def setting(self) -> Setting:
        """What the processes must know."""
        return Setting(self.environment, self.port, self.state.folder, self.sandbox_port, self.is_talkative)

    # --- the servers --------------------------------------------------------------------------------------------------
    def start_servers(self) -> None:
        """Start the servers; `environment` is complete from now on."""
        found = dict(self.given_servers)
        if "DATABASE_URL" not in found:
            with self.step("postgres"):
                found |= postgres.start(self.supervisor, self.state)
        elif "DATABASE_OWNER_URL" not in found:
            raise CannotStart("DATABASE_URL is set, so set DATABASE_OWNER_URL too: migrations run as another role.")
        if "REDIS_URL" not in found:
            with self.step("valkey"):
                found |= valkey.start(self.supervisor, self.state)
        without_servers = {key: value for key, value in GIVEN.items() if key not in SERVERS}
        self.environment = {**without_servers, **self._settings(), **found}

    def _settings(self) -> dict[str, str]:
        """The variables that oms/settings.py reads, besides the servers'."""
        defaults = {
            "DJANGO_SETTINGS_MODULE": "oms.settings",
            "SECRET_KEY": self.state.passwords()["secret_key"],
            "ALLOWED_HOSTS": f"localhost,{HOST},[::1]",
            "CSRF_TRUSTED_ORIGINS": ",".join(f"http://{name}:{self.port}" for name in ("localhost", HOST)),
            "LOTLINE_HTTPS": "0",
            "LOTLINE_FILES": str(self.state.folder / "files"),
            "LOTLINE_STATIC_ROOT": str(self.state.folder / "static"),
            "LOG_LEVEL": "INFO" if self.is_talkative else "WARNING",
        }
        if self.sandbox_port is not None:
            token = self.state.passwords()["sandbox"]
            defaults |= dict(zip(SANDBOX, (f"http://{HOST}:{self.sandbox_port}", token), strict=True))
        asked = {key: GIVEN[key] for key in defaults if key in GIVEN and self.state.durable}
        found = {**defaults, **asked}
        return {
            **found,
            "LOTLINE_FILES": str(ROOT / found["LOTLINE_FILES"]),  # the children work in ROOT, other commands anywhere
            "LOTLINE_STATE": str(self.state.folder),
            "LOTLINE_VENV": "off",  # a child runs in the environment of this process
            "PYTHONUNBUFFERED": "1",
            **LITTLE_MEMORY,
        }

    def share(self) -> None:
        """Let other management commands of this copy work on these servers."""
        self.state.write_env({key: self.environment[key] for key in SHARED if key in self.environment})

    def _sandbox_port(self) -> int | None:
        """The same at each start where it can be, for connections know its address; None where one is given already."""
        if SANDBOX[0] in GIVEN and self.state.durable:
            return None
        kept = self.state.folder / "sandbox.port"
        before = kept.read_text() if kept.exists() else ""
        port = int(before) if before.isdecimal() and is_free(int(before)) else free_port()
        write_private(kept, str(port))
        return port

    # --- Lotline's own processes --------------------------------------------------------------------------------------
    def run(self, service: Service) -> None:
        """Run a child to its end. Raises `ChildDied` if it fails."""
        ended = self.supervisor.run(service)
        if ended.process.returncode:
            raise self.supervisor.died(ended, f"failed with status {ended.process.returncode}")

    def prepare(self, *, demo: bool) -> list[str]:
        """Migrate, collect static files, load the demo data into an empty database; lines on who can sign in there."""
        report = self.state.folder / "prepare.json"
        options = [f"--report={report}", *([] if demo else ["--no-demo"])]
        with self.step("prepare"):
            self.run(command(self.setting, "prepare", *options))
        found: list[str] = json.loads(report.read_text())["cast"]
        return found

    def start_children(self) -> None:
        """Start all of Lotline's own processes at once, and wait until each is ready."""
        services = children(self.setting)
        with self.step(", ".join(service.name for service in services)):
            self.supervisor.wait_ready([self.supervisor.start(service) for service in services])
        settle()  # from now on this process only watches

    def smoke(self) -> None:
        """Use the running set as people do; its steps are added to `seconds`."""
        report = self.state.folder / "smoke.json"
        service = command(self.setting, "smoke", f"http://{HOST}:{self.port}", f"--report={report}")
        self.run(replace(service, quiet=False))
        self.seconds += [(name, seconds) for name, seconds in json.loads(report.read_text())]


def leftovers(folder: Path) -> list[str]:
    """Processes that still belong to a stopped throw-away state; there must be none."""
    named = [process for process in processes() if str(folder) in process.command]
    working = works_in(folder / "postgres")
    return [f"{process.pid} {process.command}" for process in named] + [
        f"{process.pid} in postgres/" for process in working
    ]
