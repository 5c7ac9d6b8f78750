"""Random histories of two accounts, each step compared with the model, row by row (see ledger_model)."""

from collections import Counter

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from oms.errors import DomainError
from oms.models import OrderLine, Stock, StockMove
from oms.services import stock
from oms.tenancy import account_context
from serials.lifecycle import Actor
from serials.models import Unit, UnitEvent
from serials.services import Row, units
from tests.serials.ledger_model import ACTORS, EVENTS, Asked, Known, Model, Place, expected, normal, record

TYPED = ("ab-1", " AB-1 ", "ＡＢ-1", "AB 1", "ab-2", "ﬁ-3")
ROWS = st.fixed_dictionaries(
    {
        "workflow": st.sampled_from(("in_out", "in_out", "in_out", "out", "out_bulk", "no")),
        "typed": st.sampled_from(TYPED),
        "by_id": st.booleans(),
        "bin": st.sampled_from((0, 0, 1, 2, 3, None)),
        "line": st.sampled_from((0, 1, None)),
        "lot": st.sampled_from((None, None, True)),
        "new": st.sampled_from((True, True, False)),
        "accepted": st.booleans(),
        "source": st.sampled_from(("", "", "F1", "F2")),
        "note": st.sampled_from((None, None, "", "Ärger")),
        "wrong": st.sampled_from((None,) * 9 + ("unit", "bin", "lot", "line", "sku")),
    }
)
COMMON = {
    "a": st.integers(0, 1),
    "rows": st.lists(ROWS, min_size=1, max_size=3),
    "process_id": st.sampled_from(("P", "Q")),
    "source": st.sampled_from(("", "", "S1", "S2")),
}


