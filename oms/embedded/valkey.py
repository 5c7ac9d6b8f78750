"""Valkey as a child: cache and task queue, append-only file on disk, on a free port of 127.0.0.1 with a password."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from oms.embedded.binaries import find_valkey
from oms.embedded.ports import HOST, start_on_free_port
from oms.embedded.state import State, write_private
from oms.embedded.supervisor import Service, Supervisor

CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir {folder}
daemonize no
appendonly {durable}
appendfsync everysec
save ""
maxmemory-policy noeviction
loglevel warning
"""
# The title would replace the command by which a leftover is known again. An old Redis does not know this setting.
TITLE = "set-proc-title no\n"


def start(supervisor: Supervisor, state: State) -> dict[str, str]:
    """Start the server of `state`; its URL by variable."""
    program, password = find_valkey(), state.passwords()["valkey"]
    configuration, folder = state.folder / "valkey.conf", state.folder / "valkey"
    folder.mkdir(mode=0o700, exist_ok=True)
    quoted = '"' + str(folder).replace("\\", "\\\\").replace('"', '\\"') + '"'
    durable = "yes" if state.durable else "no"
    template = CONFIGURATION + (TITLE if program.name == "valkey-server" else "")

    def url(port: int) -> str:
        return f"redis://:{password}@{HOST}:{port}/0"

    def service(port: int) -> Service:
        settings = template.format(host=HOST, port=port, password=password, folder=quoted, durable=durable)
        write_private(configuration, settings)
        client = quick_client(url(port))
        return Service(
            name="valkey",
            argv=[str(program), str(configuration)],
            env={},
            ready=lambda _pid: answers(client),
            grace=10.0,
        )

    return {"REDIS_URL": url(start_on_free_port(supervisor, service))}


def quick_client(url: str) -> redis.Redis:
    """A client for ready checks: it answers soon, and does not try again by itself."""
    return redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1, retry=Retry(NoBackoff(), 0))


def answers(client: redis.Redis) -> bool:
    """Whether the server answers; while it loads its file it refuses."""
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError):
        return False
    finally:
        client.close()
