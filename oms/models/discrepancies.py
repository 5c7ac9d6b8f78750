"""Facts that contradict what Lotline knows."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from oms.models.catalogue import Sku
from oms.models.people import Person
from oms.tenancy import AccountKey, AccountModel


class DiscrepancyKind(models.TextChoices):
    """What contradicts what. The apps that find it write it; the database does not hold the list."""

    UNEXPECTED_SERIAL = "unexpected_serial", _("Unexpected serial")
    SERIAL_WRONG_SKU = "serial_wrong_sku", _("Serial of another SKU")
    SERIAL_ELSEWHERE = "serial_elsewhere", _("Expected elsewhere")
    SERIAL_IN_STOCK = "serial_in_stock", _("Already in stock")
    SERIAL_OUT = "serial_out", _("Already shipped")
    SERIAL_VOID = "serial_void", _("Cancelled serial")
    SERIAL_TWICE = "serial_twice", _("Serial named twice")
    BAD_SERIAL = "bad_serial", _("Bad serial")
    NOT_OPEN = "not_open", _("Nothing expected")
    BAD_QUANTITY = "bad_quantity", _("Bad quantity")
    WRONG_SKU = "wrong_sku", _("Another SKU")
    UNKNOWN_LINE = "unknown_line", _("Unknown line")
    QUANTITY_MISMATCH = "quantity_mismatch", _("Quantity against serials")
    LOT_QUANTITY = "lot_quantity", _("Quantity against lots")
    BAD_LOT = "bad_lot", _("Bad lot")
    LOT_EXPIRED = "lot_expired", _("Expired goods")
    LOT_EXPIRY = "lot_expiry", _("Lot dates differ")
    OVER_RECEIPT = "over_receipt", _("More than ordered")
    TWO_SPELLINGS = "two_spellings", _("Two spellings")
    INBOUND_REFUSED = "inbound_refused", _("Message in not taken")
    FUTURE_DATE = "future_date", _("Date in the future")
    CONNECTION_STOPPED = "connection_stopped", _("Connection stopped")
    PUSH_REJECTED = "push_rejected", _("Message out refused")
    PUSH_MISCONFIGURED = "push_misconfigured", _("Message out: wrong settings")
    PUSH_BROKEN = "push_broken", _("Message out: error on our side")


class CaseState(models.TextChoices):
    """Whether a discrepancy waits for somebody, and how it ended. Read of the audit log, in no column."""

    OPEN = "open", _("Open")
    ACCEPTED = "accept", _("Accepted")
    REFUSED = "refuse", _("Refused")
    SETTLED = "settle", _("Settled")


class Discrepancy(AccountModel):
    """A case that somebody settles; the raw fact is kept.

    `source` is the unique id of the fact, so that a fact which is delivered again opens no second case; nothing reads
    anything out of it. What the case is about is in columns: `subject_kind` and `subject_id` name a row of the app that
    opened it, `subject_line` the line of a document. All are empty where that is not known for sure.
    """

    kind = models.CharField(_("Kind"), max_length=40)
    summary = models.CharField(_("What is wrong"), max_length=400)
    sku = AccountKey(Sku, on_delete=models.PROTECT, null=True, related_name="+")
    serial = models.CharField(_("Serial"), max_length=200, blank=True)
    process_type = models.CharField(_("ProcessType"), max_length=16, blank=True)
    process_id = models.CharField(_("ProcessID"), max_length=80, blank=True)
    source = models.CharField(max_length=250)
    subject_kind = models.CharField(max_length=24, blank=True)
    subject_id = models.BigIntegerField(null=True)
    subject_line = models.PositiveIntegerField(null=True)
    raw = models.JSONField(default=dict)
    is_open = models.BooleanField(_("Open"), default=True)
    created_at = models.DateTimeField(_("Since"), db_default=Now())
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    reason = models.CharField(_("Reason"), max_length=400, blank=True)

    class Meta(AccountModel.Meta):
        verbose_name = _("discrepancy")
        verbose_name_plural = _("discrepancies")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "kind", "source"], name="discrepancy_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "-id"], condition=models.Q(is_open=True), name="discrepancy_open"),
            models.Index(fields=["account", "process_type", "process_id"], name="discrepancy_by_process"),
            models.Index(
                fields=["account", "subject_kind", "subject_id"],
                condition=models.Q(subject_id__isnull=False),
                name="discrepancy_by_subject",
            ),
        ]

    def __str__(self) -> str:
        return self.summary
