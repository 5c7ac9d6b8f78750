"""`manage.py test`: the test suite on servers of its own, which are thrown away afterwards."""

import importlib.util
import signal
import sys
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand

from oms.bootstrap import DEV_LOCK, ROOT
from oms.embedded.console import Console
from oms.embedded.errors import CannotStart, ChildDied, Interrupted
from oms.embedded.ports import free_port
from oms.embedded.stack import Stack
from oms.embedded.state import State
from oms.embedded.supervisor import Service, Supervisor

USAGE = """\
usage: manage.py test [--all] [pytest's own arguments and options]

Starts a throw-away PostgreSQL and Valkey and runs pytest against them, in two processes.

  --all    the slow tests too, and those against live servers

  manage.py test tests/oms -k sign_in -x      some of them, until the first failure
  manage.py test -n 0 --pdb tests/meta        one process, with a debugger
"""
SHOWN_LINES = 40
# These talk with the person at the terminal, which works in one process only.
IN_ONE_PROCESS = frozenset({"--pdb", "--trace", "--collect-only", "--co"})


class Command(BaseCommand):
    """Replaces Django's own: the suite is pytest's, so its arguments are too."""

    help = "Runs the test suite on a throw-away PostgreSQL and Valkey."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Take the arguments as they are: Django's parser would refuse pytest's."""
        arguments = argv[2:]
        if {"-h", "--help"} & set(arguments):
            self.stdout.write(USAGE)
            return
        sys.exit(run(arguments))

    def handle(self, *args: Any, **options: Any) -> None:
        """For `call_command("test")`: the whole suite."""
        sys.exit(run(args))


def run(arguments: Sequence[str]) -> int:
    """Run pytest with `arguments` on servers of its own; its exit status."""
    console = Console(quiet=True)
    if importlib.util.find_spec("pytest") is None:
        console.say(f"pytest is not installed in {sys.prefix}. Install {DEV_LOCK} there, or leave LOTLINE_VENV unset.")
        return 1
    try:
        with State.throw_away("test") as state:
            return _run(console, state, arguments)
    except CannotStart as error:
        console.say(str(error))
    except ChildDied as death:
        if not death.was_shown:
            console.plain("\n".join(death.output[-SHOWN_LINES:]))
        console.say(f"{death}; the tests cannot go on.")
    return 1


def _run(console: Console, state: State, arguments: Sequence[str]) -> int:
    state.acquire()
    with Supervisor(console, state.folder / "pids") as supervisor:
        stack = Stack(supervisor, state, port=free_port())
        try:
            stack.start_servers()
            return supervisor.run(pytest(stack, arguments)).process.returncode
        except Interrupted as request:
            console.say("interrupted; the servers have been stopped")
            return 128 + request.signum


def pytest(stack: Stack, arguments: Sequence[str]) -> Service:
    """Pytest as a child that keeps the terminal; how tests are shared out among processes is said in pyproject.toml."""
    options = [argument for argument in arguments if argument != "--all"]
    spread = () if IN_ONE_PROCESS.intersection(options) else ("-n", "2")
    everything = {"LOTLINE_TEST_ALL": "1"} if "--all" in arguments else {}
    return Service(
        name="pytest",
        argv=(sys.executable, "-m", "pytest", *spread, *options),
        env={**stack.environment, **everything},
        cwd=ROOT,
        stop_signal=signal.SIGINT,
        grace=30.0,
        foreground=True,
    )
