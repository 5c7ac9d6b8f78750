"""Synchronisation with warehouse systems and sales channels."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ChannelsSyncConfig(AppConfig):
    """Connections, messages in and out, runs."""

    name = "channels_sync"
    verbose_name = _("Sync")
