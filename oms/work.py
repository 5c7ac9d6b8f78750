"""Celery's worker and beat alone: its whole command line loads an interactive shell, 9 MB in each process.

python -m oms.work worker --queues=celery
python -m oms.work beat
"""

import sys

from celery.bin.base import CLIContext
from celery.bin.beat import beat
from celery.bin.worker import worker

from oms.celery import app, clock
from oms.memory import settle

COMMANDS = {"worker": (worker, app), "beat": (beat, clock)}


def main(name: str, *arguments: str) -> None:
    """Run one of COMMANDS; `--quiet` before its own arguments leaves out the banner."""
    command, application = COMMANDS[name]
    own = [each for each in arguments if each != "--quiet"]
    context = CLIContext(app=application, no_color=False, workdir=None, quiet=len(own) < len(arguments))
    settle()  # beat loads no more than it has now
    command.main(own, prog_name=f"oms.work {name}", obj=context)


if __name__ == "__main__":
    main(*sys.argv[1:])
