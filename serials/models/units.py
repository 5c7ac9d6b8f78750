"""Serialized units, their lots and attributes, and the history that they are the fold of."""

from typing import ClassVar
from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Now, Upper
from django.utils.translation import gettext_lazy as _

from oms.models import Bin, OrderLine, Person, Sku
from oms.models.keys import KeyField, validate_identity
from oms.search import Pairs, behind_first, ordered
from oms.tenancy import AccountKey, AccountModel
from serials.lifecycle import Event, ProcessType, Status

NOTE_LENGTH = 2000
SEARCHED = ("serial", "wms_notes", "oms_notes", "process_id")
"""The text columns of a unit that people search in; what stands in SKUs and bins is found there."""


class Lot(AccountModel):
    """A batch of one SKU, its number as it was typed first. Never the same record as a serial; a unit may have both."""

    sku = AccountKey(Sku, on_delete=models.PROTECT, related_name="lots")
    number = models.CharField(_("Lot"), max_length=100, validators=[validate_identity])
    number_key = KeyField(of="number")
    expires_on = models.DateField(_("Expiry"), null=True)
    made_on = models.DateField(_("Manufactured"), null=True)

    class Meta(AccountModel.Meta):
        verbose_name = _("lot")
        verbose_name_plural = _("lots")
        constraints: ClassVar = [models.UniqueConstraint(fields=["account", "sku", "number_key"], name="lot_number")]

    def __str__(self) -> str:
        return self.number


class Unit(AccountModel):
    """One physical unit with a serial number: a row of the Serials grid. Written by the ledger only.

    `serial` is kept as typed; `serial_key` is its normalised form, unique for the SKU. `order_line` is the line that
    the unit is reserved for, or was shipped on. `last_event` and `last_source` are those of the last event that was not
    an annotation.
    """

    sku = AccountKey(Sku, on_delete=models.PROTECT, related_name="units")
    serial = models.CharField(_("Serial"), max_length=100)
    serial_key = models.CharField(max_length=100)
    status = models.CharField(_("Status"), max_length=16, choices=Status)
    is_void = models.BooleanField(default=False)
    is_planned = models.BooleanField(default=False)
    bin = AccountKey(Bin, on_delete=models.PROTECT, null=True, related_name="units")
    lot = AccountKey(Lot, on_delete=models.PROTECT, null=True, related_name="units")
    order_line = AccountKey(OrderLine, on_delete=models.PROTECT, null=True, related_name="units")
    wms_notes = models.CharField(_("WMS Notes"), max_length=NOTE_LENGTH, blank=True)
    oms_notes = models.CharField(_("OMS Notes"), max_length=NOTE_LENGTH, blank=True)
    process_type = models.CharField(_("ProcessType"), max_length=16, choices=ProcessType)
    process_id = models.CharField(_("ProcessID"), max_length=80, blank=True)
    order_no = models.CharField(_("Order#"), max_length=60, blank=True)
    last_event = models.CharField(max_length=24, choices=Event)
    last_source = models.CharField(max_length=200, blank=True)
    updated_at = models.DateTimeField(_("Update"))
    created_at = models.DateTimeField(db_default=Now())

    class Meta(AccountModel.Meta):
        verbose_name = _("unit")
        verbose_name_plural = _("units")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "sku", "serial_key"], name="unit_serial"),
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="unit_status"),
            models.CheckConstraint(
                condition=models.Q(is_void=False) | models.Q(status=Status.INCOMING), name="unit_void_is_incoming"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=[Status.INCOMING, Status.OUT], bin__isnull=True)
                | models.Q(
                    status__in=[Status.READY, Status.RESERVED, Status.HOLD, Status.IMPERFECT], bin__isnull=False
                ),
                name="unit_bin_while_in_warehouse",
            ),
            models.CheckConstraint(
                condition=~models.Q(status=Status.RESERVED) | models.Q(order_line__isnull=False),
                name="unit_reserved_for_line",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "-updated_at", "-id"], name="unit_by_update"),
            models.Index(fields=["account", "status", "-updated_at", "-id"], name="unit_by_status"),
            models.Index(fields=["account", "serial_key", "id"], name="unit_by_serial"),
            models.Index(fields=["account", "bin"], name="unit_by_bin"),
            # Order numbers by their beginning, with the keys of the usual sort, so that many are sorted from the index;
            # the highest first, which are mostly the newest, so that the sort has its page early and drops the rest.
            models.Index(
                "account",
                ordered("order_no").desc(),
                models.F("updated_at").desc(),
                models.F("id").desc(),
                include=["order_no", "is_void"],
                condition=~models.Q(order_no=""),
                name="unit_by_order",
            ),
            # One index for all text: a row costs one entry of its account and one place in the pending list, not six.
            GinIndex(
                "account",
                *(OpClass(Upper(name), "gin_trgm_ops") for name in SEARCHED),
                OpClass(behind_first("order_no"), "gin_trgm_ops"),
                OpClass(Pairs(Upper("serial")), "array_ops"),
                name="unit_search",
            ),
        ]

    def __str__(self) -> str:
        return self.serial


