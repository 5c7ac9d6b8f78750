"""The platform app."""

from django.apps import AppConfig
from django.core.checks import Tags, register

from oms import checks


class OmsConfig(AppConfig):
    """People, catalogue, stock and plumbing."""

    name = "oms"
    verbose_name = "Lotline"

    def ready(self) -> None:
        """Register the checks that keep the tenant wall honest."""
        register(checks.check_roles, Tags.database)
        register(checks.check_settings)
