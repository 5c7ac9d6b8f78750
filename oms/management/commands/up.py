"""`manage.py up`: run all of Lotline on this machine. `up --check`: prove on a throw-away set that it works."""

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from oms.bootstrap import GIVEN
from oms.database.faults import Fault, fault_of
from oms.embedded.console import Console
from oms.embedded.errors import CannotStart, ChildDied, Interrupted
from oms.embedded.ports import free_port
from oms.embedded.stack import DEFAULT_PORT, Stack, leftovers, pick_port
from oms.embedded.state import State
from oms.embedded.supervisor import Supervisor

SHOWN_LINES = 40


class Command(BaseCommand):
    """A small supervisor. It needs no database itself: everything that does runs in a child."""

    help = "Starts PostgreSQL, Valkey, web, workers and beat on this machine, with demo data. Ctrl-C stops all of it."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The choices of a person at the terminal."""
        parser.add_argument("--check", action="store_true", help="prove on a throw-away set that all of it works")
        parser.add_argument("--no-demo", action="store_true", help="leave an empty database empty")
        parser.add_argument("--port", default=GIVEN.get("PORT"), help="of web; 8000 or, if it is taken, any")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit with 0 when asked to stop or checked, 130 for an interrupted check, else with 1."""
        colour = True if options["force_color"] else False if options["no_color"] else None
        console = Console(quiet=options["check"], colour=colour)
        try:
            if options["check"]:
                status = check(console)
            else:
                status = up(console, **{key: options[key] for key in ("port", "no_demo", "verbosity")})
        except CannotStart as error:
            console.say(str(error))
            status = 1
        except ChildDied as death:
            if not death.was_shown:
                console.plain("\n".join(death.output[-SHOWN_LINES:]))
            console.say(f"{death}; everything has been stopped.")
            if death.is_of_full_disk():
                console.say(disk_full(State.folder_of_this_copy()))
            status = 1
        except OSError as error:
            if fault_of(error) != Fault.FULL:
                raise
            console.say(disk_full(error.filename or State.folder_of_this_copy()))
            status = 1
        sys.exit(status)


def disk_full(where: Path | str) -> str:
    """What to do where nothing can be written any more."""
    return f"The disk of {where} is full. Free some space there and start again; what was saved is not lost."


def up(console: Console, *, port: str | None, no_demo: bool, verbosity: int) -> int:
    """Run until somebody stops it; its exit status. Everything is stopped when this returns or raises."""
    started = time.monotonic()
    state = State.of_this_copy()
    state.acquire()
    try:
        with Supervisor(console, state.folder / "pids") as supervisor:
            # Only now: what a killed supervisor left has given its ports back.
            web_port = pick_port(port)
            if web_port != DEFAULT_PORT and not port:
                console.say(
                    f"port {DEFAULT_PORT} is taken, so web takes {web_port}; PORT=... or --port chooses another"
                )
            stack = Stack(supervisor, state, port=web_port, has_sandbox=not no_demo, is_talkative=verbosity > 1)
            try:
                cast = _start(stack, demo=not no_demo)
                console.plain(welcome(web_port, time.monotonic() - started, cast))
                supervisor.watch()
            except Interrupted:
                console.say("stopping; once more to hurry")
            finally:
                state.remove_env()
        console.say("stopped")
    finally:
        state.release()
    return 0


def _start(stack: Stack, *, demo: bool) -> list[str]:
    """Start everything, and tell other commands where; who can sign in to the demo data, nobody where there is none."""
    stack.start_servers()
    stack.share()
    cast = stack.prepare(demo=demo)
    stack.start_children()
    stack.state.describe(url=address(stack.port))
    return cast


def address(port: int) -> str:
    """Of web, for a browser on this machine."""
    return f"http://localhost:{port}/"


def welcome(port: int, seconds: float, cast: list[str]) -> str:
    """Where to go and who to be."""
    return "\n".join(
        ["", f"Lotline runs at {address(port)} (ready after {seconds:.1f} s). Ctrl-C stops it.", *cast, ""]
    )


def check(console: Console) -> int:
    """Start the whole set on a throw-away state, use it, stop it, and see that nothing is left; the exit status."""
    with State.throw_away("check") as state:
        state.acquire()
        try:
            with Supervisor(console, state.folder / "pids") as supervisor:
                stack = Stack(supervisor, state, port=free_port(), has_sandbox=True, uses_given_servers=False)
                _start_and_use(stack)
                stopping = time.monotonic()
        except Interrupted as request:
            console.say("interrupted; everything has been stopped")
            return 128 + request.signum
        stack.seconds.append(("stop", time.monotonic() - stopping))
        if left := leftovers(state.folder):
            raise CannotStart("These processes were left: " + "; ".join(left))
        console.table("step", stack.seconds)
    return 0


def _start_and_use(stack: Stack) -> None:
    try:
        stack.start_servers()
        stack.prepare(demo=True)
        stack.start_children()
        stack.smoke()
    except ChildDied as death:
        stack.supervisor.show_tails(but=death.name)
        raise
