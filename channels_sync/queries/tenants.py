"""Whose documents a connection brings: a vendor's tenant may be connected twice, and its documents are the same."""

from hashlib import sha256

from channels_sync.models import Connection
from channels_sync.registry import all_adapters


def tenant(connection: Connection) -> str:
    """What stands before the ids of a connection's documents, so that they are unique in the account.

    The kind and a digest of the form's identity fields. A kind without such fields does not say whose documents these
    are, so each connection stands for itself.
    """
    cls = all_adapters().get(connection.kind)
    names = sorted(cls.ConfigForm.identity_fields) if cls else []
    if not names:
        return str(connection.pk)
    said = "\n".join(f"{name}={str(connection.config.get(name, '')).strip()}" for name in names)
    return f"{connection.kind}~{sha256(said.encode()).hexdigest()[:16]}"


def of_same_tenant(connection: Connection) -> list[int]:
    """The ids of the connections that bring the same documents, this one among them."""
    own = tenant(connection)
    return [row.pk for row in Connection.objects.filter(kind=connection.kind).order_by("pk") if tenant(row) == own]
