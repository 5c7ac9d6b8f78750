"""A model of the ledger in plain Python, written from the table in product.md and from nothing else.

Of `serials.lifecycle` only the names of events and actors are used: a rule that is wrong there must fail in the tests
that use this. `expected` is the table; `Model` folds it.
"""

import unicodedata
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field

from oms.models import OrderLine
from oms.services.stock import NotEnoughStock
from serials.lifecycle import Actor, Event
from serials.models import Lot
from serials.services import Fact, Refused, record_event
from tests import factories

WORKFLOWS = ("in_out", "out", "out_bulk", "no")
KINDS = ("", "pick", "reserved", "damaged")
STORED = ("ready", "hold", "imperfect", "reserved")
EVENTS = {  # event: its process type, and who may cause it
    "expect": ("replenishment", "office system"),
    "receive": ("replenishment", "warehouse"),
    "unreceive": ("replenishment", "warehouse"),
    "reserve": ("order", "office system"),
    "release": ("order", "warehouse system"),
    "move": ("move", "warehouse"),
    "ship": ("order", "warehouse"),
    "unship": ("order", "warehouse"),
    "return": ("return", "warehouse"),
    "recount_missing": ("recount", "warehouse"),
    "recount_found": ("recount", "warehouse"),
    "void": ("replenishment", "office system"),
    "annotate": ("", "office warehouse system"),
}
ACTORS = ("office", "warehouse", "system")


@dataclass
class Known:
    """What is known of one unit."""

    state: str = "new"
    workflow: str = "in_out"
    serial: str = ""
    is_planned: bool = False
    bin: int | None = None
    lot: int | None = None
    line: int | None = None
    wms_notes: str = ""
    oms_notes: str = ""
    process_type: str = ""
    process_id: str = ""
    order_no: str = ""
    last_event: str = ""
    last_source: str = ""
    history: list = field(default_factory=list)

    @property
    def row(self):
        """What every history row repeats of the unit."""
        return (
            "incoming" if self.state == "void" else self.state,
            self.state == "void",
            *(self.bin, self.lot, self.line, self.wms_notes, self.oms_notes),
            *(self.process_type, self.process_id, self.order_no, self.serial),
        )


@dataclass
class Asked:
    """What is asked of one unit."""

    kind: str = ""  # of the bin
    line: int | None = None
    process_id: str = "P"
    is_new_allowed: bool = True
    is_accepted: bool = True


def by_bin(kind):
    return {"pick": "ready", "reserved": "hold", "damaged": "imperfect"}.get(kind)


def expected(event, unit, asked):  # noqa: C901, PLR0911, PLR0912  (the table of product.md, row by row)
    """The state after the event, or None where the table does not allow it."""
    was = unit.state
    if event == "expect" and (was == "void" or (was == "new" and unit.workflow == "in_out")):
        return "incoming"
    if event == "receive":
        is_undone_here = unit.last_event == "unreceive" and unit.process_id == asked.process_id
        if was == "incoming" or (was == "void" and (asked.is_accepted or is_undone_here)):
            return by_bin(asked.kind)
        if was == "new" and unit.workflow == "in_out" and asked.is_new_allowed:
            return by_bin(asked.kind)
    if event == "unreceive" and was in {"ready", "hold", "imperfect"} and unit.last_event == "receive":
        return "incoming" if unit.is_planned else "void"
    if event == "reserve" and was == "ready" and asked.line is not None:
        return "reserved"
    if event == "release" and was == "reserved":
        return by_bin(asked.kind)
    if event in {"move", "recount_found"} and was in STORED:
        return "reserved" if was == "reserved" and asked.kind == "pick" else by_bin(asked.kind)
    if event == "recount_found" and was == "out":
        return by_bin(asked.kind)
    if event == "ship":
        if was == "ready" or (was == "reserved" and asked.line is not None and asked.line == unit.line):
            return "out"
        if was == "new" and unit.workflow in {"out", "out_bulk"} and asked.is_new_allowed:
            return "out"
    if event == "unship" and was == "out" and unit.last_event == "ship" and unit.process_id == asked.process_id:
        return by_bin(asked.kind)
    if event == "return":
        if was == "out" and unit.last_event == "ship":
            return by_bin(asked.kind)
        if was == "new" and unit.workflow != "no" and asked.is_new_allowed and asked.kind == "reserved":
            return "hold"
    if event == "recount_missing" and was in STORED:
        return "out"
    if event == "void" and was == "incoming":
        return "void"
    return was if event == "annotate" and was != "new" else None


def normal(typed):
    return unicodedata.normalize("NFKC", typed).strip().upper()


