"""Gunicorn's settings wherever Lotline runs: `gunicorn --config python:oms.webserver oms.wsgi:application`.

Two processes of four threads, forked from one that has loaded the application. Forking is safe because loading opens no
connection: Django makes the pool when a process first asks for one.
"""

import gc
import os
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108  (for the heartbeat's file, which has no name)

workers = 2
threads = 4
preload_app = True
control_socket_disable = True
worker_tmp_dir = str(_MEMORY) if os.access(_MEMORY, os.W_OK) else None


def pre_fork(server: object, worker: object) -> None:
    """Keep the collector off what was loaded, or it would touch all of it in each process and nothing stays shared."""
    gc.collect()
    gc.freeze()
