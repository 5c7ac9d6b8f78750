"""What tests of receipts do that the warehouse enters."""

from replenishment.services import by_hand
from serials.models import Unit


def enter(made, wes, *lines, key="k1"):
    receipt = by_hand.receive(replenishment_id=made.pk, lines=lines, key=key, actor=wes)
    made.refresh_from_db()
    return receipt


def units(**found):
    return dict(Unit.objects.filter(**found).values_list("serial", "status"))
