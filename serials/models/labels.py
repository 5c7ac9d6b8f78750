"""How an account prints labels, and the ledger of what was printed."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from oms.models import Person, StoredFile
from oms.tenancy import AccountKey, AccountModel
from serials.labels.content import Symbology
from serials.labels.gs1 import RESOLVER
from serials.labels.plan import Format


class LabelSetting(AccountModel):
    """How labels of an account look unless a person says otherwise; without a row, as Plan has it. One row at most."""

    sheet = models.CharField(_("Sheet"), max_length=20, default="4x6")
    symbology = models.CharField(_("Symbol"), max_length=20, choices=Symbology, default=Symbology.CODE_128)
    resolver = models.URLField(
        _("GS1 Digital Link begins with"),
        max_length=100,
        default=RESOLVER,
        help_text=_("Your own domain, or https://id.gs1.org, which knows every GTIN."),
    )
    logo = AccountKey(StoredFile, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta(AccountModel.Meta):
        verbose_name = _("label setting")
        verbose_name_plural = _("label settings")
        constraints: ClassVar = [models.UniqueConstraint(fields=["account"], name="labelsetting_one")]

    def __str__(self) -> str:
        return self.sheet


class LabelShift(AccountModel):
    """How far the labels of a sheet are moved on the paper, in mm: what the account's printer is off by."""

    sheet = models.CharField(max_length=20)
    right = models.DecimalField(max_digits=4, decimal_places=1, default=0)
    down = models.DecimalField(max_digits=4, decimal_places=1, default=0)

    class Meta(AccountModel.Meta):
        verbose_name = _("label offset")
        verbose_name_plural = _("label offsets")
        constraints: ClassVar = [models.UniqueConstraint(fields=["account", "sheet"], name="labelshift_once")]

    def __str__(self) -> str:
        return f"{self.sheet} {self.right:+} {self.down:+}"


class LabelPrint(AccountModel):
    """One file of labels that a person had made. Append-only."""

    title = models.CharField(_("What"), max_length=200)
    sheet = models.CharField(_("Sheet"), max_length=20)
    symbology = models.CharField(_("Symbol"), max_length=20, choices=Symbology)
    format = models.CharField(_("File"), max_length=8, choices=Format)
    count = models.IntegerField(_("Labels"))
    reprints = models.IntegerField(_("Reprints"), default=0)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    printed_at = models.DateTimeField(_("When"))

    class Meta(AccountModel.Meta):
        verbose_name = _("label print")
        verbose_name_plural = _("label prints")
        indexes: ClassVar = [models.Index(fields=["account", "-printed_at", "-id"], name="labelprint_by_time")]

    def __str__(self) -> str:
        return self.title


class PrintedLabel(AccountModel):
    """One label of such a file. A unit is known by SKU and normalised serial, from before it exists; a bin by its id.

    Append-only, and without references to what it is about, so that 50,000 rows take a fraction of a second.
    """

    of_print = AccountKey(LabelPrint, on_delete=models.PROTECT, related_name="labels")
    sku_id = models.BigIntegerField(default=0)
    serial_key = models.CharField(max_length=100)
    bin_id = models.BigIntegerField(default=0)

    class Meta(AccountModel.Meta):
        verbose_name = _("printed label")
        verbose_name_plural = _("printed labels")
        indexes: ClassVar = [
            models.Index(fields=["account", "serial_key", "sku_id"], name="printedlabel_by_serial"),
            models.Index(fields=["account", "bin_id"], condition=~models.Q(bin_id=0), name="printedlabel_by_bin"),
        ]

    def __str__(self) -> str:
        return self.serial_key
