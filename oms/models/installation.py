"""This installation, as backups know it."""

from django.db import models
from django.db.models import Func
from django.utils.translation import gettext_lazy as _


class CurrentEpoch(Func):
    """The epoch of this moment, written by the database where a row is made."""

    function = "lotline_epoch"
    template = "%(function)s()"
    output_field = models.BigIntegerField()


class Installation(models.Model):
    """One row, made by the first backup; the app may read it. A platform table: it is about no account.

    A restore begins a new epoch: it is part of every key that another system knows, so that no key of what was done
    after the backup is made again for something else. Without a row the epoch is 1.
    """

    uid = models.UUIDField()
    epoch = models.BigIntegerField(default=1)
    restored_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("installation")
        verbose_name_plural = _("installations")

    def __str__(self) -> str:
        return f"{self.uid} #{self.epoch}"
