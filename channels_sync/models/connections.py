"""One account's links to warehouse systems and sales channels, and how far each stream of them was read."""

import uuid
from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from channels_sync.contract import STREAMS, Flow
from oms.models import Bin, WarehouseLink
from oms.models.keys import validate_words
from oms.tenancy import AccountKey, AccountModel


class Health(models.TextChoices):
    """Whether a connection works. UNTRIED: not called since it was made or changed. RESTING: after repeated failures,
    tried again later. SUSPECT: it does not let us in, tried a few times more. STOPPED: until a person acts.
    """

    UNTRIED = "untried", _("Not tried yet")
    OK = "ok", _("Working")
    RESTING = "resting", _("Resting")
    SUSPECT = "suspect", _("Refused")
    STOPPED = "stopped", _("Stopped")


class Condition(models.TextChoices):
    """What a page says of a connection: its health, that it is off, or what of it does not work."""

    OK = "ok", _("Working")
    PARTLY = "partly", _("Working in part")
    FAILING = "failing", _("Not answering")
    UNTRIED = "untried", _("Not tried yet")
    RESTING = "resting", _("Resting")
    SUSPECT = "suspect", _("Refused")
    STOPPED = "stopped", _("Stopped")
    OFF = "off", _("Off")


class Connection(AccountModel):
    """A link to one warehouse system or sales channel. `kind` names its adapter.

    `secrets` is sealed (channels_sync.vault). `options` holds the pass-through options that are on. `failures` counts
    failures without a success between them; `resting_until` is when a resting connection is tried again, `asked_until`
    how long the other side asked us to stay away. `refusals` counts how often it did not let us in, for `refused_flow`.
    `served_at` makes the drain fair. `uid` is part of every idempotency key.
    """

    uid = models.UUIDField(default=uuid.uuid4, editable=False)
    kind = models.CharField(_("System"), max_length=40)
    name = models.CharField(_("Name"), max_length=80, validators=[validate_words])
    link = AccountKey(WarehouseLink, on_delete=models.PROTECT, null=True, blank=True, related_name="connections")
    config = models.JSONField(default=dict)
    secrets = models.TextField(blank=True)
    options = models.JSONField(default=list)
    is_active = models.BooleanField(_("Active"), default=True)
    seconds = models.PositiveIntegerField(
        _("Ask every (seconds)"), default=60, validators=[MinValueValidator(2), MaxValueValidator(86_400)]
    )
    default_bin = AccountKey(Bin, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    health = models.CharField(_("Health"), max_length=16, choices=Health, default=Health.UNTRIED)
    failures = models.PositiveIntegerField(default=0)
    refusals = models.PositiveIntegerField(default=0)
    refused_flow = models.CharField(max_length=24, blank=True, choices=Flow)
    resting_until = models.DateTimeField(null=True)
    asked_until = models.DateTimeField(null=True)
    error = models.CharField(max_length=600, blank=True)
    error_at = models.DateTimeField(null=True)
    ok_at = models.DateTimeField(_("Last answer"), null=True)
    served_at = models.DateTimeField(db_default=Now())
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(AccountModel.Meta):
        verbose_name = _("connection")
        verbose_name_plural = _("connections")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "name"],
                name="connection_name",
                violation_error_message=_("There is already a connection with this name."),
            ),
            models.UniqueConstraint(
                fields=["account", "link"],
                condition=models.Q(is_active=True, link__isnull=False),
                name="connection_one_per_warehouse",
                violation_error_message=_("Another active connection runs this warehouse."),
            ),
            models.CheckConstraint(condition=models.Q(health__in=Health.values), name="connection_health"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def condition(self) -> Condition:
        """What a page says of it: “Working” only where the last call of everything worked.

        Whether a stream fails knows `queries.lists.connections`, which annotates it.
        """
        if not self.is_active:
            return Condition.OFF
        if self.health in {Health.OK, Health.UNTRIED} and self.failures:
            return Condition.FAILING
        if self.health == Health.OK and getattr(self, "is_stream_failing", False):
            return Condition.PARTLY
        return Condition(self.health)


class Cursor(AccountModel):
    """How far one stream of a connection was read, and when it is asked again.

    What appears late, behind `at`, is found by looking further back once in a while: `swept_at` and `swept_far_at` say
    when that was. `sweep_from` is where a run began that failed, None where the last one did not.
    """

    connection = AccountKey(Connection, on_delete=models.PROTECT, related_name="cursors")
    stream = models.CharField(max_length=24, choices=[(flow.value, flow.label) for flow in STREAMS])
    at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(db_default=Now())
    failures = models.PositiveIntegerField(default=0)
    swept_at = models.DateTimeField(null=True)
    swept_far_at = models.DateTimeField(null=True)
    sweep_from = models.DateTimeField(null=True)

    class Meta(AccountModel.Meta):
        verbose_name = _("cursor")
        verbose_name_plural = _("cursors")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "connection", "stream"], name="cursor_once"),
            models.CheckConstraint(
                condition=models.Q(stream__in=[flow.value for flow in STREAMS]), name="cursor_stream"
            ),
        ]

    def __str__(self) -> str:
        return str(Flow(self.stream).label)
