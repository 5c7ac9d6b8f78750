"""From a stored connection to an adapter that can be called, without the database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from channels_sync.contract import Adapter, Misconfigured
from channels_sync.models import Connection
from channels_sync.registry import adapter_class
from channels_sync.vault import unseal
from oms.errors import DomainError


@dataclass(frozen=True)
class Opened:
    """What an adapter needs of its connection: read inside the account, used outside of it. Not for logs."""

    pk: int
    name: str
    kind: str
    config: Mapping[str, Any] = field(repr=False)
    sealed: str = field(repr=False)


def opened(connection: Connection) -> Opened:
    """The facts of a connection; its secrets still sealed."""
    return Opened(connection.pk, connection.name, connection.kind, dict(connection.config), connection.secrets)


def open_adapter(connection: Opened, *, seconds: float) -> Adapter:
    """The adapter of a connection. Raises Misconfigured where kind, settings or secrets are not whole."""
    cls = adapter_class(connection.kind)
    try:
        return cls({**connection.config, **unseal(connection.sealed)}, seconds=seconds)
    except DomainError as error:
        raise Misconfigured(str(error)) from error
    except (KeyError, ValueError, TypeError) as error:
        raise Misconfigured(_("The settings of this connection are not complete: enter them again.")) from error
