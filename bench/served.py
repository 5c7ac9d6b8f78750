"""Requests a second from the product's own web server: the grid, and a view that only runs its SQL."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from time import monotonic
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection

from bench.report import Measure
from oms.bootstrap import ROOT
from oms.embedded.children import is_healthy
from oms.embedded.ports import HOST, free_port
from oms.embedded.processes import wait_until

CLIENTS, SECONDS = 8, 4.0


def rates(
    urls: Mapping[str, tuple[str, dict[str, str]]],
    limit: str,
    session: str,
    runs: int,
    *,
    bars: Mapping[str, float | None],
) -> Iterator[Measure]:
    """The rate of each address (with its headers) beside that of the one called `limit`, in turn."""
    with serving() as port:
        found: dict[str, list[float]] = {name: [] for name in urls}
        for _turn in range(runs):
            for name, (url, headers) in urls.items():
                found[name].append(rate(port, url, {**headers, "Cookie": f"{settings.SESSION_COOKIE_NAME}={session}"}))
    for name in urls:
        if name != limit:
            yield measure(name, found[name], found[limit], bars.get(name))


def measure(name: str, own: list[float], limits: list[float], bar: float | None) -> Measure:
    """One address's rate."""
    seconds = [CLIENTS / each for each in own]
    return Measure(
        measure=f"requests/s, {name} vs SQL-only",
        value=round(median(own), 1),
        unit="req/s",
        limit=round(median(limits), 1),
        ratio=round(median(a / b for a, b in zip(own, limits, strict=True)), 3),
        bar=bar,
        p50=round(median(seconds), 4),
        p95=round(max(seconds), 4),
        runs=len(own),
        sql=f"{CLIENTS} clients for {SECONDS:.0f} s against the web server as `manage.py up` starts it",
    )


@contextmanager
def serving() -> Iterator[int]:
    """The web server on the current database; its port."""
    port = free_port()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "bench.served_settings",
        "LOTLINE_BENCH_SETTINGS": os.environ["DJANGO_SETTINGS_MODULE"],
        "DATABASE_URL": _with_name(os.environ["DATABASE_URL"], str(connection.settings_dict["NAME"])),
        "LOTLINE_HTTPS": "0",
    }
    static: Path | None = settings.STATIC_ROOT  # collected for the bench; none in tests
    if static:
        environment["LOTLINE_STATIC_ROOT"] = str(static)
    argv = [sys.executable, "-m", "oms.webserver", f"--host={HOST}", f"--port={port}"]
    process = subprocess.Popen(argv, env=environment, cwd=ROOT)
    try:
        if not wait_until(lambda: is_healthy(port), 60):
            raise RuntimeError("The web server does not answer.")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def rate(port: int, url: str, headers: dict[str, str]) -> float:
    """Answers a second that CLIENTS get who ask one after the other. Raises RuntimeError for any other than 200."""
    until, counts, faults = monotonic() + SECONDS, [0] * CLIENTS, list[str]()

    def ask(place: int) -> None:
        client = HTTPConnection(HOST, port, timeout=30)
        while monotonic() < until:
            client.request("GET", url, headers=headers)
            answer = client.getresponse()
            answer.read()
            if answer.status != 200:
                faults.append(f"{url} answered {answer.status}.")
                return
            counts[place] += 1

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(CLIENTS)]
    started = monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise RuntimeError(faults[0])
    return sum(counts) / (monotonic() - started)


def _with_name(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
