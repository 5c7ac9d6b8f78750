"""What a backup says of itself, as JSON in it; and whether this Lotline can take it. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from oms.backup.archive import Part
from oms.backup.errors import Damaged, NotABackup, TooNew

FORMAT, VERSION = "lotline-backup", 1
DUMP, KEYS = "dump.pgc", "keys.sealed"


@dataclass(frozen=True)
class Counter:
    """Something that gives numbers, when the backup was made.

    Args:
        account: the account's address.
        kind, id: which one, for whoever moves it.
        name: what a person calls it.
        next: the next number as people see it.
        given: how many it gave in the 30 days before; where that is not known for itself alone, at least so many.
    """

    account: str
    kind: str
    id: int
    name: str
    next: str
    given: int


@dataclass(frozen=True)
class Manifest:
    """See the fields. `lost` names files that the database knew and the disk did not have."""

    lotline: str
    taken_at: str
    postgresql: str
    installation: str
    epoch: int
    migrations: Mapping[str, list[str]]
    rows: Mapping[str, int]
    counters: tuple[Counter, ...]
    parts: tuple[Part, ...]
    lost: list[str] = field(default_factory=list)
    keys: Mapping[str, list[str]] = field(default_factory=dict)
    """Fingerprints of the keys that the installation had; the keys themselves only in the part KEYS, sealed."""

    def to_json(self) -> bytes:
        """As it is written."""
        return json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)}, indent=1).encode() + b"\n"

    @property
    def major(self) -> int:
        """Of PostgreSQL."""
        return int(self.postgresql.partition(".")[0])


def from_json(text: bytes) -> Manifest:
    """The manifest that `to_json` wrote. Raises NotABackup, TooNew, or Damaged for one that lacks something."""
    try:
        said: dict[str, Any] = json.loads(text)
        kind, version = said.pop("format"), said.pop("version")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise NotABackup("Its manifest is none of Lotline's.") from error
    if kind != FORMAT or not isinstance(version, int):
        raise NotABackup("Its manifest is none of Lotline's.")
    if version > VERSION:
        raise TooNew(f"It has format {version}, and this Lotline reads up to {VERSION}. Restore it with a newer one.")
    try:
        counters = tuple(Counter(**each) for each in said.pop("counters"))
        parts = tuple(Part(**each) for each in said.pop("parts"))
        found = Manifest(**said, counters=counters, parts=parts)
        _ = found.major
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"Its manifest is not whole: {error}.") from error
    if DUMP not in {part.name for part in parts}:
        raise Damaged("It has no dump of the database.")
    return found


def check_lotline(found: Manifest, known: Iterable[tuple[str, str]]) -> None:
    """Raise TooNew unless a Lotline with these migrations can take the backup."""
    ours = set(known)
    newer = sorted(f"{app}.{name}" for app, names in found.migrations.items() for name in names)
    newer = [name for name in newer if tuple(name.split(".", 1)) not in ours]
    if newer:
        raise TooNew(
            f"It is of a newer Lotline ({found.lotline}): this one does not know {', '.join(newer[:3])}"
            f"{' and more' if len(newer) > 3 else ''}. Update Lotline first."
        )


def check_server(found: Manifest, major: int) -> None:
    """Raise TooNew unless a PostgreSQL of this major version can take the backup."""
    if found.major > major:
        raise TooNew(f"It is of PostgreSQL {found.postgresql}, and this server is {major}. Use a newer server.")
