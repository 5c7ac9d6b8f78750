"""Lotline's own processes as data. A further process is one more function here and one more line in `children`."""

import http.client
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import redis
from django.conf import settings

from oms.bootstrap import GIVEN, ROOT
from oms.embedded.ports import HOST
from oms.embedded.supervisor import Service
from oms.embedded.valkey import quick_client

# Celery's warning; that this runs as root is the choice of whoever started it.
AS_ROOT = "ignore:You're running the worker with superuser privileges"
MOST_KILOBYTES = 300_000


@dataclass(frozen=True)
class Setting:
    """What the processes must know. `is_talkative` shows each request and each task; no `sandbox_port`, no sandbox."""

    environment: Mapping[str, str]
    port: int
    state: Path
    sandbox_port: int | None = None
    is_talkative: bool = False


def children(setting: Setting) -> tuple[Service, ...]:
    """All processes in the order they start. They stop in the opposite one: nothing new comes in, then tasks end."""
    workers = (worker(setting, name) for name in settings.WORKERS)
    return *sandbox(setting), *workers, web(setting), beat(setting)


def command(setting: Setting, name: str, *arguments: str) -> Service:
    """A management command as a child."""
    argv = (sys.executable, str(ROOT / "manage.py"), name, *arguments)
    return Service(name=name, argv=argv, env=setting.environment, cwd=ROOT)


def sandbox(setting: Setting) -> tuple[Service, ...]:
    """The sandbox warehouse, which the demo data is connected to: a WMS in small, with a state of its own."""
    if setting.sandbox_port is None:
        return ()
    port, folder = setting.sandbox_port, setting.state / "sandbox"
    return (
        Service(
            name="sandbox",
            argv=(sys.executable, "-m", "channels_sync.sandbox", f"--port={port}", f"--state={folder}"),
            env=setting.environment,
            cwd=ROOT,
            ready=lambda _pid: is_healthy(port),
        ),
    )


def web(setting: Setting) -> Service:
    """The pages; see oms/webserver.py."""
    options = (f"--host={HOST}", f"--port={setting.port}", *(("--access-log",) if setting.is_talkative else ()))
    return Service(
        name="web",
        argv=(sys.executable, "-m", "oms.webserver", *options),
        env={**setting.environment, "LOTLINE_PROCESS": "web"},
        cwd=ROOT,
        ready=lambda _pid: takes_requests(setting.port),
        grace=15.0,
    )


def worker(setting: Setting, name: str) -> Service:
    """Celery: serves a queue. A process that a big job has made big is replaced when that is over.

    Its warm stop waits for the tasks that run; what is ended is handed out again.
    """
    client = quick_client(setting.environment["REDIS_URL"])
    queue, pool, count = settings.WORKERS[name]
    options = (
        f"--queues={queue}",
        f"--hostname={name}@%h",
        f"--pool={pool}",
        f"--concurrency={count}",
        *((f"--max-memory-per-child={MOST_KILOBYTES}",) if pool == "prefork" else ()),
        "--without-gossip",
        "--without-mingle",
    )
    return Service(
        name=name,
        argv=(*_celery(setting, "worker"), *options),
        env={
            **setting.environment,
            "LOTLINE_PROCESS": name,
            "PYTHONWARNINGS": ",".join(filter(None, [GIVEN.get("PYTHONWARNINGS"), AS_ROOT])),
            "CELERY_SKIP_CHECKS": "1",  # `prepare` has just made them; here they would load every view
        },
        cwd=ROOT,
        ready=lambda _pid: wait_for_tasks(client, len(settings.WORKERS)),
        grace=20.0,
    )


def beat(setting: Setting) -> Service:
    """Celery's clock, which sends the dispatcher; it writes its number when it has loaded and begins."""
    folder = setting.state / "beat"
    folder.mkdir(mode=0o700, exist_ok=True)
    number = folder / "pid"

    def clear() -> bool:
        # Of one that was killed: had a stranger that number by now, beat would not start.
        number.unlink(missing_ok=True)
        return True

    clear()
    return Service(
        name="beat",
        argv=(*_celery(setting, "beat"), f"--pidfile={number}"),
        env=setting.environment,
        cwd=ROOT,
        ready=lambda _pid: number.exists(),
        clear=clear,
    )


def _celery(setting: Setting, part: str) -> tuple[str, ...]:
    level = "info" if setting.is_talkative else "warning"
    banner = () if setting.is_talkative else ("--quiet",)
    return (sys.executable, "-m", "oms.work", part, *banner, f"--loglevel={level}")


def is_healthy(port: int) -> bool:
    """Whether a server of ours answers /healthz/ with 200."""
    return _status(port, "/healthz/") == http.client.OK


def takes_requests(port: int) -> bool:
    """Whether web sends somebody who is not signed in to the sign-in page, which needs no database: web is not started
    anew because PostgreSQL recovers, which may take minutes.
    """
    return _status(port, "/") in {http.client.FOUND, http.client.MOVED_PERMANENTLY}  # or first to https


def _status(port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", path, headers={"Host": "localhost"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def wait_for_tasks(client: redis.Redis, count: int) -> bool:
    """Whether so many workers ask their queues for work: nothing there tells them apart, and they start together."""
    try:
        return sum(found["cmd"] == "brpop" for found in client.client_list()) >= count
    except redis.ResponseError:  # a managed server that keeps its clients secret: not ours, nothing to wait for
        return True
    except redis.RedisError:
        return False
    finally:
        client.close()
