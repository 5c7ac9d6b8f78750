"""Units to test with, made by the ledger in the current account."""

from itertools import count

from oms.models import Bin, Sku
from serials.lifecycle import Actor, Event
from serials.models import NumberScheme, Unit
from serials.numbering.schemes import Scheme
from serials.services import Fact, Row, record_event, schemes
from serials.services.numbers import reserve_block
from tests.factories import make_bin, make_serialized_sku

_number = count(1)


def make_units(how_many: int, *, sku: Sku | None = None, bin: Bin | None = None) -> list[Unit]:  # noqa: A002
    """Units of one SKU in one bin, received although nobody planned them."""
    sku, place = sku or make_serialized_sku(), bin or make_bin()
    serials = [f"SERIAL-{next(_number):05}" for _turn in range(how_many)]
    rows = [Row(sku_id=sku.pk, serial=serial, bin_id=place.pk, is_new_allowed=True) for serial in serials]
    record_event(Fact(Event.RECEIVE, Actor.WAREHOUSE, process_id="RECEIPT", source=f"test:{serials[0]}"), rows)
    return list(Unit.objects.filter(sku=sku, serial__in=serials).order_by("pk"))


def make_unit(**kwargs) -> Unit:
    """One of these."""
    return make_units(1, **kwargs)[0]


def make_scheme(scheme: Scheme | None = None, *, name: str = "", is_default=False, first_counter=1) -> NumberScheme:
    """A scheme beside the account's default one."""
    if not NumberScheme.objects.exists():
        reserve_block(count=1)
    n = next(_number)
    looks = scheme or Scheme(f"T{n:05}-", 6)
    given = schemes.SchemeInput(name or f"Thing {n}", looks, first_counter=first_counter, is_default=is_default)
    return schemes.create_scheme(given=given, actor=None)
