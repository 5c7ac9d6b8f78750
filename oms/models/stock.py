"""Where goods lie and how many: an account's side of a warehouse, its locations and bins, stock and its movements."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from oms.models.catalogue import Sku
from oms.models.keys import KeyField, validate_identity
from oms.models.people import Warehouse
from oms.tenancy import AccountKey, AccountModel

NO_LOT = 0
"""The lot of goods without one. Stock and units always carry a lot, so that their keys never hold a NULL."""


class BinKind(models.TextChoices):
    """What a bin is for; a unit's status in the warehouse follows from it."""

    PICK = "pick", _("Pick")
    RESERVED = "reserved", _("Reserved")
    DAMAGED = "damaged", _("Damaged")


class WarehouseLink(AccountModel):
    """One account's use of one warehouse."""

    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="+", db_index=False)

    class Meta(AccountModel.Meta):
        verbose_name = _("warehouse")
        verbose_name_plural = _("warehouses")
        constraints: ClassVar = [models.UniqueConstraint(fields=["account", "warehouse"], name="warehouselink_once")]

    def __str__(self) -> str:
        return self.warehouse.name


class Location(AccountModel):
    """A zone of a warehouse."""

    link = AccountKey(WarehouseLink, on_delete=models.PROTECT, related_name="locations")
    name = models.CharField(_("Location"), max_length=80, validators=[validate_identity])
    name_key = KeyField(of="name")
    is_default = models.BooleanField(default=False)

    class Meta(AccountModel.Meta):
        verbose_name = _("location")
        verbose_name_plural = _("locations")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "link", "name_key"], name="location_name"),
            models.UniqueConstraint(
                fields=["account", "link"], condition=models.Q(is_default=True), name="location_one_default"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Bin(AccountModel):
    """The smallest place. Its kind cannot change while it holds anything."""

    link = AccountKey(WarehouseLink, on_delete=models.PROTECT, related_name="bins")
    location = AccountKey(Location, on_delete=models.PROTECT, related_name="bins")
    name = models.CharField(_("BIN"), max_length=80, validators=[validate_identity])
    name_key = KeyField(of="name")
    kind = models.CharField(_("kind"), max_length=16, choices=BinKind, default=BinKind.PICK)
    needs_review = models.BooleanField(
        default=False, help_text=_("Made from a name that a warehouse system sent and nobody had entered.")
    )

    class Meta(AccountModel.Meta):
        verbose_name = _("bin")
        verbose_name_plural = _("bins")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "link", "name_key"], name="bin_name"),
            models.CheckConstraint(condition=models.Q(kind__in=BinKind.values), name="bin_kind"),
        ]
        indexes: ClassVar = [models.Index(fields=["account", "location"], name="bin_by_location")]

    def __str__(self) -> str:
        return self.name


class Stock(AccountModel):
    """How many of one SKU (and lot) lie in one bin: the running sum of its movements."""

    sku = AccountKey(Sku, on_delete=models.PROTECT, related_name="stock")
    bin = AccountKey(Bin, on_delete=models.PROTECT, related_name="stock")
    lot_key = models.BigIntegerField(default=NO_LOT)
    quantity = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(AccountModel.Meta):
        verbose_name = _("stock")
        verbose_name_plural = _("stock")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "sku", "bin", "lot_key"], name="stock_place"),
            models.CheckConstraint(condition=models.Q(quantity__gte=0), name="stock_not_negative"),
        ]
        indexes: ClassVar = [models.Index(fields=["account", "bin"], name="stock_by_bin")]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku_id} @ {self.bin_id}"


class StockMove(AccountModel):
    """One change of stock. Append-only: the database refuses UPDATE and DELETE."""

    sku = AccountKey(Sku, on_delete=models.PROTECT, related_name="+")
    bin = AccountKey(Bin, on_delete=models.PROTECT, related_name="+")
    lot_key = models.BigIntegerField(default=NO_LOT)
    delta = models.BigIntegerField()
    event = models.CharField(max_length=24)
    process_type = models.CharField(max_length=16)
    process_id = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=250, blank=True)
    source = models.CharField(max_length=200, blank=True)
    actor_id = models.BigIntegerField(null=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta(AccountModel.Meta):
        verbose_name = _("stock movement")
        verbose_name_plural = _("stock movements")
        constraints: ClassVar = [models.CheckConstraint(condition=~models.Q(delta=0), name="stockmove_not_zero")]
        indexes: ClassVar = [models.Index(fields=["account", "sku", "bin", "lot_key", "id"], name="stockmove_by_place")]

    def __str__(self) -> str:
        return f"{self.delta:+d}"
