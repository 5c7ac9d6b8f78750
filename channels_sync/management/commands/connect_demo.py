"""Connect the demo's shared warehouse to the sandbox that runs beside it."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from channels_sync.services.connections import connect_sandbox
from oms import demo
from oms.models import Account, WarehouseLink
from oms.tenancy import account_context


class Command(BaseCommand):
    """Make the connection, or tell it where the sandbox is this time; does nothing without demo data or sandbox."""

    help = "Connects the demo to the sandbox warehouse named in LOTLINE_SANDBOX_URL."

    def handle(self, *args: Any, **options: Any) -> None:
        """Twice is once."""
        account = Account.objects.filter(slug=demo.ACCOUNTS[0][0]).first()
        if account is None or not settings.LOTLINE_SANDBOX_URL:
            return
        with account_context(account):
            link = WarehouseLink.objects.filter(warehouse__name=demo.WAREHOUSE).first()
            if link is not None:
                connect_sandbox(link=link, client=account.slug, name="Sandbox WMS")
