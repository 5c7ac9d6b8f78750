"""Reads of number schemes and of what the SKUs say about their numbers."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Case, Count, Exists, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _, gettext_lazy

from oms.errors import Text
from oms.models import Sku, Workflow
from serials.models import NumberScheme, SkuNumbering
from serials.numbering.rules import ANYTHING, Rule
from serials.numbering.schemes import Scheme

SHOWN = 5
"""How many numbers a preview shows."""


def scheme_rows() -> QuerySet[NumberScheme]:
    """Every scheme of the account, read through the search view, with `sku_count`: the SKUs that name it.

    The default's are also the In/Out SKUs that name none.
    """
    own = SkuNumbering.objects.filter(scheme=OuterRef("pk")).order_by().values("scheme")
    named = SkuNumbering.objects.filter(sku=OuterRef("pk"), scheme__isnull=False)
    others = Sku.objects.filter(~Exists(named), workflow=Workflow.IN_OUT).order_by().values("workflow")
    counts = [Coalesce(Subquery(found.annotate(n=Count("pk")).values("n")), Value(0)) for found in (own, others)]
    return NumberScheme.objects.through_view().annotate(
        sku_count=counts[0] + Case(When(is_default=True, then=counts[1]), default=Value(0))
    )


def live_schemes() -> QuerySet[NumberScheme]:
    """The schemes that can still give numbers, the default first."""
    return NumberScheme.objects.filter(is_archived=False).order_by("-is_default", "name")


def default_scheme() -> NumberScheme | None:
    """The scheme of SKUs that name none; None before the account's first number, and where a restore archived it.

    Another one never takes its place by itself: its numbers would look like nobody's choice.
    """
    return live_schemes().filter(is_default=True).first()


def lacks_default() -> bool:
    """Whether the account has schemes, but none for SKUs that name none: an admin has to choose one."""
    return NumberScheme.objects.exists() and default_scheme() is None


def low_schemes() -> list[NumberScheme]:
    """The schemes that run out soon; accounts have a handful in all."""
    return [found for found in live_schemes() if found.is_low]


def low_words(found: Iterable[NumberScheme]) -> str:
    """A sentence on each scheme that runs out soon."""
    text = _("“%(name)s” runs out soon: %(left)s numbers are left. Add a wider scheme to follow it.")
    return " ".join(text % {"name": row.name, "left": f"{row.left:,}"} for row in found)


def schemes_of(sku_ids: Collection[int]) -> dict[int, int | None]:
    """SKU id → the id of the scheme that its numbers come from; None: there is none (yet). Two queries."""
    rows = SkuNumbering.objects.filter(sku__in=sku_ids, scheme__isnull=False).values_list("sku_id", "scheme_id")
    chosen: dict[int, Any] = dict(rows)
    default = default_scheme()
    return {sku_id: chosen.get(sku_id, default.pk if default else None) for sku_id in sku_ids}


def numbering_of(sku_id: int) -> SkuNumbering | None:
    """What a SKU says about its numbers, with its scheme; None where it says nothing."""
    found: SkuNumbering | None = SkuNumbering.objects.select_related("scheme").filter(sku=sku_id).first()
    return found


def rules_of(sku_ids: Collection[int]) -> dict[int, Rule]:
    """SKU id → its rule for numbers from outside, for each of them; one query."""
    rows = {row.sku_id: row.rule for row in SkuNumbering.objects.filter(sku__in=sku_ids)}
    return {sku_id: rows.get(sku_id, ANYTHING) for sku_id in sku_ids}


@dataclass(frozen=True)
class Preview:
    """The next numbers of a scheme, as they would be today, and what is left of it."""

    scheme: Scheme
    following: int
    on: date

    @property
    def numbers(self) -> list[str]:
        """The next five, or as many as there are."""
        count = min(SHOWN, self.scheme.left(self.following))
        return list(self.scheme.numbers(self.following, count, self.on)) if count else []

    @property
    def left(self) -> int:
        """How many numbers are left."""
        return self.scheme.left(self.following)

    @property
    def capacity(self) -> int:
        """How many numbers it has in all."""
        return self.scheme.last

    @property
    def is_low(self) -> bool:
        """It runs out soon."""
        return self.scheme.is_low(self.following)


def audit_labels() -> dict[str, Text]:
    """What the fields of a scheme are called in the audit log."""
    fields = {field.name: field.verbose_name for field in NumberScheme._meta.local_concrete_fields}
    return {**fields, "skus": gettext_lazy("SKUs that had it")}


def sku_audit_labels() -> dict[str, Text]:
    """What a SKU's numbers are called in the audit log, beside the SKU's own fields."""
    return {"number_scheme": gettext_lazy("number scheme"), "number_rule": gettext_lazy("rule for numbers")}
