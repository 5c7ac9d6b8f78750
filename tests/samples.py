"""A sample for every address of an account: an object to ask for, who may, with what.

tests/meta/test_url_sweep.py uses them; a URL without a sample fails there. Each app has its own in samples.py, by the
name of the URL. To add one: make its object in the current account, say which roles may GET and which may POST, and
what is posted. A list page also says how to make n rows.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from oms.models import Person, Role

NOBODY: frozenset[Role] = frozenset()


@dataclass(frozen=True)
class Case:
    """One object to ask for: what completes the address, what a POST carries, and the query string of a GET."""

    kwargs: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """How an address is used. `make` is called in the account with the person who will ask, and makes a new object each
    time; `rows` makes that many rows of a list page.
    """

    make: Callable[[Person], Case] = lambda _person: Case()
    get: Collection[Role] = NOBODY
    post: Collection[Role] = NOBODY
    rows: Callable[[int], Any] | None = None

    @property
    def methods(self) -> list[str]:
        """The methods that somebody may use."""
        return [name for name, roles in (("get", self.get), ("post", self.post)) if roles]


def times(make: Callable[[], Any]) -> Callable[[int], None]:
    """`rows` from a factory of one."""

    def rows(how_many: int) -> None:
        for _turn in range(how_many):
            make()

    return rows


def all_samples() -> dict[str, Sample]:
    """URL name → sample, of all apps."""
    found: dict[str, Sample] = {}
    for path in sorted(Path(__file__).parent.glob("*/samples.py")):
        found |= import_module(f"tests.{path.parent.name}.samples").SAMPLES
    return found
