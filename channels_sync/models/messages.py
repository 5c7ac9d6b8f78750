"""What goes over a connection: messages out and in, and the runs that carried them."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from channels_sync.contract import Flow
from channels_sync.models.connections import Connection
from oms.models import OutboxMessage, Person
from oms.tenancy import AccountKey, AccountModel


class DeliveryState(models.TextChoices):
    """Where a message out stands. PARKED waits for an earlier one of its document that FAILED."""

    WAITING = "waiting", _("Waiting")
    SENDING = "sending", _("Sending")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed")
    PARKED = "parked", _("Parked")
    CLOSED = "closed", _("Closed")


OVER = (DeliveryState.SENT, DeliveryState.CLOSED)


class Fault(models.TextChoices):
    """Why a message out did not get through, the last time it was tried."""

    NONE = "", _("None")
    RETRY = "retry", _("Not reachable")
    REJECTED = "rejected", _("Refused")
    MISCONFIGURED = "misconfigured", _("Wrong settings")
    BROKEN = "broken", _("Error on our side")


class Action(models.TextChoices):
    """What a message out asks for."""

    SEND_PO = "send_purchase_order", _("Send purchase order")
    CANCEL_PO = "cancel_purchase_order", _("Cancel purchase order")


class Delivery(AccountModel):
    """One outbox message on its way to one connection.

    `key` is the idempotency key that travels with it, made once. `look_first` says that it may have arrived already
    without Lotline's knowledge, because a backup was restored since: its document is looked for before it is sent.
    `payload` is what is sent (never a secret), `notes` what was left out of it. While it is SENDING it belongs to the
    worker that claimed it, until `lease_until`. `remote_id` and `answer` are what the other side said.
    """

    message = AccountKey(OutboxMessage, on_delete=models.PROTECT, related_name="+")
    connection = AccountKey(Connection, on_delete=models.PROTECT, related_name="deliveries")
    action = models.CharField(_("Message"), max_length=40, choices=Action)
    aggregate = models.CharField(max_length=80)
    label = models.CharField(_("Document"), max_length=80)
    key = models.CharField(max_length=80)
    payload = models.JSONField(default=dict)
    notes = models.JSONField(default=list)
    state = models.CharField(_("State"), max_length=16, choices=DeliveryState, default=DeliveryState.WAITING)
    fault = models.CharField(max_length=16, choices=Fault, default=Fault.NONE, blank=True)
    look_first = models.BooleanField(default=False, db_default=False)
    attempts = models.PositiveIntegerField(_("Tries"), default=0)
    lease_until = models.DateTimeField(null=True)
    next_at = models.DateTimeField(db_default=Now())
    remote_id = models.CharField(_("Their number"), max_length=120, blank=True)
    answer = models.JSONField(default=dict)
    error = models.CharField(_("Error"), max_length=600, blank=True)
    reason = models.CharField(max_length=400, blank=True)
    closed_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    created_at = models.DateTimeField(_("Created"), db_default=Now())
    sent_at = models.DateTimeField(_("Sent"), null=True)

    class Meta(AccountModel.Meta):
        verbose_name = _("message out")
        verbose_name_plural = _("messages out")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "message", "connection"], name="delivery_once"),
            models.UniqueConstraint(fields=["account", "key"], name="delivery_key"),
            models.CheckConstraint(condition=models.Q(state__in=DeliveryState.values), name="delivery_state"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "-id"], name="delivery_newest"),
            models.Index(
                fields=["account", "connection", "aggregate", "id"],
                condition=~models.Q(state__in=["sent", "closed"]),
                name="delivery_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.label}"

    @property
    def is_over(self) -> bool:
        """Nothing will be sent any more."""
        return self.state in OVER


class InboundState(models.TextChoices):
    """Where a message in stands. SUPERSEDED: a newer version of the document was applied already."""

    NEW = "new", _("New")
    APPLIED = "applied", _("Applied")
    SUPERSEDED = "superseded", _("Superseded")
    DISCREPANCY = "discrepancy", _("Discrepancy")
    CLOSED = "closed", _("Closed")


class InboundMessage(AccountModel):
    """One document as the other side sent it, stored before anything is done with it.

    `realm` is whose documents these are (queries.tenants): with `stream` and `external_id` it names the document.
    `told_older` says that people were told that it is older than its order: who replays it then, means it.
    """

    connection = AccountKey(Connection, on_delete=models.PROTECT, related_name="messages")
    realm = models.CharField(max_length=80)
    stream = models.CharField(_("Message"), max_length=24, choices=Flow)
    external_id = models.CharField(_("Their number"), max_length=120)
    version = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64)
    raw = models.JSONField()
    state = models.CharField(_("State"), max_length=16, choices=InboundState, default=InboundState.NEW)
    error = models.CharField(_("Error"), max_length=600, blank=True)
    reason = models.CharField(max_length=400, blank=True)
    closed_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    told_older = models.BooleanField(default=False, db_default=False)
    received_at = models.DateTimeField(_("Received"), db_default=Now())
    applied_at = models.DateTimeField(_("Applied"), null=True)

    class Meta(AccountModel.Meta):
        verbose_name = _("message in")
        verbose_name_plural = _("messages in")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "connection", "stream", "external_id", "digest"], name="inbound_once"
            ),
            models.CheckConstraint(condition=models.Q(state__in=InboundState.values), name="inbound_state"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "-id"], name="inbound_newest"),
            models.Index(fields=["account", "realm", "stream", "external_id", "id"], name="inbound_document"),
            models.Index(
                fields=["account", "connection", "stream", "version", "id"],
                condition=models.Q(state="new"),
                name="inbound_new",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_stream_display()} {self.external_id}"


class RunState(models.TextChoices):
    """How a run ended."""

    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


class Run(AccountModel):
    """One sync of one flow: what it carried, how long it took, what stopped it. Written while it runs."""

    connection = AccountKey(Connection, on_delete=models.PROTECT, related_name="runs")
    flow = models.CharField(_("Flow"), max_length=24, choices=Flow)
    state = models.CharField(_("State"), max_length=16, choices=RunState, default=RunState.RUNNING)
    pages = models.PositiveIntegerField(_("Pages"), default=0)
    seen = models.PositiveIntegerField(_("Seen"), default=0)
    stored = models.PositiveIntegerField(_("New"), default=0)
    done = models.PositiveIntegerField(_("Done"), default=0)
    discrepancies = models.PositiveIntegerField(_("Discrepancies"), default=0)
    cursor = models.DateTimeField(null=True)
    error = models.CharField(_("Error"), max_length=600, blank=True)
    started_at = models.DateTimeField(_("Started"), db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta(AccountModel.Meta):
        verbose_name = _("sync run")
        verbose_name_plural = _("sync runs")
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(state__in=RunState.values), name="run_state")
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "-id"], name="run_newest"),
            models.Index(fields=["account", "connection", "flow", "-id"], name="run_by_flow"),
        ]

    def __str__(self) -> str:
        return f"{self.get_flow_display()} #{self.pk}"

    @property
    def is_idle(self) -> bool:
        """It went well and found nothing."""
        return self.state == RunState.DONE and not (self.stored or self.done or self.discrepancies)

    @property
    def took(self) -> str:
        """How long it took, in seconds; empty while it runs."""
        return f"{(self.finished_at - self.started_at).total_seconds():.1f}\u00a0s" if self.finished_at else ""
