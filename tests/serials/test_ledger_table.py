"""Every state, event, actor and kind of bin: the ledger does what product.md's table says, or nothing at all."""

from collections import Counter

import pytest
from django.db import connection, transaction

from oms.services import stock
from serials.models import Unit
from serials.services import Refused, Row
from tests.serials.ledger_model import ACTORS, EVENTS, KINDS, WORKFLOWS, Asked, Known, Place, by_bin, expected, record

EVERYTHING = """
SELECT (SELECT md5(string_agg(u::text, '|' ORDER BY u.id)) FROM serials_unit u),
       (SELECT count(*) || ':' || COALESCE(max(id), 0) FROM serials_unitevent),
       (SELECT count(*) || ':' || COALESCE(max(id), 0) FROM oms_stockmove),
       (SELECT md5(string_agg(s::text, '|' ORDER BY s.id)) FROM oms_stock s),
       (SELECT string_agg(attention, '|' ORDER BY id) FROM oms_orderline)
"""


def everything():
    """A print of all that the ledger may write in the current account."""
    with connection.cursor() as cursor:
        cursor.execute(EVERYTHING)
        return cursor.fetchone()


class Cases:
    """One unit in each situation that the table tells apart, with what the model knows of it."""

    def __init__(self):
        self.place = place = Place()
        self.known, self.pick, self.line = {}, place.bin_of("pick"), place.lines["in_out"][0]
        for kind in ("pick", "reserved", "damaged"):
            self._make(by_bin(kind), ("receive", {"bin_id": place.bin_of(kind)}))
            self._make(f"{by_bin(kind)}, planned", ("expect", {}), ("receive", {"bin_id": place.bin_of(kind)}))
        received, shipped = ("receive", {"bin_id": self.pick}), ("ship", {"order_line_id": self.line})
        self._make("ready, moved", received, ("move", {"bin_id": place.bins[1]}))
        self._make("ready, annotated", received, ("annotate", {"wms_notes": "seen"}))
        self._make("incoming", ("expect", {}))
        self._make("void", ("expect", {}), ("void", {}))
        self._make("reserved", received, ("reserve", {"order_line_id": self.line}))
        self._make("reserved, other line", received, ("reserve", {"order_line_id": place.lines["in_out"][1]}))
        self._make("out", received, shipped)
        self._make("out, annotated", received, shipped, ("annotate", {"oms_notes": "asked"}))
        self._make("out, missing", received, shipped, ("return", {"bin_id": self.pick}), ("recount_missing", {}))
        self._make("out, as Q", received, ("ship", {"order_line_id": self.line, "process_id": "Q"}))
        pieces = [stock.Move(place.skus[workflow], pk, 5) for workflow in ("out", "out_bulk") for pk in place.bins]
        stock.post_moves(pieces, cause=stock.Cause("receive", "replenishment"))

    def _make(self, name, *steps):
        for event, fields in steps:
            given = dict(fields)
            process_id = given.pop("process_id", "P")
            row = Row(sku_id=self.place.skus["in_out"], serial=name, is_new_allowed=True, **given)
            record(event, row, process_id=process_id)
        unit = Unit.objects.get(serial=name)
        self.known[name] = (
            unit.pk,
            Known(
                state="void" if unit.is_void else unit.status,
                is_planned=any(event == "expect" for event, _fields in steps),
                last_event=[event for event, _fields in steps if event != "annotate"][-1],
                process_id=unit.process_id,
                line=unit.order_line_id,
            ),
        )
        assert self.known[name][1].state == name.split(",", maxsplit=1)[0]

    def __iter__(self):
        """(name, the row without what is asked, what the model knows)."""
        for name, (pk, known) in self.known.items():
            yield name, {"unit_id": pk}, known
        for workflow in WORKFLOWS:
            yield (
                f"new {workflow}",
                {"sku_id": self.place.skus[workflow], "serial": "never seen"},
                Known(workflow=workflow),
            )

    def line_for(self, known):
        return self.place.lines[known.workflow][0]


@pytest.mark.parametrize("event", EVENTS)
def test_each_state_event_actor_and_bin_does_what_the_table_says_or_nothing(in_a, event):
    cases, tried = Cases(), Counter()
    before = everything()
    for name, start, known in cases:
        for actor in ACTORS:
            for kind in KINDS if "," not in name else ("pick",):
                asked = Asked(kind=kind, line=cases.line_for(known))
                wanted = expected(event, known, asked) if actor in EVENTS[event][1] else None
                row = Row(
                    **start,
                    bin_id=cases.place.bin_of(kind),
                    order_line_id=asked.line,
                    is_new_allowed=True,
                    is_accepted=True,
                )
                found = outcome(event, row, actor)
                assert found == wanted, f"{name} --{event} by {actor} into {kind or 'no bin'}--> {found}, not {wanted}"
                tried[wanted is None] += 1
    assert everything() == before
    assert sum(tried.values()) >= (7 + len(WORKFLOWS)) * len(ACTORS) * len(KINDS)
    assert tried[True], "nothing was refused"
    assert tried[False], "nothing was allowed"


def outcome(event, row, actor):
    """The state that the event leads to, undone; or None if it was refused, and nothing was written."""
    with transaction.atomic():
        before = everything()
        try:
            record(event, row, actor=actor)
        except Refused:
            assert everything() == before
            return None
        unit = Unit.objects.get(pk=row.unit_id) if row.unit_id else Unit.objects.get(serial=row.serial)
        assert everything() != before
        transaction.set_rollback(True)
        return "void" if unit.is_void else unit.status


@pytest.mark.parametrize(
    ("event", "name", "flags"),
    [
        ("receive", "new in_out", {"is_new_allowed": False}),
        ("receive", "void", {"is_accepted": False}),
        ("ship", "new out", {"is_new_allowed": False}),
        ("ship", "new out_bulk", {"is_new_allowed": False}),
        ("ship", "reserved", {"order_line_id": None}),
        ("return", "new out", {"is_new_allowed": False}),
        ("reserve", "ready", {"order_line_id": None}),
    ],
)
def test_what_the_document_or_a_person_must_allow_is_refused_without(in_a, event, name, flags):
    cases = Cases()
    start, known = next((start, known) for found, start, known in cases if found == name)
    kind = "reserved" if event == "return" else "pick"
    fields = {"bin_id": cases.place.bin_of(kind), "order_line_id": cases.line_for(known)}
    allowed = Row(**start, **fields, is_new_allowed=True, is_accepted=True)
    actor = EVENTS[event][1].split()[0]
    assert outcome(event, allowed, actor) is not None
    assert outcome(event, Row(**{**vars(allowed), **flags}), actor) is None
