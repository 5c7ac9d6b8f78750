"""A management command that talks to the person, on a PostgreSQL and Valkey of its own: bench, backup, restore."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from oms.bootstrap import ROOT
from oms.embedded.console import Console
from oms.embedded.errors import CannotStart, ChildDied, Interrupted
from oms.embedded.ports import free_port
from oms.embedded.stack import Stack
from oms.embedded.state import State
from oms.embedded.supervisor import Service, Supervisor

SHOWN_LINES = 40


@contextmanager
def of_this_copy() -> Iterator[State]:
    """The state that `up` keeps, which must not run."""
    state = State.of_this_copy()
    try:
        yield state
    finally:
        state.release()


def run(found: AbstractContextManager[State], name: str, arguments: Sequence[str]) -> int:
    """Run the command `name` on the servers of a state, which are stopped at the end; its exit status."""
    console = Console(quiet=True)
    try:
        with found as state:
            state.acquire()
            with Supervisor(console, state.folder / "pids") as supervisor:
                stack = Stack(supervisor, state, port=free_port())
                try:
                    stack.start_servers()
                    argv = (sys.executable, str(ROOT / "manage.py"), name, *arguments)
                    child = Service(name=name, argv=argv, env=stack.environment, cwd=ROOT, foreground=True)
                    return supervisor.run(child).process.returncode
                except Interrupted as request:
                    return 128 + request.signum
    except CannotStart as error:
        console.say(str(error))
    except ChildDied as death:
        console.plain("\n".join(death.output[-SHOWN_LINES:]))
        console.say(f"{death}; the {name} cannot go on.")
    return 1
