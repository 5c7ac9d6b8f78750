"""Lotline's own processes as data. A further process is one more function here and one more line in `children`."""

import http.client
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import redis

from oms.bootstrap import GIVEN, ROOT
from oms.embedded.ports import HOST
from oms.embedded.supervisor import Service
from oms.embedded.valkey import quick_client

# Celery's warning; that this runs as root is the choice of whoever started it.
AS_ROOT = "ignore:You're running the worker with superuser privileges"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (memory for gunicorn's heartbeat; no file of ours has a guessable name)


@dataclass(frozen=True)
class Setting:
    """What the processes must know. `is_talkative` shows each request and each task."""

    environment: Mapping[str, str]
    port: int
    state: Path
    is_talkative: bool = False


def children(setting: Setting) -> tuple[Service, ...]:
    """All processes in the order they start. They stop in the opposite one: nothing new comes in, then tasks end."""
    return worker(setting), web(setting), beat(setting)


def command(setting: Setting, name: str, *arguments: str) -> Service:
    """A management command as a child."""
    argv = (sys.executable, str(ROOT / "manage.py"), name, *arguments)
    return Service(name=name, argv=argv, env=setting.environment, cwd=ROOT)


def web(setting: Setting) -> Service:
    """Gunicorn: two processes of four threads, forked from one that has loaded the application.

    Forking is safe because loading opens no connection: Django makes the pool when a process first asks for one.
    """
    options = ["--bind", f"{HOST}:{setting.port}", "--workers=2", "--threads=4", "--preload", "--no-control-socket"]
    options += ["--log-level=info", "--access-logfile=-"] if setting.is_talkative else ["--log-level=warning"]
    options += [f"--worker-tmp-dir={SHARED_MEMORY}"] if os.access(SHARED_MEMORY, os.W_OK) else []
    return Service(
        name="web",
        argv=(sys.executable, "-m", "gunicorn", *options, "oms.wsgi:application"),
        env=setting.environment,
        cwd=ROOT,
        ready=lambda: is_healthy(setting.port),
        grace=15.0,
    )


def worker(setting: Setting) -> Service:
    """Celery: two processes for tasks. Its warm stop waits for the running ones; what is ended is handed out again."""
    client = quick_client(setting.environment["REDIS_URL"])
    options = ("--concurrency=2", "--without-gossip", "--without-mingle")
    return Service(
        name="worker",
        argv=(*_celery(setting, "worker"), *options),
        env={**setting.environment, "PYTHONWARNINGS": ",".join(filter(None, [GIVEN.get("PYTHONWARNINGS"), AS_ROOT]))},
        cwd=ROOT,
        ready=lambda: waits_for_tasks(client),
        grace=20.0,
    )


def beat(setting: Setting) -> Service:
    """Celery's clock, which sends the dispatcher; it is ready when it has written its schedule."""
    schedule = setting.state / "beat" / "schedule"
    schedule.parent.mkdir(mode=0o700, exist_ok=True)
    since = time.time()
    return Service(
        name="beat",
        argv=(*_celery(setting, "beat"), f"--schedule={schedule}"),
        env=setting.environment,
        cwd=ROOT,
        ready=lambda: any(file.stat().st_mtime >= since for file in schedule.parent.glob("schedule*")),
    )


def _celery(setting: Setting, part: str) -> tuple[str, ...]:
    level = "info" if setting.is_talkative else "warning"
    banner = () if setting.is_talkative else ("--quiet",)
    return (sys.executable, "-m", "celery", *banner, "-A", "oms.celery", part, f"--loglevel={level}")


def is_healthy(port: int) -> bool:
    """Whether web answers /healthz/ with 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", "/healthz/", headers={"Host": "localhost"})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def waits_for_tasks(client: redis.Redis) -> bool:
    """Whether some worker asks the queue for work."""
    try:
        return any(found["cmd"] == "brpop" for found in client.client_list())
    except redis.ResponseError:  # a managed server that keeps its clients secret: not ours, nothing to wait for
        return True
    except redis.RedisError:
        return False
    finally:
        client.close()
