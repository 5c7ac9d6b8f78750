"""Synchronisation with warehouse systems and sales channels."""

from django.apps import AppConfig
from django.core import checks
from django.utils.translation import gettext_lazy as _

from channels_sync.vault import check_keys


class ChannelsSyncConfig(AppConfig):
    """Connections, messages in and out, runs."""

    name = "channels_sync"
    verbose_name = _("Sync")

    def ready(self) -> None:
        """Register the system check of the keys."""
        checks.register(check_keys)
