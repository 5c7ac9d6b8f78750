"""`python -m bench.one_job ACCOUNT JOB`: do one job in a process of its own, print the most MB that it had."""

import os
import re
import sys
from importlib import import_module
from pathlib import Path

import django


def main() -> None:
    """Set up as a worker is, do the job, and say it. Exit status 1 where it was not done."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oms.settings")
    django.setup()
    account, job = map(int, sys.argv[1:])
    if import_module("oms.jobs").run(account, job) != "done":
        sys.exit(1)
    # Not ru_maxrss: that begins with what the process had that started this one.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(int(found[1]) / 1024 if found else 0)


if __name__ == "__main__":
    main()
