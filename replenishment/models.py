"""Goods expected from suppliers: replenishments, planned serials, and the receipts that the warehouse confirmed."""

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from oms.models import Bin, Person, Sku, WarehouseLink
from oms.models.keys import KeyField, validate_identity, validate_words
from oms.tenancy import AccountKey, AccountModel
from replenishment.lifecycle import Status
from serials.models import Lot

MOST_UNITS = 1_000_000
"""The largest quantity of one line."""
MOST_LOTS = 100
"""Lots that one line may have: as many as its pages show."""
FIRST_NUMBER = 1001
OF_RECEIPT = "receipt"
"""The `subject_kind` of a discrepancy that a receipt left; its `subject_line` is the position of the receipt's line."""


class ReplenishmentCounter(AccountModel):
    """The next replenishment number of an account; one row, moved by one statement."""

    next_number = models.BigIntegerField(default=FIRST_NUMBER)

    class Meta(AccountModel.Meta):
        verbose_name = _("replenishment counter")
        verbose_name_plural = _("replenishment counters")
        constraints: ClassVar = [models.UniqueConstraint(fields=["account"], name="replenishmentcounter_once")]

    def __str__(self) -> str:
        return f"R-{self.next_number}"


class Replenishment(AccountModel):
    """Goods expected from a supplier; the same thing as a purchase order.

    `number` is the ProcessID of its units. `quantity` and `received_quantity` are the sums of its lines, kept by the
    services. `version` counts changes, so that nobody overwrites what they have not seen. `reason` says why it was
    cancelled or closed short; `is_closed_short` that nothing more is expected although less came. `expected_on`,
    `carrier`, `tracking` and `notes` are about the transport: they may change after Submit too.
    """

    number = models.CharField(_("Replenishment"), max_length=40)
    link = AccountKey(WarehouseLink, on_delete=models.PROTECT, related_name="replenishments")
    supplier = models.CharField(_("Supplier"), max_length=120, blank=True, validators=[validate_words])
    reference = models.CharField(_("Reference"), max_length=120, blank=True, validators=[validate_words])
    expected_on = models.DateField(_("Expected"), null=True)
    carrier = models.CharField(_("Carrier"), max_length=80, blank=True, validators=[validate_words])
    tracking = models.CharField(_("Tracking number"), max_length=120, blank=True, validators=[validate_words])
    notes = models.CharField(_("Notes"), max_length=2000, blank=True)
    status = models.CharField(_("Status"), max_length=16, choices=Status, default=Status.INCOMPLETE)
    quantity = models.BigIntegerField(_("Units"), default=0)
    received_quantity = models.BigIntegerField(_("Received"), default=0)
    is_closed_short = models.BooleanField(default=False)
    reason = models.CharField(_("Reason"), max_length=400, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(_("Created"), db_default=Now())
    created_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    submitted_at = models.DateTimeField(_("Submitted"), null=True)
    submitted_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    updated_at = models.DateTimeField(_("Update"), db_default=Now())

    class Meta(AccountModel.Meta):
        verbose_name = _("replenishment")
        verbose_name_plural = _("replenishments")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "number"], name="replenishment_number"),
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="replenishment_status"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "-updated_at", "-id"], name="replenishment_by_update"),
            models.Index(fields=["account", "status", "-id"], name="replenishment_by_status"),
        ]

    def __str__(self) -> str:
        return self.number


class ReplenishmentLine(AccountModel):
    """One SKU of a replenishment. `unit_cost` is in the currency that the merchant and the supplier agreed on."""

    replenishment = AccountKey(Replenishment, on_delete=models.PROTECT, related_name="lines")
    sku = AccountKey(Sku, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveIntegerField(_("Line"))
    quantity = models.PositiveIntegerField(
        _("Quantity"), validators=[MinValueValidator(1), MaxValueValidator(MOST_UNITS)]
    )
    received_quantity = models.PositiveBigIntegerField(_("Received"), default=0)
    unit_cost = models.DecimalField(_("Unit cost"), max_digits=12, decimal_places=4, null=True)

    class Meta(AccountModel.Meta):
        verbose_name = _("replenishment line")
        verbose_name_plural = _("replenishment lines")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "replenishment", "position"], name="replenishmentline_position"),
            models.CheckConstraint(
                condition=models.Q(quantity__gte=1, quantity__lte=MOST_UNITS), name="replenishmentline_quantity"
            ),
            models.CheckConstraint(condition=models.Q(unit_cost__gte=0), name="replenishmentline_unit_cost"),
        ]
        indexes: ClassVar = [models.Index(fields=["account", "sku"], name="replenishmentline_by_sku")]

    def __str__(self) -> str:
        return f"{self.replenishment_id}/{self.position}"


