"""The keys of an installation, under a passphrase: scrypt makes a key of it, Fernet seals with that. Pure."""

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Mapping

from cryptography.fernet import Fernet, InvalidToken

from oms.backup.errors import BackupFailed

COST, BLOCK_SIZE, LANES = 2**16, 8, 1
"""64 MiB and some tenths of a second for each guess."""
MOST_MEMORY = 128 * COST * BLOCK_SIZE * 2
SHORTEST = 12
"""Characters of a passphrase: whoever has the file guesses as long as they like."""


class WrongPassphrase(BackupFailed):
    """The passphrase does not open the keys."""


def check(passphrase: str) -> None:
    """Raise BackupFailed for a passphrase that is too short to seal with."""
    if len(passphrase) < SHORTEST:
        raise BackupFailed(f"The passphrase needs {SHORTEST} characters or more.")


def seal(keys: Mapping[str, list[str]], passphrase: str) -> bytes:
    """Seal names and values. Raises BackupFailed for a short passphrase."""
    check(passphrase)
    salt = os.urandom(16)
    box = Fernet(_key(passphrase, salt)).encrypt(json.dumps(keys).encode())
    return json.dumps({"kdf": "scrypt", "salt": salt.hex(), "box": box.decode()}).encode()


def unseal(sealed: bytes, passphrase: str) -> dict[str, list[str]]:
    """What `seal` was given. Raises WrongPassphrase."""
    said = json.loads(sealed)
    try:
        opened = Fernet(_key(passphrase, bytes.fromhex(said["salt"]))).decrypt(said["box"].encode())
    except InvalidToken as error:
        raise WrongPassphrase("This passphrase does not open the keys of the backup.") from error
    found: dict[str, list[str]] = json.loads(opened)
    return found


def fingerprints(keys: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """What tells keys apart without giving them away: they are long and random."""
    return {
        name: [hashlib.sha256(f"lotline backup {value}".encode()).hexdigest()[:16] for value in values]
        for name, values in keys.items()
    }


def _key(passphrase: str, salt: bytes) -> bytes:
    made = hashlib.scrypt(passphrase.encode(), salt=salt, n=COST, r=BLOCK_SIZE, p=LANES, maxmem=MOST_MEMORY, dklen=32)
    return base64.urlsafe_b64encode(made)
