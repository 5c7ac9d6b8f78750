"""The labels of planned serials, and what files about them are called."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.text import slugify
from django.utils.translation import gettext as _

from oms.errors import DomainError
from oms.models import Sku
from replenishment.models import Replenishment
from replenishment.planned_lots import planned_serials
from replenishment.queries import planned_of
from serials.labels import Label, LabelRun


def file_stem(replenishment: Replenishment, sku_id: int | None) -> str:
    """How a file about all its serials, or those of one SKU, begins: two of them must not have one name."""
    code = slugify(Sku.objects.values_list("code", flat=True).get(pk=sku_id)) if sku_id is not None else ""
    return "-".join(part for part in ("lotline", replenishment.number, code) if part)


def planned_labels(args: Mapping[str, Any]) -> LabelRun:
    """The label source "replenishment": `replenishment_id`, and `sku_id` or None for all; see serials.labels_jobs."""
    found = Replenishment.objects.get(pk=args["replenishment_id"])
    sku_id = args.get("sku_id")
    count = planned_of(found, sku_id).count()
    if not count:
        raise DomainError(_("There is nothing to print a label for: no serials are planned."))
    title = _("Labels of %(number)s") % {"number": found.number}
    name = f"{file_stem(found, sku_id)}-labels.pdf"
    rows = planned_of(found, sku_id)

    def labels() -> Iterator[Label]:
        for row in planned_serials(found, sku_id):
            yield Label(row.sku, row.sku_name, row.serial, row.gtin, row.lot, row.expires_on, row.sku_id)

    return LabelRun(title, name, count, labels, items=rows)
