"""Tests run the supervisor in a process of its own: it takes over signals, and killing it is part of what is tested."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from oms.bootstrap import ROOT
from oms.embedded.processes import processes

CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("LOTLINE_", "DATABASE_", "REDIS_"))}
PRELUDE = """
import json, os, signal, sys, time
from pathlib import Path
from oms.embedded.console import Console
from oms.embedded.errors import CannotStart, ChildDied, Interrupted
from oms.embedded.stack import Stack
from oms.embedded.state import State
from oms.embedded.supervisor import Service, Supervisor

def tell(**facts):
    print(json.dumps(facts), flush=True)

def shell(name, script, **more):
    return Service(name=name, argv=["/bin/sh", "-c", script], env={"PATH": os.defpath}, **more)
"""


@contextlib.contextmanager
def script(code, *arguments):
    """A process that runs `code` after PRELUDE; it is gone at the end."""
    argv = [sys.executable, "-c", PRELUDE + code, *map(str, arguments)]
    process = subprocess.Popen(argv, cwd=ROOT, env=CLEAN, stdout=subprocess.PIPE, text=True, start_new_session=True)
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            rest(process)


def told(process):
    """The next JSON line that the process writes; its other lines are skipped."""
    for line in process.stdout:
        if line.startswith("{"):
            return json.loads(line)
    return pytest.fail("the process ended without a word")


def rest(process, seconds=120):
    """All that a process still says until it ends; after so many seconds it is killed.

    `communicate` would lose what reading line by line has already taken from the pipe.
    """
    killer = threading.Timer(seconds, process.kill)
    killer.start()
    try:
        said = "" if process.stdout.closed else process.stdout.read()
        process.wait()
    finally:
        killer.cancel()
    return said


def ends(process):
    """Ask it to stop and return all that it still says."""
    process.terminate()
    return rest(process)


def processes_of(folder):
    return [process for process in processes() if str(folder) in process.command]


@contextlib.contextmanager
def open_folder():
    """A temporary folder that everybody may enter; pytest's own are closed, and root's PostgreSQL runs as nobody."""
    made = Path(tempfile.mkdtemp(prefix="lotline-test-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made)