class Place:
    """SKUs of every workflow, bins of every kind, two order lines and a lot for each SKU; in the current account."""

    def __init__(self):
        link = factories.make_warehouse_link()
        self.skus = {workflow: factories.make_sku(workflow=workflow).pk for workflow in WORKFLOWS}
        bins = [factories.make_bin(link=link, kind=kind) for kind in ("pick", "pick", "reserved", "damaged")]
        self.bins, self.kind_of = [place.pk for place in bins], {place.pk: place.kind for place in bins}
        self.bins_by_pk = {place.pk: place for place in bins}
        self.lines, self.lots = {}, {}
        for workflow, sku in self.skus.items():
            orders = [factories.make_order(quantity=50) for _ in range(2)]
            OrderLine.objects.filter(order__in=orders).update(sku=sku)
            self.lines[workflow] = [OrderLine.objects.get(order=order).pk for order in orders]
            self.lots[workflow] = Lot.objects.create(sku_id=sku, number=f"L-{workflow}").pk

    def bin_of(self, kind):
        return next((pk for pk in self.bins if self.kind_of[pk] == kind), None)


def record(event, *rows, actor=None, **fields):
    """One call of the ledger, by somebody who may cause it unless named."""
    actor = actor or EVENTS[event][1].split()[0]
    return record_event(Fact(event=Event(event), actor=Actor(actor), **{"process_id": "P", **fields}), list(rows))


@dataclass
class Model:
    """All that one account holds."""

    place: Place
    units: dict = field(default_factory=dict)  # (workflow, normalised serial) -> Known
    stock: Counter = field(default_factory=Counter)  # (SKU, bin, lot or 0) -> pieces
    flagged: set = field(default_factory=set)

    def play(self, event, actor, rows, *, process_id, order_no, source):
        """The model afterwards, (changed, skipped), and None; or the error that must come."""
        if actor not in EVENTS[event][1].split():
            return self, None, Refused
        after, named, skipped = deepcopy_but_place(self), [], 0
        for row in rows:
            key = row["workflow"], normal(row["typed"])
            known = after.units.get(key) or Known(workflow=row["workflow"], serial=row["typed"])
            its_source = row["source"] or source
            # Done before this call, that is: naming one unit twice in a call is refused, whatever its sources.
            before = self.units.get(key)
            if its_source and before and any(its_source == past[1] for past in before.history):
                skipped += 1
                continue
            asked = Asked(self.place.kind_of.get(row["bin"], ""), row["line"], process_id, row["new"], row["accepted"])
            state = expected(event, known, asked)
            if row["is_bad"] or state is None:
                return self, None, Refused
            named.append(key)
            after._apply(event, key, known, state, row, (process_id, order_no, its_source))
        if len(set(named)) < len(named):
            return self, None, Refused
        if min(after.stock.values(), default=0) < 0 or after._is_short(event, rows):
            return self, None, NotEnoughStock
        return after, (len(named), skipped), None

    def _apply(self, event, key, known, state, row, words):
        was, old = known.state, (known.bin, known.lot)
        process_id, order_no, source = words
        known.state, known.is_planned = state, known.is_planned or event == "expect"
        if was == "reserved" and (state in {"hold", "imperfect"} or event == "recount_missing") and event != "release":
            self.flagged.add(known.line)
        if event != "annotate":
            known.line = {"reserve": row["line"], "ship": row["line"] or known.line}.get(
                event, known.line if state == "reserved" else None
            )
            known.process_type, known.process_id, known.order_no = EVENTS[event][0], process_id, order_no
            known.last_event, known.last_source = event, source
            if event != "reserve":
                known.bin = row["bin"] if state in STORED else None
        known.lot = row["lot"] or known.lot
        known.wms_notes = known.wms_notes if row["note"] is None else row["note"]
        known.history.append((event, source, *known.row))
        self.units[key] = known
        self._move(was, old, known, row)

    def _move(self, was, old, known, row):
        sku = self.place.skus[known.workflow]
        if was in STORED:
            self.stock[sku, old[0], old[1] or 0] -= 1
        if known.state in STORED:
            self.stock[sku, known.bin, known.lot or 0] += 1
        if was == "new" and known.state == "out" and row["bin"]:
            self.stock[sku, row["bin"], known.lot or 0] -= 1

    def _is_short(self, event, rows):
        """Whether a shipment by quantity took a piece that is a known unit."""
        lying = Counter((self.place.skus[u.workflow], u.bin, u.lot or 0) for u in self.units.values() if u.bin)
        taken = {(self.place.skus[row["workflow"]], row["bin"], row["lot"] or 0) for row in rows if event == "ship"}
        return any(lying[place] > self.stock[place] for place in taken)


def deepcopy_but_place(model):
    return Model(model.place, deepcopy(model.units), Counter(model.stock), set(model.flagged))