class Ledger(RuleBasedStateMachine):
    """Random events in two accounts; undone after each example."""

    accounts = places = None  # set by the test

    def __init__(self):
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()
        self.models = [Model(place) for place in self.places]

    def teardown(self):
        transaction.set_rollback(True)
        self.outer.__exit__(None, None, None)

    # --- rules ---
    @rule(**COMMON, event=st.sampled_from(tuple(EVENTS)), actor=st.sampled_from(ACTORS))
    def anything(self, a, rows, process_id, source, event, actor):
        """Mostly forbidden."""
        self._play(a, event, actor, rows, process_id, source)

    @rule(**COMMON, data=st.data())
    def something_possible(self, a, rows, process_id, source, data):
        """An event that the table allows for the first unit, so that histories grow long."""
        first = {**rows[0], "wrong": None, "bin": rows[0]["bin"] or 0, "new": True, "accepted": True}
        known = self.models[a].units.get((first["workflow"], normal(first["typed"]))) or Known(
            workflow=first["workflow"]
        )
        asked = Asked(self.places[a].kind_of[self.places[a].bins[first["bin"]]], known.line or 1, known.process_id)
        choices = [event for event in EVENTS if expected(event, known, asked)]
        if choices:
            event = data.draw(st.sampled_from(choices))
            lines = self.places[a].lines[first["workflow"]]
            first["line"] = lines.index(known.line) if known.line in lines else first["line"]
            actor = EVENTS[event][1].split()[0]
            self._play(a, event, actor, [first], known.process_id or process_id, source)

    @rule(a=st.integers(0, 1), workflow=st.sampled_from(("out", "out_bulk")), where=st.integers(0, 3))
    def pieces_arrive(self, a, workflow, where):
        """Stock by quantity, without serials."""
        sku, place = self.places[a].skus[workflow], self.places[a].bins[where]
        with account_context(self.accounts[a]):
            stock.post_moves([stock.Move(sku, place, 2)], cause=stock.Cause("receive", "replenishment"))
        self.models[a].stock[sku, place, 0] += 2

    @rule(a=st.integers(0, 1), row=ROWS, name=st.sampled_from(("move", "found", "missing", "reserve", "release")))
    def through_a_service(self, a, row, name):
        """The services say the same in the field's words."""
        key = row["workflow"], normal(row["typed"])
        known = self.models[a].units.get(key)
        if known is None:
            return
        row = {**self._resolved(a, {**row, "wrong": None, "lot": None, "bin": row["bin"] or 0}), "note": None}
        row["source"], to = "", self.places[a].bins_by_pk[row["bin"]]
        by = units.By(Actor.OFFICE if name == "reserve" else Actor.WAREHOUSE, reason="why")
        with account_context(self.accounts[a]):
            ids = [Unit.objects.get(sku=self.places[a].skus[key[0]], serial_key=key[1]).pk]
            line = OrderLine.objects.get(pk=row["line"] or self.places[a].lines[row["workflow"]][0])
            calls = {
                "move": lambda: units.move_units(unit_ids=ids, to=to, by=by, process_id="M"),
                "found": lambda: units.count_found(unit_ids=ids, at=to, by=by, process_id="M"),
                "missing": lambda: units.count_missing(unit_ids=ids, by=by, process_id="M"),
                "reserve": lambda: units.reserve_units(unit_ids=ids, line=line, by=by),
                "release": lambda: units.release_units(unit_ids=ids, by=by),
            }
            number = line.order.number
        event = {"found": "recount_found", "missing": "recount_missing"}.get(name, name)
        words = {"reserve": (number, number), "release": ("", "")}.get(name, ("M", ""))
        rows = [] if name == "found" and known.bin == to.pk else [row]
        row["line"] = line.pk if name == "reserve" else None
        row["bin"] = known.bin if name == "release" else row["bin"]
        self._compare(a, calls[name], event, by.actor.value, rows, words, "")

    # --- how ---
    def _resolved(self, a, row):
        place, other = self.places[a], self.places[1 - a]
        workflow = row["workflow"]
        row = {**row, "is_bad": row["wrong"] is not None}
        row["bin"] = None if row["bin"] is None else place.bins[row["bin"]]
        row["line"] = None if row["line"] is None else place.lines[workflow][row["line"]]
        row["lot"] = place.lots[workflow] if row["lot"] else None
        if row["wrong"] == "bin":
            row["bin"] = other.bins[0]
        elif row["wrong"] == "line":
            row["line"] = place.lines["no" if workflow != "no" else "out"][0]
        elif row["wrong"] == "lot":
            row["lot"] = other.lots[workflow]
        return row

    def _row(self, a, row):
        """The ledger's row: by id where the unit is known and that is asked, else by SKU and typed serial."""
        key = row["workflow"], normal(row["typed"])
        sku = self.places[1 - a if row["wrong"] == "sku" else a].skus[row["workflow"]]
        who = {"sku_id": sku, "serial": row["typed"]}
        if row["wrong"] == "unit":
            theirs = next((pk for pk, _key in self._ids(1 - a)), 10**12)
            who = {"unit_id": theirs}
        elif row["by_id"] and key in self.models[a].units and row["wrong"] != "sku":
            sku = self.places[a].skus[row["workflow"]]
            who = {"unit_id": next(pk for pk, found in self._ids(a) if found == (sku, key[1]))}
        return Row(
            **who,
            bin_id=row["bin"],
            lot_id=row["lot"],
            order_line_id=row["line"],
            wms_notes=row["note"],
            source=row["source"],
            is_new_allowed=row["new"],
            is_accepted=row["accepted"],
        )

    def _ids(self, a):
        with account_context(self.accounts[a]):
            return [(pk, (sku, key)) for pk, sku, key in Unit.objects.values_list("pk", "sku_id", "serial_key")]

    def _play(self, a, event, actor, rows, process_id, source):
        resolved = [self._resolved(a, row) for row in rows]
        for row in resolved:  # a row that names a foreign unit or SKU cannot be skipped as one that came before
            if row["wrong"] in {"unit", "sku"}:
                row["typed"] = f"nobody's {row['wrong']}"
        actual = [self._row(a, row) for row in resolved]
        facts = {"process_id": process_id, "order_no": "O", "source": source}
        self._compare(
            a, lambda: record(event, *actual, actor=actor, **facts), event, actor, resolved, (process_id, "O"), source
        )

    def _compare(self, a, call, event, actor, rows, words, source):
        after, counts, error = self.models[a].play(
            event, actor, rows, process_id=words[0], order_no=words[1], source=source
        )
        with account_context(self.accounts[a]):
            done = called(call)
        if error:
            assert isinstance(done, error), f"{event} of {rows} gave {done}"
        else:
            assert not isinstance(done, DomainError), f"{event} of {rows} was refused: {done}"
            assert (done.count, done.skipped) == counts
        self.models[a] = after

    # --- what must always be true ---
    @invariant()
    def the_database_is_the_model(self):
        for account, model in zip(self.accounts, self.models, strict=True):
            with account_context(account), connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                cursor.execute("SET CONSTRAINTS ALL DEFERRED")
                compare_units(model)
                compare_stock(model)


