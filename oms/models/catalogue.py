"""What is sold."""

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from oms.models.keys import KeyField, validate_identity, validate_words
from oms.tenancy import AccountModel


class Workflow(models.TextChoices):
    """The Serial attribute: how a SKU's serials are controlled."""

    NO = "no", _("No")
    OUT = "out", _("Out")
    IN_OUT = "in_out", _("In/Out")
    OUT_BULK = "out_bulk", _("Out in Bulk")

    @property
    def help(self) -> str:
        """One sentence for the form."""
        return str(_WORKFLOW_HELP[self])


_WORKFLOW_HELP = {
    Workflow.NO: _("No serials."),
    Workflow.OUT: _("Nothing on the way in; the warehouse enters serials when the unit ships."),
    Workflow.IN_OUT: _("Each unit is registered, on a replenishment or at receipt, before it can ship."),
    Workflow.OUT_BULK: _("A list, a range or a file of serials for the whole line at shipping."),
}


def validate_gtin(value: str) -> None:
    """Accept a GTIN-8, -12, -13 or -14 with a right check digit (GS1 General Specifications, 7.9)."""
    if not (value.isascii() and value.isdigit() and len(value) in {8, 12, 13, 14}):
        raise ValidationError(_("A GTIN has 8, 12, 13 or 14 digits."), code="gtin")
    digits = [int(digit) for digit in reversed(value)]
    check = -sum(digit * (3 if place % 2 == 0 else 1) for place, digit in enumerate(digits[1:])) % 10
    if check != digits[0]:
        raise ValidationError(
            _("The last digit of this GTIN should be %(check)s: check the number."),
            code="gtin",
            params={"check": check},
        )


class Sku(AccountModel):
    """The sellable item."""

    code = models.CharField(_("SKU"), max_length=80, validators=[validate_identity])
    code_key = KeyField(of="code")
    product_id = models.CharField(_("ProductID"), max_length=80, blank=True, validators=[validate_identity])
    product_id_wh = models.CharField(
        _("ProductIDWH"),
        max_length=80,
        blank=True,
        validators=[validate_identity],
        help_text=_("The warehouse's own id for this SKU."),
    )
    name = models.CharField(_("Name"), max_length=250, validators=[validate_words])
    gtin = models.CharField(_("GTIN"), max_length=14, blank=True, validators=[validate_gtin])
    workflow = models.CharField(_("Serial"), max_length=16, choices=Workflow, default=Workflow.NO)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(AccountModel.Meta):
        verbose_name = _("SKU")
        verbose_name_plural = _("SKUs")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "code_key"],
                name="sku_code",
                violation_error_message=_("There is already a SKU with this code (upper and lower case are the same)."),
            ),
            models.CheckConstraint(condition=models.Q(workflow__in=Workflow.values), name="sku_workflow"),
            models.CheckConstraint(condition=~models.Q(code=""), name="sku_code_not_empty"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "code", "id"], name="sku_by_code"),
            models.Index(fields=["account", "name", "id"], name="sku_by_name"),
            models.Index(fields=["account", "-updated_at", "-id"], name="sku_by_update"),
            GinIndex("account", OpClass(Upper("code"), "gin_trgm_ops"), name="sku_code_search"),
            GinIndex("account", OpClass(Upper("name"), "gin_trgm_ops"), name="sku_name_search"),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def prod_id(self) -> str:
        """What the grid's ProdID column shows: the warehouse's id, else ours."""
        return self.product_id_wh or self.product_id
