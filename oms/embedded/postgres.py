"""PostgreSQL as a child: a cluster made once, a server on a free port of 127.0.0.1, two roles and one database.

Ready is a server that says so in the pid file under its own process number and lets its superuser in. After a crash or
a power cut it first recovers what it wrote last, which may take minutes: as long as it gets on, that is waited for.

Passwords are SCRAM and never on a command line. There is no unix socket: its path may be at most 107 bytes long, and
TCP is what production uses.
"""

import contextlib
import os
import shutil
import signal
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from oms.database.faults import Fault, fault_of, is_passing
from oms.embedded.binaries import Postgres, User, can_enter, find_postgres, outside_folder, outside_name, server_user
from oms.embedded.console import Console
from oms.embedded.errors import CannotStart
from oms.embedded.ports import HOST, start_on_free_port
from oms.embedded.processes import HAS_PROC, Process, find, signal_process, wait_until, works_in
from oms.embedded.state import State, sync_folder, write_private
from oms.embedded.supervisor import Service, Supervisor

SUPERUSER, OWNER, APP, DATABASE = "postgres", "lotline_owner", "lotline_app", "lotline"
STOP_SECONDS = 20.0
READY_SECONDS = 120.0
PROGRESS = "elapsed time: "
"""What each line holds by which a server that recovers says every ten seconds how far it is."""
# Modest on purpose: the whole set idles in well under 600 MB.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "huge_pages": "off",
    "log_checkpoints": "off",
    "log_line_prefix": "",
    "log_startup_progress_interval": "10s",
}
THROW_AWAY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
# Nothing of the caller's environment is passed on: it may hold PG* variables, and nobody cannot read its home.
ENVIRONMENT = {"PATH": os.defpath, "HOME": "/", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True)
class Cluster:
    """A data folder, and the programs and the user that serve it."""

    programs: Postgres
    user: User | None
    data: Path
    durable: bool
    password: str = field(repr=False)

    def service(self, port: int) -> Service:
        """The server on `port`."""
        settings = {**SETTINGS, **({} if self.durable else THROW_AWAY), "port": str(port)}
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return Service(
            name="postgres",
            argv=[str(self.programs.folder / "postgres"), "-D", str(self.data), *options],
            env=ENVIRONMENT,
            ready=partial(self.is_ready, port),
            ready_seconds=READY_SECONDS,
            progress=PROGRESS,
            clear=partial(_clear_stale, self.data),
            user=self.user,
            stop_signal=signal.SIGINT,  # "fast": ends the sessions and writes a checkpoint
            hurry_signal=signal.SIGQUIT,  # "immediate": recovers at the next start
            grace=STOP_SECONDS,
        )

    def is_ready(self, port: int, pid: int) -> bool:
        """Whether the server with this process number lets its superuser in. Raises `CannotStart`: it never will."""
        lines = _pid_file(self.data)
        if (lines[:1], lines[7:8]) != ([str(pid)], ["ready"]):
            return False
        try:
            self.connect(port).close()
        except psycopg.Error as error:
            if is_passing(error):
                return False
            raise self.cannot(error) from error
        return True

    def connect(self, port: int) -> "psycopg.Connection[Any]":
        """A connection as the superuser."""
        return psycopg.connect(
            host=HOST,
            port=port,
            user=SUPERUSER,
            password=self.password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=3,
        )

    def cannot(self, error: psycopg.Error) -> CannotStart:
        """What to say of a server that runs and cannot be used."""
        if fault_of(error) == Fault.REFUSED:
            return CannotStart(
                f"PostgreSQL does not accept the password kept for {self.data}: {error}. Put the file `passwords` "
                f"back that was made with this data; the data is not touched."
            )
        if fault_of(error) == Fault.FULL:
            return CannotStart(
                f"The disk of {self.data} is full. Free some space there and start again; nothing is lost."
            )
        return CannotStart(f"PostgreSQL runs on {self.data} and cannot be used: {error}. Its own words say more.")


def start(supervisor: Supervisor, state: State) -> dict[str, str]:
    """Start the server of `state`, made first where there is none; the database URLs by variable."""
    passwords = state.passwords()
    cluster = _find_cluster(supervisor.console, state)
    _initialise(supervisor, cluster)
    if not wait_until(partial(_clear_stale, cluster.data), STOP_SECONDS):
        left = [process.pid for process in _servers_in(cluster.data)]
        raise CannotStart(f"Processes {left} still work in {cluster.data} and do not end. End them first.")
    port = start_on_free_port(supervisor, cluster.service)
    _provision(cluster, port, passwords)
    return {
        "DATABASE_URL": f"postgres://{APP}:{passwords['app']}@{HOST}:{port}/{DATABASE}",
        "DATABASE_OWNER_URL": f"postgres://{OWNER}:{passwords['owner']}@{HOST}:{port}/{DATABASE}",
    }


def _find_cluster(console: Console, state: State) -> Cluster:
    """Where the data is or will be: in the state folder, or where the server's user can reach it."""
    user, password = server_user(), state.passwords()["superuser"]
    programs = find_postgres(user)
    if can_enter(user, state.folder):
        return Cluster(programs, user, state.folder / "postgres", state.durable, password)
    # The name goes with the passwords too: a state folder that was removed and made anew begins with an empty cluster.
    name = outside_name(state.folder, password)
    state.outside = outside_folder(name)
    state.outside.mkdir(mode=0o711, exist_ok=True)
    console.say(f"{state.folder} is out of reach of {user.name if user else 'you'}, so data is kept in {state.outside}")
    for older in state.outside.parent.glob(name.partition("-")[0] + "-*"):
        if older != state.outside:
            console.say(f"data of an earlier state folder of the same name is kept in {older}")
    return Cluster(programs, user, state.outside / "postgres", state.durable, password)


