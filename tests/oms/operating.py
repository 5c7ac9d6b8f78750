"""An operator of backups: commands as a person runs them."""

import subprocess
import sys
import time
from pathlib import Path

import psycopg

from oms.backup import database

ROOT = Path(__file__).parents[2]


class Operator:
    """A person at a terminal; `env` says which database and which files."""

    def __init__(self, env):
        self.env = {**env, "LOTLINE_HTTPS": "0"}

    def starts(self, *arguments, **options):
        return subprocess.Popen(
            [sys.executable, "manage.py", *map(str, arguments)],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **{"stdin": subprocess.DEVNULL, **options},
        )

    def runs(self, *arguments, status=0, **options):
        process = self.starts(*arguments, **options)
        said, _none = process.communicate(timeout=120)
        assert process.returncode == status, said
        return said

    def counts(self):
        with psycopg.connect(self.env["DATABASE_OWNER_URL"]) as owner:
            return database.count_rows(owner)


def until(is_so, process):
    """Wait for a moment in the life of a process."""
    end = time.monotonic() + 60
    while not (found := is_so()):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "it did not come true"
    return found
