"""How a person wants to see a list: the columns they chose, and views that they saved."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from oms.models.keys import KeyField, validate_identity
from oms.models.people import Person
from oms.tenancy import AccountModel


class ColumnChoice(AccountModel):
    """The columns that a person sees on a list, in order. `page` is the name of the list's URL."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+", db_index=False)
    page = models.CharField(max_length=60)
    columns = ArrayField(models.CharField(max_length=60))

    class Meta(AccountModel.Meta):
        verbose_name = _("choice of columns")
        verbose_name_plural = _("choices of columns")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "person", "page"], name="columnchoice_once")
        ]

    def __str__(self) -> str:
        return ", ".join(self.columns)


class SavedView(AccountModel):
    """A list with its filters, sort, page size and columns under a name; others see it where it is shared."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+", db_index=False)
    page = models.CharField(max_length=60)
    name = models.CharField(_("Name"), max_length=60, validators=[validate_identity])
    name_key = KeyField(of="name")
    query = models.TextField(_("Filters and sort"), blank=True)
    columns = ArrayField(models.CharField(max_length=60), verbose_name=_("Columns"))
    is_shared = models.BooleanField(_("Shared"), default=False)

    class Meta(AccountModel.Meta):
        verbose_name = _("view")
        verbose_name_plural = _("views")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "person", "page", "name_key"], name="savedview_name")
        ]

    def __str__(self) -> str:
        return self.name
