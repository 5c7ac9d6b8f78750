"""What gives numbers here, for a restore that moves it on: replenishments, and the number schemes of their serials.

See oms/backup/counting.py.
"""

from datetime import datetime

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from oms.backup.counting import Counted, Numbers
from oms.services import audit
from replenishment.models import FIRST_NUMBER, PlannedSerial, Replenishment, ReplenishmentCounter
from serials.models import NumberScheme


def _replenishments(since: datetime) -> list[Counted]:
    """One in each account, also where no replenishment was ever made: its first number may be given by now."""
    row = ReplenishmentCounter.objects.first() or ReplenishmentCounter()
    given = Replenishment.objects.filter(created_at__gte=since).count()
    return [Counted(row.pk or 0, str(_("Replenishments")), str(row), given)]


def _jump_replenishments(pk: int, by: int) -> str:
    if not pk:
        ReplenishmentCounter.objects.create(next_number=FIRST_NUMBER)
    ReplenishmentCounter.objects.update(next_number=F("next_number") + by)
    return _("the next one is %(number)s.") % {"number": ReplenishmentCounter.objects.get()}


def _schemes(since: datetime) -> list[Counted]:
    """Those in use. Which scheme a number came from is not kept, so each may have given all that the account planned.

    An account without any has its first one from the first use on, which may have been meanwhile.
    """
    rows = list(NumberScheme.objects.filter(is_archived=False).order_by("pk"))
    if not NumberScheme.objects.exists():
        rows = [NumberScheme(is_default=True)]
    recent = PlannedSerial.objects.filter(is_generated=True, line__replenishment__updated_at__gte=since)
    given = recent.count()
    name = _("Number scheme %(name)s")
    return [Counted(row.pk or 0, name % {"name": row.name}, _next(row), given) for row in rows]


def _jump_scheme(pk: int, by: int) -> str:
    """Move it on; one that has no room for that is archived: which of its numbers are given is not known."""
    row = NumberScheme.objects.select_for_update().get(pk=pk) if pk else NumberScheme(is_default=True)
    if row.left > by:
        row.next_counter += by
        row.save()
        return _("the next number is %(number)s.") % {"number": _next(row)}
    row.is_archived, row.is_default = True, False
    row.save()
    audit.record(actor=None, action="Archived", kind="number scheme", object_id=row.pk, label=row.name, changes={})
    words = _("switched off, because it has no room for %(by)s numbers more. An admin can add a wider one: %(where)s.")
    return words % {"by": f"{by:,}", "where": _("Settings, Number schemes")}


def _next(row: NumberScheme) -> str:
    return row.scheme.number(row.next_counter, timezone.localdate()) if row.left else "–"


REPLENISHMENTS = Numbers(found=_replenishments, jump=_jump_replenishments)
SCHEMES = Numbers(found=_schemes, jump=_jump_scheme)
