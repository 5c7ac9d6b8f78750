"""What becomes of texts that an older release told apart, and of their keys."""

import unicodedata
from io import StringIO

import pytest
from django.core.management import call_command

from oms import identity
from oms.models import Discrepancy, Person
from oms.tenancy import account_context
from tests.factories import make_bin, make_serialized_sku
from tests.old_schema import old_schema
from tests.replenishment.factories import line_of, make_replenishment
from tests.serials.factories import make_unit

pytestmark = pytest.mark.commits("migrations change the schema as the owner")

CASES = ("lx1", "LX1", "ＬＸ1")
SHARP = ("straße", "STRASSE", "ｓtrasse")
"""Three that PostgreSQL's capitals told apart."""
DOTS = ("i\u0307i\u0307", "\u0130i\u0307", "\u0130\u0130")
"""Three whose old keys were not the keys of themselves."""
# Table → what else a row has, the columns of text and key, and three texts that are the same by now.
TABLES = {
    "oms_sku": ("name, product_id, product_id_wh, gtin, workflow, version, created_at, updated_at", "code", SHARP),
    "oms_location": ("link_id, is_default", "name", CASES),
    "oms_bin": ("link_id, location_id, kind, needs_review", "name", CASES),
    "oms_order": ("reference, status", "number", CASES),
    "oms_savedview": ("person_id, page, query, columns, is_shared", "name", CASES),
    "serials_lot": ("sku_id", "number", CASES),
    "serials_numberscheme": (
        "prefix, width, alphabet, check_kind, is_gs1_safe, first_counter, next_counter, is_default, is_archived",
        "name",
        SHARP,
    ),
    "serials_unitattribute": ("unit_id, value", "name", SHARP),
    "replenishment_replenishmentlot": ("line_id, quantity", "number", CASES),
    "serials_unit": (
        (
            "sku_id, status, is_void, is_planned, wms_notes, oms_notes, process_type, process_id, order_no, "
            "last_event, last_source, updated_at"
        ),
        "serial",
        DOTS,
    ),
    "replenishment_plannedserial": ("line_id, sku_id, state, is_generated", "serial", DOTS),
}
EVENT = """
INSERT INTO serials_unitevent (account_id, unit_id, event, sku, prod_id, bin_name, serial, status, is_void, wms_notes,
    oms_notes, process_type, process_id, order_no, lot_number, occurred_at, recorded_at, source, reason)
VALUES (%s, %s, 'expect', '', '', '', %s, 'incoming', false, '', '', 'replenishment', '', '', '', '2026-01-01', now(),
    '', '')
"""


def old_key(text):
    """As releases before this one made it."""
    return unicodedata.normalize("NFKC", text).strip().upper()


class Place:
    """An account with what the rows refer to."""

    def __init__(self, account, person):
        with account_context(account):
            self.account, place, unit = account, make_bin(), make_unit()
            line = line_of(make_replenishment((make_serialized_sku(), 5))).pk
            self.sku, self.other_sku, self.unmade_sku = (make_serialized_sku().pk for _ in range(3))
        self.values = {
            "link_id": place.link_id,
            "location_id": place.location_id,
            "person_id": person.pk,
            "sku_id": self.sku,
            "line_id": line,
            "unit_id": unit.pk,
            "kind": "pick",
            "status": "open",
            "page": "serials",
            "columns": [],
            "workflow": "in_out",
            "version": 1,
            "state": "planned",
            "width": 8,
            "alphabet": "0123456789",
            "check_kind": "none",
            "first_counter": 1,
            "next_counter": 1,
            "quantity": 1,
            "value": "x",
            "last_event": "expect",
            "process_type": "replenishment",
        }

    def insert(self, old, table, text, **other):
        more, column, _texts = TABLES[table]
        names = more.split(", ")
        values = [
            False
            if name.startswith(("is_", "needs_"))
            else {**self.values, **other}.get(name, "2026-01-01" if "_at" in name else "")
            for name in names
        ]
        if table == "serials_unit":
            values[names.index("status")] = "incoming"
        if column == "serial":
            names, values = [*names, "serial_key"], [*values, old_key(text)]
        places = ", ".join(["%s"] * (len(names) + 2))
        sql = f"INSERT INTO {table} (account_id, {column}, {', '.join(names)}) VALUES ({places}) RETURNING id"
        return old.run(sql, self.account.pk, text, *values)[0][0]


