"""Goods expected from suppliers."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReplenishmentConfig(AppConfig):
    """Replenishments, their lines, planned serials and receipts."""

    name = "replenishment"
    verbose_name = _("Replenishment")
