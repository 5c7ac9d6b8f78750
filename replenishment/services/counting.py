"""What gives numbers here, for a restore that moves it on: replenishments, and the number schemes of their serials.

See oms/backup/counting.py.
"""

from datetime import datetime

from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from oms.backup.counting import Counted, Numbers
from replenishment.models import FIRST_NUMBER, PlannedSerial, Replenishment, ReplenishmentCounter
from serials.models import NumberScheme
from serials.services import schemes


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
    given = _generated(since)
    name = _("Number scheme %(name)s")
    return [Counted(row.pk or 0, name % {"name": row.name}, _next(row), given) for row in rows]


def _generated(since: datetime) -> int:
    """How many numbers were generated since then, rather more than fewer.

    A number whose line was removed has no time any more. Ids are given in the order of time, so it is newer than the
    last one on a replenishment that nobody has touched since.
    """
    planned = PlannedSerial.objects.order_by("-pk").values_list("pk", flat=True)
    last = planned.filter(line__replenishment__updated_at__lt=since).first() or 0
    is_recent = Q(line__replenishment__updated_at__gte=since) | Q(line=None, pk__gt=last)
    return PlannedSerial.objects.filter(is_recent, is_generated=True).count()


def _jump_scheme(pk: int, by: int) -> str:
    """Move it on; one that has no room for that is archived: which of its numbers are given is not known."""
    row = NumberScheme.objects.select_for_update().get(pk=pk) if pk else NumberScheme(is_default=True)
    if row.left > by:
        row.next_counter += by
        row.save()
        return _("the next number is %(number)s.") % {"number": _next(row)}
    was_default, skus = row.is_default, schemes.use_up(row)
    said = [_("switched off, because it has no room for %(by)s numbers more.") % {"by": f"{by:,}"}]
    if skus:
        said.append(_("SKUs that named it, and have the default scheme now: %(skus)s.") % {"skus": f"{skus:,}"})
    if was_default:
        said.append(
            _("It was the default scheme. An admin must add a wider one, or make another the default: %(where)s.")
        )
    else:
        said.append(_("An admin can add a wider one: %(where)s."))
    return " ".join(said) % {"where": _("Settings, Number schemes")}


def _next(row: NumberScheme) -> str:
    return row.scheme.number(row.next_counter, timezone.localdate()) if row.left else "–"


REPLENISHMENTS = Numbers(found=_replenishments, jump=_jump_replenishments)
SCHEMES = Numbers(found=_schemes, jump=_jump_scheme)
