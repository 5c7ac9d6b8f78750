"""Serialized units."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SerialsConfig(AppConfig):
    """Units, lots, history, labels."""

    name = "serials"
    verbose_name = _("Serials")
