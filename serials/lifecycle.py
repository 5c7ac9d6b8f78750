"""What may happen to a serialized unit: the event table of the product, as data. No database, no clock.

A unit's status is never chosen: it follows from an event and, in the warehouse, from the kind of the bin. `RULES` says,
for each event, from which states it may come and what it leads to; `outcomes` turns a rule into the rows that the
ledger joins in SQL. `docs/lifecycle.md` shows the table; a test keeps both equal.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Status(TextChoices):
    """Where a unit is in its life. Never a seventh."""

    INCOMING = "incoming", _("Incoming")
    READY = "ready", _("Ready")
    RESERVED = "reserved", _("Reserved")
    HOLD = "hold", _("Hold")
    IMPERFECT = "imperfect", _("Imperfect")
    OUT = "out", _("Out")


LOOKS = {
    Status.INCOMING: ("info", "ring"),
    Status.READY: ("good", "dot"),
    Status.RESERVED: ("info", "half"),
    Status.HOLD: ("warn", "bars"),
    Status.IMPERFECT: ("bad", "triangle"),
    Status.OUT: ("neutral", "arrow"),
}
"""The tone and the shape of each status as a badge."""

IN_WAREHOUSE = (Status.READY, Status.RESERVED, Status.HOLD, Status.IMPERFECT)
"""The statuses that count as stock."""


class ProcessType(TextChoices):
    """The kind of process that an event belongs to."""

    ORDER = "order", _("Order")
    REPLENISHMENT = "replenishment", _("Replenishment")
    RETURN = "return", _("Return")
    RECOUNT = "recount", _("Re-count")
    MOVE = "move", _("Move")


class Event(TextChoices):
    """What happens to a unit."""

    EXPECT = "expect", _("Expected")
    RECEIVE = "receive", _("Received")
    UNRECEIVE = "unreceive", _("Receipt corrected")
    RESERVE = "reserve", _("Reserved")
    RELEASE = "release", _("Released")
    MOVE = "move", _("Moved")
    SHIP = "ship", _("Shipped")
    UNSHIP = "unship", _("Shipment voided")
    RETURN = "return", _("Returned")
    RECOUNT_MISSING = "recount_missing", _("Found missing")
    RECOUNT_FOUND = "recount_found", _("Found")
    VOID = "void", _("Voided")
    ANNOTATE = "annotate", _("Annotated")


class State(StrEnum):
    """A status, or one of the two states beside them: no unit yet, and an Incoming unit that is void."""

    NEW = "new"
    VOID = "void"
    INCOMING = Status.INCOMING.value
    READY = Status.READY.value
    RESERVED = Status.RESERVED.value
    HOLD = Status.HOLD.value
    IMPERFECT = Status.IMPERFECT.value
    OUT = Status.OUT.value


BY_BIN = {"pick": State.READY, "reserved": State.HOLD, "damaged": State.IMPERFECT}
"""Kind of bin → the state of a unit that is put there."""
STORED = (State.READY, State.HOLD, State.IMPERFECT, State.RESERVED)


class Needs(StrEnum):
    """A condition on the unit or the fact, beside the state. The ledger knows how to ask each in SQL."""

    NOTHING = ""
    ALLOWED_NEW = "allowed_new"  # the caller says that a unit may be made here: nothing planned, outbound workflow, …
    ACCEPTED = "accepted"  # somebody accepted the discrepancy that this fact made
    UNDONE_HERE = "undone_here"  # undoing a receipt of this very replenishment made it void; nobody cancelled it
    SAME_LINE = "same_line"  # the unit is reserved for the very order line of this fact
    LAST_RECEIVE_PLANNED = "last_receive_planned"  # nothing happened since its receipt, and it had been planned
    LAST_RECEIVE_UNPLANNED = "last_receive_unplanned"
    LAST_SHIP = "last_ship"  # the last thing that happened was a shipment


class Actor(StrEnum):
    """Who causes an event."""

    OFFICE = "office"  # an admin or operator of the account
    WAREHOUSE = "warehouse"  # a warehouse member, or a fact that a warehouse system sent
    SYSTEM = "system"  # Lotline itself, carrying out what the office asked for


@dataclass(frozen=True)
class Path:
    """One way that an event may go: from which states, on what condition, to which state (None: by the bin)."""

    sources: tuple[State, ...]
    target: State | None
    needs: Needs = Needs.NOTHING


@dataclass(frozen=True)
class Rule:
    """An event: its process type (None leaves it as it is), its paths, and who may cause it."""

    process: ProcessType | None
    paths: tuple[Path, ...]
    actors: frozenset[Actor]


_WAREHOUSE = frozenset({Actor.WAREHOUSE})
_OFFICE = frozenset({Actor.OFFICE, Actor.SYSTEM})
_ANYBODY = frozenset(Actor)
_ORDER, _REPLENISHMENT = ProcessType.ORDER, ProcessType.REPLENISHMENT

RULES: dict[Event, Rule] = {
    Event.EXPECT: Rule(_REPLENISHMENT, (Path((State.NEW, State.VOID), State.INCOMING),), _OFFICE),
    Event.RECEIVE: Rule(
        _REPLENISHMENT,
        (
            Path((State.INCOMING,), None),
            Path((State.NEW,), None, Needs.ALLOWED_NEW),
            Path((State.VOID,), None, Needs.ACCEPTED),
            Path((State.VOID,), None, Needs.UNDONE_HERE),
        ),
        _WAREHOUSE,
    ),
    Event.UNRECEIVE: Rule(
        _REPLENISHMENT,
        (
            Path((State.READY, State.HOLD, State.IMPERFECT), State.INCOMING, Needs.LAST_RECEIVE_PLANNED),
            Path((State.READY, State.HOLD, State.IMPERFECT), State.VOID, Needs.LAST_RECEIVE_UNPLANNED),
        ),
        _WAREHOUSE,
    ),
    Event.RESERVE: Rule(_ORDER, (Path((State.READY,), State.RESERVED),), _OFFICE),
    Event.RELEASE: Rule(_ORDER, (Path((State.RESERVED,), None),), _WAREHOUSE | {Actor.SYSTEM}),
    Event.MOVE: Rule(ProcessType.MOVE, (Path(STORED, None),), _WAREHOUSE),
    Event.SHIP: Rule(
        _ORDER,
        (
            Path((State.READY,), State.OUT),
            Path((State.RESERVED,), State.OUT, Needs.SAME_LINE),
            Path((State.NEW,), State.OUT, Needs.ALLOWED_NEW),
        ),
        _WAREHOUSE,
    ),
    Event.UNSHIP: Rule(_ORDER, (Path((State.OUT,), None, Needs.LAST_SHIP),), _WAREHOUSE),
    Event.RETURN: Rule(
        ProcessType.RETURN,
        (Path((State.OUT,), None, Needs.LAST_SHIP), Path((State.NEW,), State.HOLD, Needs.ALLOWED_NEW)),
        _WAREHOUSE,
    ),
    Event.RECOUNT_MISSING: Rule(ProcessType.RECOUNT, (Path(STORED, State.OUT),), _WAREHOUSE),
    Event.RECOUNT_FOUND: Rule(ProcessType.RECOUNT, (Path((*STORED, State.OUT), None),), _WAREHOUSE),
    Event.VOID: Rule(_REPLENISHMENT, (Path((State.INCOMING,), State.VOID),), _OFFICE),
    Event.ANNOTATE: Rule(None, tuple(Path((state,), state) for state in State if state is not State.NEW), _ANYBODY),
}

NEW_UNITS_OF: dict[Event, tuple[str, ...]] = {
    Event.EXPECT: ("in_out",),
    Event.RECEIVE: ("in_out",),
    Event.SHIP: ("out", "out_bulk"),
    Event.RETURN: ("out", "in_out", "out_bulk"),
}
"""Events that may make a unit → the serial workflows of the SKUs for which they may."""

KEEPS_RESERVATION = frozenset({Event.MOVE, Event.RECOUNT_FOUND})
"""Events after which a Reserved unit that lies in a pick bin stays Reserved."""


@dataclass(frozen=True)
class Outcome:
    """One row of an event's table: a unit in `before`, put into a bin of `bin_kind` ("" for no bin), becomes
    `after`.
    """

    before: State
    bin_kind: str
    needs: Needs
    after: State


def outcomes(event: Event) -> Iterator[Outcome]:
    """All that `event` may lead to; whatever is not among them is refused."""
    for path in RULES[event].paths:
        for before in path.sources:
            if path.target is State.HOLD and before is State.NEW:  # never ours: Hold means a reserved bin
                yield Outcome(before, "reserved", path.needs, State.HOLD)
            elif path.target is not None:
                yield Outcome(before, "", path.needs, path.target)
            else:
                for bin_kind, state in BY_BIN.items():
                    stays = before is State.RESERVED and event in KEEPS_RESERVATION and bin_kind == "pick"
                    yield Outcome(before, bin_kind, path.needs, State.RESERVED if stays else state)


def may_cause(actor: Actor, event: Event) -> bool:
    """Whether `actor` may cause `event` at all."""
    return actor in RULES[event].actors


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2"]
    for event in RULES:
        if event is not Event.ANNOTATE:
            arrows = sorted({(_name(row.before), _name(row.after)) for row in outcomes(event)})
            lines += [f"    {before} --> {after}: {event.value}" for before, after in arrows]
    return "\n".join(lines) + "\n"


def _name(state: State) -> str:
    return "[*]" if state is State.NEW else state.value.capitalize()