class UnitEvent(AccountModel):
    """One row of a unit's history, with the eleven columns that people see as they were then. Append-only."""

    unit = AccountKey(Unit, on_delete=models.PROTECT, related_name="events")
    event = models.CharField(max_length=24, choices=Event)
    sku = models.CharField(_("SKU"), max_length=80)
    prod_id = models.CharField(_("ProdID"), max_length=80, blank=True)
    bin_name = models.CharField(_("BIN"), max_length=80, blank=True)
    serial = models.CharField(_("Serial"), max_length=100)
    status = models.CharField(_("Status"), max_length=16, choices=Status)
    is_void = models.BooleanField(default=False)
    wms_notes = models.CharField(_("WMS Notes"), max_length=NOTE_LENGTH, blank=True)
    oms_notes = models.CharField(_("OMS Notes"), max_length=NOTE_LENGTH, blank=True)
    process_type = models.CharField(_("ProcessType"), max_length=16, choices=ProcessType)
    process_id = models.CharField(_("ProcessID"), max_length=80, blank=True)
    order_no = models.CharField(_("Order#"), max_length=60, blank=True)
    lot_number = models.CharField(_("Lot"), max_length=100, blank=True)
    bin_id = models.BigIntegerField(null=True)
    lot_id = models.BigIntegerField(null=True)
    order_line_id = models.BigIntegerField(null=True)
    occurred_at = models.DateTimeField(_("Update"))
    recorded_at = models.DateTimeField()
    actor = models.ForeignKey(
        Person, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    source = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=400, blank=True)
    corrects_id = models.BigIntegerField(null=True)

    class Meta(AccountModel.Meta):
        verbose_name = _("history row")
        verbose_name_plural = _("history rows")
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(event__in=Event.values), name="unitevent_event"),
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="unitevent_status"),
            models.UniqueConstraint(
                fields=["account", "unit", "source"], condition=~models.Q(source=""), name="unitevent_once"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["account", "unit", "-id"], name="unitevent_by_unit")]

    def __str__(self) -> str:
        return f"{self.event} {self.serial}"


class UnitAttribute(AccountModel):
    """One named value of one unit: its METADATA. A name is the same whatever its case."""

    unit = AccountKey(Unit, on_delete=models.PROTECT, related_name="attributes")
    name = models.CharField(_("Attribute"), max_length=100, validators=[validate_identity])
    name_key = KeyField(of="name")
    value = models.CharField(_("Value"), max_length=1000)

    class Meta(AccountModel.Meta):
        verbose_name = _("attribute")
        verbose_name_plural = _("attributes")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "unit", "name_key"], name="unitattribute_name"),
            models.CheckConstraint(condition=~models.Q(name=""), name="unitattribute_name_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


class FoundList(AccountModel):
    """What "Find many" found in a list of numbers; every member who has its key may read it, for some weeks.

    `unit_ids` are in the order of the list. `rest` holds the numbers that are not found, ambiguous and duplicate:
    group → [line, as typed, SKU as typed, SKUs that have it or the line where it stood before].
    """

    key = models.UUIDField(default=uuid4)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+", db_index=False)
    unit_ids = ArrayField(models.BigIntegerField())
    has_void = models.BooleanField(default=False)
    rest = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(AccountModel.Meta):
        verbose_name = _("found list")
        verbose_name_plural = _("found lists")
        constraints: ClassVar = [models.UniqueConstraint(fields=["account", "key"], name="foundlist_key")]

    def __str__(self) -> str:
        return str(self.key)
