"""Samples of the platform's addresses; see tests/samples.py."""

from itertools import count
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from oms import files, jobs
from oms.models import ADMINS, EVERYONE, OFFICE, Membership, Person, Role, StoredFile
from oms.services import layouts, people
from tests.factories import make_bin, make_discrepancy, make_order, make_sku, make_skus, make_stock
from tests.replenishment.factories import make_submitted
from tests.samples import Case, Sample, times

_number = count(1)


def _sku_fields(sku: Any = None) -> dict[str, Any]:
    fields = {
        "code": f"NEW-{next(_number)}",
        "name": "New",
        "product_id": "",
        "product_id_wh": "",
        "gtin": "",
        "workflow": "no",
    }
    return fields if sku is None else {**fields, "code": sku.code, "version": sku.version}


def sku(_person: Person) -> Case:
    """A SKU, and a change of its name."""
    made = make_sku()
    return Case({"pk": made.pk}, _sku_fields(made))


def selected_skus(_person: Person) -> Case:
    """Two SKUs that get another Serial attribute."""
    return Case(data={"pk": [made.pk for made in make_skus(2)], "workflow": "out"})


def _catalogue_file() -> bytes:
    return b"SKU,Name,GTIN\r\nFILE-1,From a file,\r\nFILE-2,With a bad GTIN,123\r\n"


def upload(_person: Person) -> Case:
    """A CSV file to upload."""
    return Case(data={"file": SimpleUploadedFile("skus.csv", _catalogue_file(), "text/csv")})


def uploaded(_person: Person) -> Case:
    """A CSV file that was uploaded."""
    return Case({"key": files.store("skus.csv", "text/csv", [_catalogue_file()]).key})


def make_job(person: Person, result: StoredFile | None = None) -> Any:
    """A waiting job of a person."""
    number = next(_number)
    made = jobs.start("ui.export", f"Thing {number}", {}, person=person, idempotency_key=f"sample-{number}")
    made.result_file = result
    made.save()
    return made


def job(person: Person) -> Case:
    """A job of the person who asks."""
    return Case({"pk": make_job(person).pk})


def shown_job(person: Person) -> Case:
    """A job that is over, as the tray names it."""
    made = make_job(person)
    jobs.cancel(job_id=made.pk)
    return Case(data={"job": made.pk})


def result_file(person: Person) -> Case:
    """The file that a job of the person made."""
    stored = files.store("result.csv", "text/csv", [b"a,b\r\n"])
    make_job(person, stored)
    return Case({"key": stored.key})


def make_members(how_many: int) -> list[Membership]:
    """People who were invited and have not signed in yet."""
    first = Person.objects.count()
    found = []
    for number in range(first, first + how_many):
        invited = people.add_member(email=f"p{number}@example.com", name=f"P {number}", role=Role.VIEWER, actor=None)
        found.append(invited.membership)
    return found


def member(_person: Person) -> Case:
    """A member who was invited, and another role for them."""
    return Case({"pk": make_members(1)[0].pk}, {"role": Role.OPERATOR})


def new_member(_person: Person) -> Case:
    """Somebody to invite into the current account."""
    return Case(data={"email": f"new-{next(_number)}@example.com", "name": "New", "role": Role.VIEWER})


def make_places(how_many: int) -> None:
    """Stock of as many SKUs in as many bins."""
    for made in make_skus(how_many):
        make_stock(sku=made, bin=make_bin())


def order(_person: Person) -> Case:
    """An order."""
    return Case({"pk": make_order().pk})


def order_number(_person: Person) -> Case:
    """The number of an order, as a link has it."""
    return Case(query={"number": make_order().number})


def excess(_person: Person) -> Case:
    """More arrived of a replenishment than was ordered, which may be accepted."""
    made = make_submitted((make_sku(), 1), planned=False)
    case = make_discrepancy(kind="over_receipt", process_type="replenishment", process_id=made.number)
    return Case({"pk": case.pk}, {"reason": "we keep it"})


def discrepancy(_person: Person) -> Case:
    """An open discrepancy, and how it was settled."""
    return Case({"pk": make_discrepancy().pk}, {"reason": "counted again"})


def view(person: Person) -> Case:
    """A view that the person saved, and another name for it."""
    made = layouts.save_view(
        person=person,
        page="serials",
        name=f"View {next(_number)}",
        query="status=hold",
        columns=["sku", "serial"],
        is_shared=False,
    )
    return Case({"pk": made.pk}, {"name": "Renamed"})


def list_page(_person: Person) -> Case:
    """A list that has columns to choose and views to save."""
    asked = {"list": "serials"}
    return Case(data={**asked, "state": "", "name": "Mine", "order": ["serial", "sku"], "show": "serial"}, query=asked)


SAMPLES = {
    "columns": Sample(list_page, get=EVERYONE, post=EVERYONE),
    "view_new": Sample(list_page, get=EVERYONE, post=EVERYONE),
    "view": Sample(view, get=EVERYONE, post=EVERYONE),
    "view_update": Sample(view, post=EVERYONE),
    "view_delete": Sample(view, get=EVERYONE, post=EVERYONE),
    "account_home": Sample(get=EVERYONE),
    "skus": Sample(get=EVERYONE, rows=make_skus),
    "sku_new": Sample(lambda _person: Case(data=_sku_fields()), get=OFFICE, post=OFFICE),
    "sku_serial": Sample(selected_skus, post=ADMINS),
    "sku_template": Sample(get=OFFICE),
    "sku_upload": Sample(upload, get=OFFICE, post=OFFICE),
    "sku_check": Sample(uploaded, get=OFFICE, post=OFFICE),
    "sku_check_errors": Sample(uploaded, get=OFFICE),
    "sku": Sample(sku, get=EVERYONE, post=OFFICE),
    "stock": Sample(get=EVERYONE, rows=make_places),
    "orders": Sample(get=EVERYONE, rows=times(make_order)),
    "order_find": Sample(order_number, get=EVERYONE),
    "order": Sample(order, get=EVERYONE),
    "discrepancies": Sample(get=EVERYONE, rows=times(make_discrepancy)),
    "discrepancy": Sample(discrepancy, get=EVERYONE),
    "discrepancy_close": Sample(discrepancy, get=OFFICE, post=OFFICE),
    "discrepancy_accept": Sample(excess, get=OFFICE, post=OFFICE),
    "members": Sample(get=EVERYONE, rows=make_members),
    "member_new": Sample(new_member, get=ADMINS, post=ADMINS),
    "member": Sample(member, get=ADMINS, post=ADMINS),
    "member_remove": Sample(member, post=ADMINS),
    "member_invite": Sample(member, post=ADMINS),
    "audit": Sample(get=ADMINS, rows=times(make_sku)),
    "jobs": Sample(get=EVERYONE, rows=times(lambda: make_job(None))),
    "job_tray": Sample(get=EVERYONE),
    "job": Sample(job, get=EVERYONE),
    "job_cancel": Sample(job, post=EVERYONE),
    "job_dismiss": Sample(job, post=EVERYONE),
    "job_dismiss_all": Sample(shown_job, post=EVERYONE),
    "file": Sample(result_file, get=EVERYONE),
}

# Addresses of no account: whether somebody who is not signed in gets an answer there.
PLATFORM = {
    "home": False,
    "healthz": True,
    "cards": False,
    "sign_in": True,
    "sign_out": False,
    "password": False,
    "welcome": True,
    "accounts": False,
    "join": False,
    "appearance": False,
}