class Expectation:
    """Rows of the old shape, and the key that each must have afterwards."""

    def __init__(self, old):
        self.old, self.rows, self.cases = old, [], []

    def insert(self, place, table, *texts, keys=None, **values):
        """Put the texts into a table of an account; the first has their key, others their own, unless `keys` says."""
        ids = [place.insert(self.old, table, text, **values) for text in texts]
        own = identity.key(texts[0])
        expected = keys or [own, *(identity.apart(own, pk) for pk in ids[1:])]
        self.rows += [(table, pk, text, key) for pk, text, key in zip(ids, texts, expected, strict=True)]
        if keys is None:
            self.cases += [
                (place, table, pk, text, ids[0], texts[0]) for pk, text in zip(ids[1:], texts[1:], strict=True)
            ]
        return ids

    def found(self):
        for table, pk, _text, _key in self.rows:
            column = TABLES[table][1]
            row = self.old.run(f"SELECT {column}, {column}_key FROM {table} WHERE id = %s", pk)[0]
            yield table, pk, *row

    def told(self):
        """The discrepancies, as `cases` has them."""
        for place in {case[0] for case in self.cases}:
            with account_context(place.account):
                for case in Discrepancy.objects.filter(kind="two_spellings", is_open=True):
                    raw = case.raw
                    assert raw["text"][:90] in case.summary
                    assert raw["first_text"][:90] in case.summary
                    yield place, raw["table"], raw["id"], raw["text"], raw["first_id"], raw["first_text"]


def test_of_several_spellings_the_oldest_has_the_key_and_nothing_is_lost(account_a, account_b):
    """One way back for all of it: the schema of an older release takes a while to make."""
    person = Person.objects.create_user("old@example.com", name="Old")
    ours, theirs = (Place(account, person) for account in (account_a, account_b))
    with old_schema("oms", "0005_membership_invited_name") as old:
        expectation = Expectation(old)
        for table, (_more, _column, texts) in TABLES.items():
            for place in (ours, theirs):
                # A planned serial follows its unit, so those here are of a SKU without units.
                sku = place.unmade_sku if table == "replenishment_plannedserial" else place.sku
                ids = expectation.insert(place, table, *texts, sku_id=sku)
                if (place, table) == (ours, "serials_unit"):
                    give_history(old, place, ids)
        keys_of_full_length(expectation, ours)
        what_nobody_can_see(expectation, theirs)
        planned_and_made(expectation, theirs)
        old.migrate("channels_sync", "0004_delivery_look_first")  # the newest, which the models of today fit
        assert list(expectation.found()) == [(table, pk, text, key) for table, pk, text, key in expectation.rows]
        assert sorted(map(str, expectation.told())) == sorted(map(str, expectation.cases))
        check_ledger_knows_them(ours)


def keys_of_full_length(expectation, place):
    expectation.insert(place, "serials_lot", "l" * 100, "L" * 100)
    expectation.insert(place, "oms_sku", "s" * 78 + "ß", "s" * 78 + "ss")
    too_long = expectation.insert(place, "oms_sku", "ß" * 80, keys=["?"])
    table, pk, text, _key = expectation.rows.pop()
    expectation.rows.append((table, pk, text, identity.apart("S" * 160, too_long[0])))


def what_nobody_can_see(expectation, place):
    """Stays in old rows; others get their keys, and nobody is told."""
    texts = ["SN1", "SN\u034f1", "sn2", "ｓｎ3", "i\u03071"]
    for table in ("serials_unit", "serials_lot"):
        expectation.insert(place, table, *texts, keys=["SN1", "SN\u034f1", "SN2", "SN3", "\u01301"])


def planned_and_made(expectation, place):
    """Each planned serial has the key of its unit, whichever of the spellings is older there."""
    first, second = expectation.insert(place, "serials_unit", *reversed(DOTS[:2]), sku_id=place.other_sku)
    own = identity.key(DOTS[0])
    texts = DOTS[:2]
    planned = [
        place.insert(expectation.old, "replenishment_plannedserial", text, sku_id=place.other_sku) for text in texts
    ]
    keys = [identity.apart(own, second), own]
    expectation.rows += [("replenishment_plannedserial", *row) for row in zip(planned, texts, keys, strict=True)]
    expectation.cases.append((place, "replenishment_plannedserial", planned[1], texts[1], planned[0], texts[0]))
    assert first < second


def give_history(old, place, units):
    for pk, text in zip(units, DOTS, strict=True):
        old.run(EVENT, place.account.pk, pk, text)
    old.run("UPDATE serials_unit SET is_planned = true WHERE id = ANY(%s)", units)


def check_ledger_knows_them(place):
    said = StringIO()
    call_command("check_ledger", account=place.account.slug, stdout=said)
    assert said.getvalue().count("known: The serial") == 2
    assert "sound" in said.getvalue()
