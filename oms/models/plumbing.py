"""What carries work from one process to another: the outbox, due work, background jobs and their files."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from oms.models.installation import CurrentEpoch
from oms.models.people import Person
from oms.tenancy import AccountKey, AccountModel


class Due(models.Model):
    """That an account has work of some kind from some moment on. A platform table, and the only one that the dispatcher
    reads: it spans accounts and therefore holds nothing but these three facts.
    """

    account_id = models.BigIntegerField()
    kind = models.CharField(max_length=40)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes: ClassVar = [models.Index(fields=["at", "id"], name="due_by_time")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.account_id}"


class Round(models.Model):
    """When work of a kind was last made due for every account, by the database's clock. A platform table, too."""

    kind = models.CharField(max_length=40, primary_key=True)
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.kind


class OutboxMessage(AccountModel):
    """A fact that the apps above, or a remote system, must hear of; written in the transaction that made it true.

    `epoch` is the installation's when it was made; what a restore brings back keeps its own.
    """

    topic = models.CharField(max_length=60)
    aggregate = models.CharField(max_length=80)
    payload = models.JSONField(default=dict)
    epoch = models.BigIntegerField(db_default=CurrentEpoch())
    created_at = models.DateTimeField(db_default=Now())
    done_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    class Meta(AccountModel.Meta):
        verbose_name = _("outbox message")
        verbose_name_plural = _("outbox messages")
        indexes: ClassVar = [
            models.Index(fields=["account", "id"], condition=models.Q(done_at__isnull=True), name="outbox_open"),
            models.Index(
                fields=["account", "aggregate", "id"],
                condition=models.Q(done_at__isnull=True),
                name="outbox_open_by_aggregate",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.aggregate}"


class JobState(models.TextChoices):
    """Where a background job stands."""

    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")

    @property
    def is_final(self) -> bool:
        """Nothing will change any more."""
        return self in {JobState.DONE, JobState.FAILED, JobState.CANCELLED}


class StoredFile(AccountModel):
    """A file in the private store, readable through a view that checks the account; see oms/files.py."""

    name = models.CharField(_("file"), max_length=200)
    content_type = models.CharField(max_length=100)
    size = models.BigIntegerField()
    key = models.UUIDField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta(AccountModel.Meta):
        verbose_name = _("file")
        verbose_name_plural = _("files")
        constraints: ClassVar = [models.UniqueConstraint(fields=["account", "key"], name="storedfile_key")]

    def __str__(self) -> str:
        return self.name


class Job(AccountModel):
    """Work that may take over a second, done by a worker, with progress, cancel and a result file; see oms/jobs.py.

    `subject` is what it works on, where others must wait for it meanwhile; see oms/at_work.py.
    """

    kind = models.CharField(max_length=60)
    title = models.CharField(_("job"), max_length=200)
    state = models.CharField(max_length=16, choices=JobState, default=JobState.QUEUED)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    message = models.TextField(blank=True)
    params = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    idempotency_key = models.CharField(max_length=120)
    subject = models.CharField(max_length=80, blank=True)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    input_file = AccountKey(StoredFile, on_delete=models.PROTECT, null=True, related_name="+")
    result_file = AccountKey(StoredFile, on_delete=models.PROTECT, null=True, related_name="+")
    cancel_asked = models.BooleanField(default=False)
    seen_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempt = models.PositiveIntegerField(default=0)

    class Meta(AccountModel.Meta):
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "idempotency_key"], name="job_once"),
            models.CheckConstraint(condition=models.Q(state__in=JobState.values), name="job_state"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "person", "-id"], name="job_by_person"),
            models.Index(
                fields=["account", "id"], condition=models.Q(state__in=["queued", "running"]), name="job_open"
            ),
            models.Index(
                fields=["account", "result_file"], condition=models.Q(result_file__isnull=False), name="job_by_result"
            ),
            models.Index(
                fields=["account", "input_file"], condition=models.Q(input_file__isnull=False), name="job_by_input"
            ),
        ]

    def __str__(self) -> str:
        return self.title
