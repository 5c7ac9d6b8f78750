"""Secrets of connections: encrypted with Fernet keys from the environment, and kept out of everything else.

LOTLINE_SECRETS_KEYS holds one or more keys, the newest first: what was encrypted with any of them is read, and written
with the first. Without keys an installation that serves plain http (LOTLINE_HTTPS=0, to try it) derives one from
SECRET_KEY; any other refuses to store a secret.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core import checks
from django.utils.translation import gettext as _

from oms.errors import DomainError

HIDDEN = "•••"
_NAMES = ("token", "secret", "password", "passwd", "authorization", "api_key", "apikey", "access_key", "credential")


class NoKeys(DomainError):
    """This installation has no key to encrypt secrets with."""


def _box() -> MultiFernet:
    keys = [key.encode() for key in settings.LOTLINE_SECRETS_KEYS if key]
    if not keys and not settings.IS_HTTPS:
        digest = hashlib.sha256(b"lotline connection secrets" + settings.SECRET_KEY.encode()).digest()
        keys = [base64.urlsafe_b64encode(digest)]
    if not keys:
        raise NoKeys(_("Whoever runs this installation must set LOTLINE_SECRETS_KEYS before secrets can be stored."))
    return MultiFernet([Fernet(key) for key in keys])


def seal(secrets: Mapping[str, str]) -> str:
    """Encrypt names and values; empty for none. Raises NoKeys."""
    return _box().encrypt(json.dumps(dict(secrets), sort_keys=True).encode()).decode() if secrets else ""


def unseal(sealed: str) -> dict[str, str]:
    """What `seal` was given. Raises NoKeys, or DomainError where no key of this installation opens it."""
    if not sealed:
        return {}
    try:
        found: dict[str, str] = json.loads(_box().decrypt(sealed.encode()))
    except InvalidToken as error:
        raise DomainError(_("The secrets of this connection cannot be opened any more: enter them again.")) from error
    return found


def reseal(sealed: str) -> str:
    """The same secrets, encrypted with the newest key."""
    return _box().rotate(sealed.encode()).decode() if sealed else ""


def redacted(value: Any) -> Any:
    """A JSON value without what looks like a secret by its name, or cannot be stored: what may be kept and shown."""
    if isinstance(value, Mapping):
        return {
            str(name): HIDDEN if any(word in str(name).lower() for word in _NAMES) else redacted(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [redacted(inner) for inner in value]
    # PostgreSQL keeps neither in a text.
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode() if isinstance(value, str) else value


def check_keys(**_more: Any) -> list[checks.CheckMessage]:
    """Error for a key that is none, warning where secrets cannot be stored."""
    if not settings.IS_CONFIGURED:
        return []
    hint = 'Make one: python3 -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
    try:
        _box()
    except NoKeys:
        text = "LOTLINE_SECRETS_KEYS is empty: connections cannot be made."
        return [checks.Warning(text, hint=hint, id="lotline.W010")]
    except ValueError:
        return [checks.Error("LOTLINE_SECRETS_KEYS holds something that is no key.", hint=hint, id="lotline.E010")]
    return []
