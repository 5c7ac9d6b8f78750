"""Who changed what in an account's settings, members and SKUs."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from oms.models.people import Person
from oms.tenancy import AccountModel


class AuditEntry(AccountModel):
    """One change by one person. Append-only: the database refuses UPDATE and DELETE."""

    at = models.DateTimeField(_("When"))
    actor = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    action = models.CharField(_("Action"), max_length=40)
    kind = models.CharField(_("Kind"), max_length=40)
    object_id = models.BigIntegerField(null=True)
    label = models.CharField(_("What"), max_length=300)
    changes = models.JSONField(_("Changes"), default=dict)

    class Meta(AccountModel.Meta):
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        indexes: ClassVar = [
            models.Index(fields=["account", "-at", "-id"], name="audit_by_time"),
            models.Index(fields=["account", "kind", "object_id", "-id"], name="audit_by_object"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.label}"
