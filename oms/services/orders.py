"""Writes of orders."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from oms import identity
from oms.errors import Conflict, DomainError
from oms.models import Order, OrderLine, Sku


@dataclass(frozen=True)
class LineInput:
    """One line as it is ordered: a SKU of the account, and how many, at least 1."""

    sku_id: int
    quantity: int


@transaction.atomic
def add_order(*, number: str, lines: Sequence[LineInput], reference: str = "") -> Order:
    """An open order with its lines in the given order; two lines of one SKU are two lines.

    Raises Conflict where the internal order number is taken, DomainError for no lines, a quantity below 1, a SKU that
    the account has not got, or a number that cannot be one.
    """
    known = set(Sku.objects.filter(pk__in=[line.sku_id for line in lines]).values_list("pk", flat=True))
    if not lines or any(line.quantity < 1 or line.sku_id not in known for line in lines):
        raise DomainError(_("An order has at least one line, each with a SKU of this account and a quantity."))
    identity.check(number, most=60)
    identity.check_words(reference)
    try:
        with transaction.atomic():
            order = Order.objects.create(number=number, reference=reference)
    except IntegrityError as error:
        raise Conflict(_("There is already an order %(number)s.") % {"number": number}) from error
    OrderLine.objects.bulk_create(
        OrderLine(order=order, sku_id=line.sku_id, position=position, quantity=line.quantity)
        for position, line in enumerate(lines, 1)
    )
    return order
