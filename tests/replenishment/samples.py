"""Samples of the app's addresses; see tests/samples.py."""

from django.core.files.uploadedfile import SimpleUploadedFile

from oms import files
from oms.models import EVERYONE, OFFICE, WAREHOUSE
from replenishment.services import by_hand, submitting
from replenishment.services.receiving import apply_receipt
from tests.factories import make_serialized_sku, make_sku, make_warehouse_link
from tests.replenishment.factories import (
    generate,
    incoming,
    incoming_line,
    line_of,
    make_replenishment,
    make_replenishments,
    make_submitted,
)
from tests.samples import Case, Sample


def row_data(*rows, prefix="lines", initial=0, **more):
    """What the browser sends of the rows: (SKU code, quantity[, line id])."""
    data = {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": initial, "paste": "", **more}
    for place, (code, quantity, *line) in enumerate(rows):
        data |= {f"{prefix}-{place}-sku": code, f"{prefix}-{place}-quantity": quantity}
        if line:
            data[f"{prefix}-{place}-line_id"] = line[0]
    return data


def new(_person):
    """A warehouse and one line."""
    return Case(data=row_data((make_serialized_sku().code, 2), link=make_warehouse_link().pk))


def draft(_person):
    """An Incomplete one with all that may be posted about it."""
    made = make_replenishment()
    line = line_of(made)
    rows = row_data((line.sku.code, 7, line.pk), initial=1, version=made.version)
    return Case({"pk": made.pk}, {**rows, "line": line.pk, "reason": "A reason", "link": made.link_id})


def generated(_person):
    """An Incomplete one with serials."""
    made = make_replenishment()
    generate(made)
    return Case({"pk": made.pk})


def printing(person):
    """How the labels of such serials are to be printed."""
    return Case(generated(person).kwargs, {"sheet": "4x6", "symbology": "qr", "format": "zpl", "do": "print"})


def line(_person):
    """A line to type serials for."""
    made = make_replenishment()
    return Case({"pk": line_of(made).pk}, {"serials": "TYPED-1"})


def line_lots(_person):
    """A line to name lots for."""
    made = make_replenishment()
    rows = {"lots-TOTAL_FORMS": 1, "lots-INITIAL_FORMS": 0, "lots-0-lot": "L-1", "lots-0-quantity": 2}
    return Case({"pk": line_of(made).pk}, {**rows, "version": made.version})


def file_of_lines(_person):
    """An Incomplete one and a file of lines to upload."""
    return Case({"pk": make_replenishment().pk}, {"file": SimpleUploadedFile("lines.csv", _lines())})


def checked_lines(_person):
    """An uploaded file of lines."""
    return Case({"pk": make_replenishment().pk, "key": files.store("lines.csv", "text/csv", [_lines()]).key})


def _lines():
    return f"SKU,Quantity\n{make_sku().code},3\n".encode()


def file_of_serials(_person):
    """An Incomplete one and a file of serials to upload."""
    made = make_replenishment()
    return Case({"pk": made.pk}, {"file": SimpleUploadedFile("serials.csv", _serials(made))})


def checked_serials(_person):
    """An uploaded file of serials."""
    made = make_replenishment()
    return Case({"pk": made.pk, "key": files.store("serials.csv", "text/csv", [_serials(made)]).key})


def _serials(made):
    return f"SKU,Serial\n{line_of(made).sku.code},OWN-{made.pk}\n".encode()


def _partial():
    sku = make_serialized_sku()
    made = make_submitted((sku, 2), planned=False)
    receipt = apply_receipt(incoming(made, incoming_line(sku, serials=["OWN-1"])), source=f"sample:{made.pk}")
    return made, receipt


def received(_person):
    """The receipt of a part."""
    return Case({"pk": _partial()[1].pk})


def receivable(_person):
    """One to receive, with what arrived on its line."""
    made = make_submitted((make_serialized_sku(), 2), planned=False)
    row = line_of(made)
    return Case({"pk": made.pk}, {f"line{row.pk}-serials": "OWN-1\nOWN-2", "key": f"sample{made.pk}"})


def checkable(_person):
    """A line with a serial to check."""
    row = line_of(make_submitted((make_serialized_sku(), 2), planned=False))
    return Case({"pk": row.pk}, {f"line{row.pk}-serials": "OWN-1"})


def all_expected(_person):
    """One of which everything may come as it was planned."""
    return Case({"pk": make_submitted().pk}, {"key": "abc", "bin": ""})


def entered(person):
    """A receipt that somebody entered."""
    made = make_submitted((make_serialized_sku(), 2), planned=False)
    lines = [incoming_line(line_of(made).sku, serials=["OWN-1"], position=1)]
    receipt = by_hand.receive(replenishment_id=made.pk, lines=lines, key="sample", actor=person)
    return Case({"pk": receipt.pk}, {"reason": "A reason"})


def waiting(_person):
    """One on which a serial waits that nobody expected."""
    made = make_submitted()
    apply_receipt(incoming(made, incoming_line(line_of(made).sku, serials=["WRONG"])), source=f"sample:{made.pk}")
    return Case({"pk": made.pk}, {"reason": "A reason"})


def make_expected(how_many):
    """Serials that were planned and submitted."""
    if how_many:
        make_submitted((make_serialized_sku(), how_many))


def closable(_person):
    """One that was received in part."""
    return Case({"pk": _partial()[0].pk}, {"reason": "A reason"})


def cancelled(_person):
    """One that may be archived."""
    made = submitting.cancel(replenishment_id=make_submitted().pk, reason="No", actor=None)
    return Case({"pk": made.pk})


def found(_person):
    """One to be found by its number."""
    return Case(query={"number": make_replenishment().number})


SAMPLES = {
    "replenishments": Sample(get=EVERYONE, rows=make_replenishments),
    "replenishment_new": Sample(new, get=OFFICE, post=OFFICE),
    "replenishment_find": Sample(found, get=EVERYONE),
    "replenishment_skus": Sample(get=OFFICE),
    "replenishment_at_work": Sample(draft, get=EVERYONE),
    "replenishment": Sample(draft, get=EVERYONE),
    "replenishment_lines": Sample(draft, get=OFFICE, post=OFFICE),
    "replenishment_edit": Sample(draft, get=OFFICE, post=OFFICE),
    "replenishment_duplicate": Sample(draft, post=OFFICE),
    "replenishment_lines_csv": Sample(file_of_lines, get=OFFICE, post=OFFICE),
    "replenishment_lines_check": Sample(checked_lines, get=OFFICE, post=OFFICE),
    "replenishment_serials_csv": Sample(file_of_serials, get=OFFICE, post=OFFICE),
    "replenishment_serials_check": Sample(checked_serials, get=OFFICE, post=OFFICE),
    "replenishment_line_lots": Sample(line_lots, get=OFFICE, post=OFFICE),
    "replenishment_line_serials": Sample(line, get=EVERYONE, post=OFFICE),
    "replenishment_generate": Sample(draft, post=OFFICE),
    "replenishment_generated": Sample(generated, get=EVERYONE),
    "replenishment_download": Sample(generated, get=EVERYONE),
    "replenishment_labels": Sample(generated, post=EVERYONE),
    "replenishment_label_options": Sample(printing, get=EVERYONE, post=EVERYONE),
    "replenishment_submit": Sample(draft, get=OFFICE, post=OFFICE),
    "replenishment_cancel": Sample(draft, get=OFFICE, post=OFFICE),
    "replenishment_close": Sample(closable, get=OFFICE, post=OFFICE),
    "replenishment_archive": Sample(cancelled, post=OFFICE),
    "replenishment_receipt": Sample(received, get=EVERYONE),
    "replenishment_receipt_serials": Sample(received, get=EVERYONE),
    "replenishment_receipt_undo": Sample(entered, get=WAREHOUSE, post=WAREHOUSE),
    "replenishment_serials": Sample(get=EVERYONE, rows=make_expected),
    "replenishment_receive": Sample(receivable, get=WAREHOUSE, post=WAREHOUSE),
    "replenishment_receive_all": Sample(all_expected, get=WAREHOUSE, post=WAREHOUSE),
    "replenishment_check": Sample(checkable, post=WAREHOUSE),
    "replenishment_accept": Sample(waiting, get=OFFICE, post=OFFICE),
    "replenishment_refuse": Sample(waiting, get=OFFICE, post=OFFICE),
}