class ReplenishmentLot(AccountModel):
    """A lot that is ordered on a line, and how much of the line it is; what no lot has is unassigned.

    While Incomplete the lots may add up to more than the line has units: Submit refuses that.
    """

    line = AccountKey(ReplenishmentLine, on_delete=models.PROTECT, related_name="lots")
    number = models.CharField(_("Lot"), max_length=100, validators=[validate_identity])
    number_key = KeyField(of="number")
    expires_on = models.DateField(_("Expiry"), null=True)
    quantity = models.PositiveIntegerField(_("Quantity"))

    class Meta(AccountModel.Meta):
        verbose_name = _("replenishment lot")
        verbose_name_plural = _("replenishment lots")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "line", "number_key"], name="replenishmentlot_once"),
            models.CheckConstraint(
                condition=models.Q(quantity__gte=1, quantity__lte=MOST_UNITS), name="replenishmentlot_quantity"
            ),
            models.CheckConstraint(condition=~models.Q(number=""), name="replenishmentlot_number"),
        ]

    def __str__(self) -> str:
        return self.number


class PlannedState(models.TextChoices):
    """What became of a planned serial."""

    PLANNED = "planned", _("Planned")
    RELEASED = "released", _("Released")
    REMOVED = "removed", _("Removed")


class Fate(models.TextChoices):
    """What became of a serial that was planned and submitted."""

    MISSING = "missing", _("Missing")
    RECEIVED = "received", _("Received")
    VOID = "void", _("Void")


class PlannedSerial(AccountModel):
    """A number on a replenishment line; it becomes a unit when the replenishment is submitted.

    `serial` is kept as typed. Submitting does not touch the row: the replenishment's status says it. A number stays
    planned while its unit lives, and is released when the unit is cancelled. A removed row may have no line; it stays
    because a generated number is never used again.
    """

    line = AccountKey(ReplenishmentLine, on_delete=models.PROTECT, null=True, related_name="planned")
    sku = AccountKey(Sku, on_delete=models.PROTECT, related_name="+")
    serial = models.CharField(_("Serial"), max_length=100)
    serial_key = models.CharField(max_length=100)
    state = models.CharField(max_length=16, choices=PlannedState, default=PlannedState.PLANNED)
    is_generated = models.BooleanField(default=False)

    class Meta(AccountModel.Meta):
        verbose_name = _("planned serial")
        verbose_name_plural = _("planned serials")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "sku", "serial_key"],
                condition=models.Q(state=PlannedState.PLANNED),
                name="plannedserial_once",
            ),
            models.CheckConstraint(condition=models.Q(state__in=PlannedState.values), name="plannedserial_state"),
            models.CheckConstraint(
                condition=models.Q(line__isnull=False) | models.Q(state=PlannedState.REMOVED),
                name="plannedserial_line",
            ),
            models.CheckConstraint(condition=~models.Q(serial_key=""), name="plannedserial_not_empty"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "line", "id"], name="plannedserial_by_line"),
            models.Index(
                fields=["account", "sku", "serial_key"],
                condition=~models.Q(state=PlannedState.PLANNED),
                name="plannedserial_former",
            ),
        ]

    def __str__(self) -> str:
        return self.serial


class Receipt(AccountModel):
    """What the warehouse confirmed it received in one go. `source` is the unique id of the fact: it is applied once.

    Nothing is read out of that text: which document this is say `stream`, `realm`, `document` and `part` (see
    receiving.Origin). A receipt that somebody entered in Lotline and took back has `undone_at`, and counts for nothing.
    """

    replenishment = AccountKey(Replenishment, on_delete=models.PROTECT, related_name="receipts")
    source = models.CharField(max_length=200)
    stream = models.CharField(max_length=24, blank=True)
    realm = models.CharField(max_length=80, blank=True)
    document = models.CharField(max_length=120, blank=True)
    part = models.PositiveIntegerField(default=0)
    external_id = models.CharField(_("Receipt"), max_length=120, blank=True)
    occurred_at = models.DateTimeField(_("Received at"))
    recorded_at = models.DateTimeField(db_default=Now())
    quantity = models.BigIntegerField(_("Units"), default=0)
    actor = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    raw = models.JSONField(default=dict)
    undone_at = models.DateTimeField(_("Undone"), null=True)
    undone_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    undo_reason = models.CharField(_("Reason"), max_length=400, blank=True)

    class Meta(AccountModel.Meta):
        verbose_name = _("receipt")
        verbose_name_plural = _("receipts")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "source"], name="receipt_source"),
            models.UniqueConstraint(
                fields=["account", "realm", "stream", "document", "part"],
                condition=~models.Q(document=""),
                name="receipt_document",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["account", "replenishment", "-id"], name="receipt_by_replenishment")]

    def __str__(self) -> str:
        return self.external_id or self.source