def called(call):
    """What a call returns, or the error that it raises; then it is undone."""
    try:
        with transaction.atomic():
            return call()
    except DomainError as error:
        return error


HISTORY = ("event", "source", "status", "is_void", "bin_id", "lot_id", "order_line_id", "wms_notes", "oms_notes")
WORDS = ("process_type", "process_id", "order_no", "serial")


def compare_units(model):
    histories = {}
    for unit_id, *row in UnitEvent.objects.order_by("id").values_list("unit_id", *HISTORY, *WORDS):
        histories.setdefault(unit_id, []).append(tuple(row))
    names = {sku: workflow for workflow, sku in model.place.skus.items()}
    found = {}
    for unit in Unit.objects.all():
        now = tuple(getattr(unit, name) for name in (*HISTORY[2:], *WORDS))
        assert now == histories[unit.pk][-1][2:], "the unit is not the fold of its history"
        found[names[unit.sku_id], unit.serial_key] = (
            histories[unit.pk],
            (unit.is_planned, unit.last_event, unit.last_source),
        )
    assert found == {
        key: (unit.history, (unit.is_planned, unit.last_event, unit.last_source)) for key, unit in model.units.items()
    }
    flagged = OrderLine.objects.exclude(attention="").values_list("pk", flat=True)
    assert set(flagged) == model.flagged


def compare_stock(model):
    place = ("sku_id", "bin_id", "lot_key")
    kept = {tuple(key): quantity for *key, quantity in Stock.objects.values_list(*place, "quantity") if quantity}
    folded = Counter()
    for *key, delta in StockMove.objects.values_list(*place, "delta"):
        folded[tuple(key)] += delta
    assert kept == {key: pieces for key, pieces in folded.items() if pieces}, "stock is not the fold of its movements"
    assert kept == {key: pieces for key, pieces in model.stock.items() if pieces}
    lying = Counter(
        (unit.sku_id, unit.bin_id, unit.lot_id or 0)
        for unit in Unit.objects.filter(status__in=["ready", "reserved", "hold", "imperfect"])
    )
    by_unit = model.place.skus["in_out"]
    assert {key: n for key, n in lying.items() if key[0] == by_unit} == {
        key: n for key, n in kept.items() if key[0] == by_unit
    }
    for key, n in lying.items():
        assert n <= kept[key], "more units than pieces"


@pytest.fixture
def two_accounts(account_a, account_b):
    """The machine on two accounts with a Place each."""
    places = []
    for account in (account_a, account_b):
        with account_context(account):
            places.append(Place())
    return type("TwoAccounts", (Ledger,), {"accounts": (account_a, account_b), "places": places})


def play(machine, **sizes):
    quiet = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
    run_state_machine_as_test(machine, settings=settings(**quiet, **sizes))


def test_random_histories_of_two_accounts_are_what_the_model_says(two_accounts):
    play(two_accounts, max_examples=10, stateful_step_count=25)


@pytest.mark.slow
def test_many_long_random_histories_are_what_the_model_says(two_accounts):
    play(two_accounts, max_examples=100, stateful_step_count=60)