def _initialise(supervisor: Supervisor, cluster: Cluster) -> None:
    """Make the cluster's data folder if there is none; interrupted in the middle it leaves none."""
    data, half = cluster.data, cluster.data.with_name("postgres.new")
    if data.exists():
        return _check_version(cluster)
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    secret = data.with_name("postgres.password")
    write_private(secret, cluster.password)
    if cluster.user is not None:
        for path in (half, secret):
            os.chown(path, cluster.user.uid, cluster.user.gid)
    supervisor.console.say(f"making a PostgreSQL {cluster.programs.major} cluster in {data}")
    argv = [str(cluster.programs.folder / "initdb"), "-D", str(half), "-U", SUPERUSER, "-A", "scram-sha-256"]
    argv += [f"--pwfile={secret}", "-E", "UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions"]
    argv += [] if cluster.durable else ["--no-sync"]
    try:
        made = supervisor.run(Service(name="initdb", argv=argv, env=ENVIRONMENT, user=cluster.user, quiet=True))
    finally:
        secret.unlink()
    if made.process.returncode:
        shutil.rmtree(half, ignore_errors=True)
        raise supervisor.died(made, f"failed with status {made.process.returncode}")
    half.rename(data)
    sync_folder(data.parent)
    return None


def _check_version(cluster: Cluster) -> None:
    """Refuse data of another major version: PostgreSQL would too, in words that help nobody here."""
    try:
        major = (cluster.data / "PG_VERSION").read_text().strip()
    except OSError as error:
        raise CannotStart(
            f"{cluster.data} is no whole PostgreSQL cluster (PG_VERSION: {error.strerror}). Put its folder back from a "
            f"backup; nothing in it was touched."
        ) from error
    if major != str(cluster.programs.major):
        raise CannotStart(
            f"{cluster.data} was written by PostgreSQL {major}, and this start found {cluster.programs.major} "
            f"({cluster.programs.folder}). Dump it with the old version and load it into the new one; it is "
            f"not touched."
        )


def _clear_stale(data: Path) -> bool:
    """Whether a server can start on `data`: nothing works there any more, and no pid file stands in the way.

    PostgreSQL removes the pid file of a server that was killed itself, unless the number in it belongs to some other
    process by now, or to one that is dead and that nobody has taken note of (a container whose first process does not),
    or a power cut has left no number in it: then it refuses for ever.
    """
    for process in _servers_in(data):
        # Ours: the state's lock says that it has no supervisor. A server was started in the moment before it could be
        # recorded; what has lost its server ends by itself, unless it is busy.
        signal_process(process.pid, signal.SIGINT if _is_started_on(data, process) else signal.SIGQUIT)
    if _servers_in(data):
        return False
    if HAS_PROC:
        (data / "postmaster.pid").unlink(missing_ok=True)
    return True


def _servers_in(data: Path) -> list[Process]:
    """The processes of a PostgreSQL server that work in `data`; a person's shell there is none of them.

    Whatever has the number in the pid file by now is one only if it says by its command that it was started on `data`:
    another server's processes are called `postgres: …` as ours are.
    """
    here = [p for p in works_in(data) if p.command.startswith("postgres:") or _is_started_on(data, p)]
    number = _number_in_pid_file(data)
    noted = find(number) if number is not None and number not in {p.pid for p in here} else None
    return [*here, noted] if noted is not None and _is_started_on(data, noted) else here


def _is_started_on(data: Path, process: Process) -> bool:
    return f"-D {data} " in f"{process.command} "


def _provision(cluster: Cluster, port: int, passwords: dict[str, str]) -> None:
    """Make the two roles and the database, or bring them up to date. Passwords travel as SCRAM verifiers."""
    try:
        with contextlib.closing(cluster.connect(port)) as connection:
            _make_roles(connection, passwords)
    except psycopg.Error as error:
        raise cluster.cannot(error) from error


def _make_roles(connection: "psycopg.Connection[Any]", passwords: dict[str, str]) -> None:
    for role, key, may_create in ((OWNER, "owner", "CREATEDB"), (APP, "app", "NOCREATEDB")):
        verifier = connection.pgconn.encrypt_password(passwords[key].encode(), role.encode(), b"scram-sha-256")
        known = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone()
        connection.execute(
            sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION {} PASSWORD {}").format(
                sql.SQL("CREATE" if known is None else "ALTER"),
                sql.Identifier(role),
                sql.SQL(may_create),
                sql.Literal(verifier.decode()),
            )
        )
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
        )


def _pid_file(data: Path) -> list[str]:
    """The lines of the server's pid file: the first is its process, the eighth says "ready"."""
    try:
        return [line.strip() for line in (data / "postmaster.pid").read_text().splitlines()]
    except OSError:
        return []


def _number_in_pid_file(data: Path) -> int | None:
    first = _pid_file(data)[:1]
    return int(first[0]) if first and first[0].isdecimal() else None