class ReceiptLine(AccountModel):
    """One line of a receipt as the warehouse sent it; `line` and `sku` are empty where Lotline does not know them.

    `position` counts the lines of this receipt. `sent_position` is the replenishment line's number as the warehouse
    sent it, None where it sends none.
    """

    receipt = AccountKey(Receipt, on_delete=models.PROTECT, related_name="lines")
    line = AccountKey(ReplenishmentLine, on_delete=models.PROTECT, null=True, related_name="receipt_lines")
    sku = AccountKey(Sku, on_delete=models.PROTECT, null=True, related_name="+")
    position = models.PositiveIntegerField()
    sent_position = models.BigIntegerField(null=True)
    sku_code = models.CharField(_("SKU"), max_length=200)
    quantity = models.BigIntegerField(_("Quantity"))
    applied_quantity = models.BigIntegerField(_("Applied"), default=0)
    bin = AccountKey(Bin, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta(AccountModel.Meta):
        verbose_name = _("receipt line")
        verbose_name_plural = _("receipt lines")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "receipt", "position"], name="receiptline_position")
        ]
        indexes: ClassVar = [models.Index(fields=["account", "line"], name="receiptline_by_line")]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku_code}"


class Outcome(models.TextChoices):
    """What a received serial meant."""

    MATCHED = "matched", _("As planned")
    NEW = "new", _("New unit")
    SAVED = "saved", _("Saved")
    ACCEPTED = "accepted", _("Accepted after review")
    UNEXPECTED = "unexpected", _("Not expected")
    WRONG_SKU = "wrong_sku", _("Planned for another SKU")
    ELSEWHERE = "elsewhere", _("Expected on another replenishment")
    IN_STOCK = "in_stock", _("In the warehouse already")
    OUT = "out", _("Shipped before")
    VOID = "void", _("Cancelled before")
    DUPLICATE = "duplicate", _("Named twice")
    BAD = "bad", _("Not a serial number")
    UNDONE = "undone", _("Taken back")


APPLIED = (Outcome.MATCHED, Outcome.NEW, Outcome.SAVED, Outcome.ACCEPTED)
"""Serials of a receipt that count."""
NOT_EXPECTED = tuple(outcome for outcome in Outcome if outcome not in {*APPLIED, Outcome.UNDONE})
"""Serials of a receipt that wait for somebody, or waited."""


class ReceivedSerial(AccountModel):
    """A serial that a receipt carries, saved whatever the workflow; `lot` is what it names for this very unit."""

    receipt_line = AccountKey(ReceiptLine, on_delete=models.PROTECT, related_name="serials")
    serial = models.CharField(_("Serial"), max_length=300)
    bin = AccountKey(Bin, on_delete=models.PROTECT, null=True, related_name="+")
    lot = AccountKey(Lot, on_delete=models.PROTECT, null=True, related_name="+")
    outcome = models.CharField(_("Outcome"), max_length=16, choices=Outcome)

    class Meta(AccountModel.Meta):
        verbose_name = _("received serial")
        verbose_name_plural = _("received serials")
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(outcome__in=Outcome.values), name="receivedserial_outcome")
        ]
        indexes: ClassVar = [models.Index(fields=["account", "receipt_line", "id"], name="receivedserial_by_line")]

    def __str__(self) -> str:
        return self.serial


class ReceivedLot(AccountModel):
    """A lot that a receipt carries, with the dates as they were sent; `lot` is what Lotline knows by that number."""

    receipt_line = AccountKey(ReceiptLine, on_delete=models.PROTECT, related_name="lots")
    lot = AccountKey(Lot, on_delete=models.PROTECT, null=True, related_name="+")
    number = models.CharField(_("Lot"), max_length=200)
    expires_on = models.DateField(_("Expiry"), null=True)
    made_on = models.DateField(_("Manufactured"), null=True)
    quantity = models.BigIntegerField(_("Quantity"), null=True)

    class Meta(AccountModel.Meta):
        verbose_name = _("received lot")
        verbose_name_plural = _("received lots")
        indexes: ClassVar = [models.Index(fields=["account", "receipt_line", "id"], name="receivedlot_by_line")]

    def __str__(self) -> str:
        return self.number
