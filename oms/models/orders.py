"""Outbound documents, as far as units and their history need them: orders and their lines."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from oms.models.catalogue import Sku
from oms.models.keys import KeyField, validate_identity, validate_words
from oms.tenancy import AccountKey, AccountModel


class OrderStatus(models.TextChoices):
    """Where an order stands."""

    OPEN = "open", _("Open")
    SHIPPED = "shipped", _("Shipped")
    CANCELLED = "cancelled", _("Cancelled")


class Order(AccountModel):
    """What a customer bought. `number` is the OMS's internal order number, the grid's Order#."""

    number = models.CharField(_("Order#"), max_length=60, validators=[validate_identity])
    number_key = KeyField(of="number")
    reference = models.CharField(_("Reference"), max_length=120, blank=True, validators=[validate_words])
    status = models.CharField(_("Status"), max_length=16, choices=OrderStatus, default=OrderStatus.OPEN)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(AccountModel.Meta):
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "number_key"], name="order_number"),
            models.CheckConstraint(condition=models.Q(status__in=OrderStatus.values), name="order_status"),
        ]

    def __str__(self) -> str:
        return self.number


class OrderLine(AccountModel):
    """One SKU of an order. `attention` says in words what somebody must look at, such as a freed reservation."""

    order = AccountKey(Order, on_delete=models.PROTECT, related_name="lines")
    sku = AccountKey(Sku, on_delete=models.PROTECT, related_name="order_lines")
    position = models.PositiveIntegerField()
    quantity = models.PositiveIntegerField(_("Quantity"))
    attention = models.CharField(max_length=250, blank=True)

    class Meta(AccountModel.Meta):
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "order", "position"], name="orderline_position"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="orderline_quantity"),
        ]
        indexes: ClassVar = [models.Index(fields=["account", "sku"], name="orderline_by_sku")]

    def __str__(self) -> str:
        return f"{self.order_id}/{self.position}"
