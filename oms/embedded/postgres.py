"""PostgreSQL as a child: a cluster made once, a server on a free port of 127.0.0.1, two roles and one database.

Passwords are SCRAM and never on a command line. There is no unix socket: its path may be at most 107 bytes long, and
TCP is what production uses.
"""

import contextlib
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from oms.embedded.binaries import Postgres, User, can_enter, find_postgres, outside_folder, outside_name, server_user
from oms.embedded.console import Console
from oms.embedded.errors import CannotStart
from oms.embedded.ports import HOST, start_on_free_port
from oms.embedded.processes import HAS_PROC, find, wait_until, works_in
from oms.embedded.state import State, write_private
from oms.embedded.supervisor import Service, Supervisor

SUPERUSER, OWNER, APP, DATABASE = "postgres", "lotline_owner", "lotline_app", "lotline"
STOP_SECONDS = 20.0
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

    def service(self, port: int) -> Service:
        """The server on `port`."""
        settings = {**SETTINGS, **({} if self.durable else THROW_AWAY), "port": str(port)}
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return Service(
            name="postgres",
            argv=[str(self.programs.folder / "postgres"), "-D", str(self.data), *options],
            env=ENVIRONMENT,
            ready=lambda: _pid_file(self.data)[7:8] == ["ready"],
            user=self.user,
            stop_signal=signal.SIGINT,  # "fast": ends the sessions and writes a checkpoint
            hurry_signal=signal.SIGQUIT,  # "immediate": recovers at the next start
            grace=STOP_SECONDS,
        )


def start(supervisor: Supervisor, state: State) -> dict[str, str]:
    """Start the server of `state`, made first where there is none; the database URLs by variable."""
    passwords = state.passwords()
    cluster = _find_cluster(supervisor.console, state)
    _initialise(supervisor, cluster, passwords["superuser"])
    _clear_stale(cluster.data)
    port = start_on_free_port(supervisor, cluster.service)
    _provision(port, passwords, cluster.data)
    return {
        "DATABASE_URL": f"postgres://{APP}:{passwords['app']}@{HOST}:{port}/{DATABASE}",
        "DATABASE_OWNER_URL": f"postgres://{OWNER}:{passwords['owner']}@{HOST}:{port}/{DATABASE}",
    }


def _find_cluster(console: Console, state: State) -> Cluster:
    """Where the data is or will be: in the state folder, or where the server's user can reach it."""
    user = server_user()
    programs = find_postgres(user)
    if can_enter(user, state.folder):
        return Cluster(programs, user, state.folder / "postgres", state.durable)
    # The name goes with the passwords too: a state folder that was removed and made anew begins with an empty cluster.
    name = outside_name(state.folder, state.passwords()["superuser"])
    state.outside = outside_folder(name)
    state.outside.mkdir(mode=0o711, exist_ok=True)
    console.say(f"{state.folder} is out of reach of {user.name if user else 'you'}, so data is kept in {state.outside}")
    for older in state.outside.parent.glob(name.partition("-")[0] + "-*"):
        if older != state.outside:
            console.say(f"data of a removed state folder of the same name is in {older}; remove it if nobody needs it")
    return Cluster(programs, user, state.outside / "postgres", state.durable)


def _initialise(supervisor: Supervisor, cluster: Cluster, password: str) -> None:
    """Make the cluster's data folder if there is none; interrupted in the middle it leaves none."""
    data, half = cluster.data, cluster.data.with_name("postgres.new")
    if data.exists():
        return _check_version(cluster)
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    secret = data.with_name("postgres.password")
    write_private(secret, password)
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
        raise supervisor.died(made, f"failed with status {made.process.returncode}")
    half.rename(data)
    return None


def _check_version(cluster: Cluster) -> None:
    """Refuse data of another major version: PostgreSQL would too, in words that help nobody here."""
    major = (cluster.data / "PG_VERSION").read_text().strip()
    if major != str(cluster.programs.major):
        raise CannotStart(
            f"{cluster.data} was written by PostgreSQL {major}, and this start found {cluster.programs.major} "
            f"({cluster.programs.folder}). Dump it with the old version and load it into the new one, or move the "
            f"state folder away to begin anew."
        )


def _clear_stale(data: Path) -> None:
    """Remove the pid file of a server that was killed, once nothing works in `data` any more.

    PostgreSQL does so itself, unless the number in it belongs to some other process by now: then it refuses for ever.
    """
    if not (lines := _pid_file(data)):
        return
    pid = int(lines[0])
    found = find(pid)
    if found is not None and f"-D {data} " in f"{found.command} ":
        # Ours, started in the moment before the supervisor could record it; the lock says that it has no supervisor.
        os.kill(pid, signal.SIGINT)
    if not wait_until(lambda: not works_in(data), STOP_SECONDS):
        raise CannotStart(f"Processes {works_in(data)} still work in {data}. End them first.")
    if find(pid) is not None and HAS_PROC:
        (data / "postmaster.pid").unlink(missing_ok=True)


def _provision(port: int, passwords: dict[str, str], data: Path) -> None:
    """Make the two roles and the database, or bring them up to date. Passwords travel as SCRAM verifiers."""
    try:
        connection = psycopg.connect(
            host=HOST,
            port=port,
            user=SUPERUSER,
            password=passwords["superuser"],
            dbname="postgres",
            autocommit=True,
            connect_timeout=10,
        )
    except psycopg.OperationalError as error:
        raise CannotStart(
            f"PostgreSQL does not accept the password kept for {data}: {error}. Put the file `passwords` back, or move "
            f"the state folder away to begin anew."
        ) from error
    with contextlib.closing(connection):
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
