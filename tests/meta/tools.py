"""The linters beside the tests: the hooks of .pre-commit-config.yaml, one after the other in a process of their own.

They begin when the tests that await them have been collected, in the first worker, and are awaited in any.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
CONFIG = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
# Each with its whole command; the one that takes longest goes first.
HOOKS = {hook["id"]: hook["entry"] for repo in CONFIG["repos"] for hook in repo["hooks"]}
IN_ORDER = sorted(HOOKS, key=lambda name: name != "mypy")

RUNNING = []
"""Kept until the worker ends: nobody waits for them, and a child that is forgotten while it runs is a warning."""


def run(command):
    """What a command of the hooks came to."""
    program, *arguments = shlex.split(command)
    assert program.startswith(".venv/bin/")
    return subprocess.run([BIN / Path(program).name, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def start(folder):
    """Let all hooks run, in a process of its own that leaves each one's end in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    argv = [sys.executable, "-m", "tests.meta.tools", str(folder)]
    RUNNING.append(subprocess.Popen(argv, cwd=ROOT, start_new_session=True, **quiet))
    (folder / "pid").write_text(str(RUNNING[-1].pid))


def ended(folder, hook):
    """The exit status and words of a hook; None as long as it has not ended."""
    with suppress(FileNotFoundError):
        return json.loads((folder / f"{hook}.json").read_text())
    return None


def stop(folder):
    """End what still runs, and leave nothing."""
    with suppress(OSError, ValueError):
        os.killpg(int((folder / "pid").read_text()), signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def _run_all(folder):
    for name in IN_ORDER:
        try:
            done = run(HOOKS[name])
            found = {"status": done.returncode, "said": f"{done.stdout[-6000:]}{done.stderr[-3000:]}"}
        except OSError as error:
            found = {"status": -1, "said": str(error)}
        half = folder / f"{name}.half"
        half.write_text(json.dumps(found))
        half.rename(folder / f"{name}.json")


if __name__ == "__main__":
    _run_all(Path(sys.argv[1]))
