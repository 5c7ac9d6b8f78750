"""The file of a backup: a plain tar in which every byte is accounted for. Pure: knows neither settings nor database.

Its members are named by `NAMES`, and each header is the one that `_header` writes for that name and size, so a header
that differs in a single bit is damage; so is padding that is not zero, and anything behind the end. The last but one
member is the manifest, which holds size and SHA-256 of every other; the last is the manifest's own SHA-256, in the form
that `sha256sum --check` reads. Nothing is unpacked by name: whoever restores asks for parts that the manifest lists.
"""

import hashlib
import os
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from oms.backup.errors import Damaged, NotABackup

MANIFEST, SUM = "manifest.json", "manifest.sha256"
NAMES = re.compile(r"dump\.pgc|keys\.sealed|files/[0-9]{1,18}/[0-9a-f]{32}|manifest\.json|manifest\.sha256", re.ASCII)
BLOCK, CHUNK = 512, 1 << 20
END = bytes(2 * BLOCK)
MOST_MANIFEST = 1 << 30
"""A line for each file of the private store; more is no manifest."""


@dataclass(frozen=True)
class Part:
    """One member: its name, how long it is, and the SHA-256 of its bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Found:
    """A member as it lies in the file."""

    part: Part
    offset: int


class Writer:
    """Writes an archive into an open, empty, seekable file, part after part; `close` ends it. Raises OSError."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.parts: list[Part] = []

    def add(self, name: str, chunks: Iterable[bytes]) -> Part:
        """Add a part whose size is known when it has been written: its header is filled in afterwards."""
        start, size, digest = self.file.tell(), 0, hashlib.sha256()
        self.file.write(bytes(BLOCK))
        for chunk in chunks:
            self.file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        self.file.write(_padding(size))
        end = self.file.tell()
        self.file.seek(start)
        self.file.write(_header(name, size))
        self.file.seek(end)
        part = Part(name, size, digest.hexdigest())
        self.parts.append(part)
        return part

    def close(self, manifest: bytes) -> None:
        """Add the manifest and its sum, and have all of it on the disk."""
        digest = self.add(MANIFEST, [manifest]).sha256
        self.add(SUM, [_sum(digest)])
        self.file.write(END)
        self.file.flush()
        os.fsync(self.file.fileno())


def read(file: BinaryIO) -> tuple[bytes, dict[str, Found]]:
    """All of an archive, looked at byte by byte: its manifest, and the other parts by name.

    Raises NotABackup where it does not begin as one, Damaged where it is not what was written. Whether the parts are
    those that the manifest lists is for whoever can read it: `compare`.
    """
    members = list(_members(file))
    if [found.part.name for found in members[-2:]] != [MANIFEST, SUM]:
        raise Damaged("The end of the file is missing.")
    *parts, about, total = members
    if about.part.size > MOST_MANIFEST or _bytes(file, total) != _sum(about.part.sha256):
        raise Damaged("Its manifest is not the one that was written.")
    named = {found.part.name: found for found in parts}
    if len(named) < len(parts) or {MANIFEST, SUM} & named.keys():
        raise Damaged("A part is in it twice.")
    return _bytes(file, about), named


def compare(found: dict[str, Found], listed: Iterable[Part]) -> None:
    """Raise Damaged unless the parts that were found are just those listed, with these sizes and sums."""
    wanted = {part.name: part for part in listed}
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            raise Damaged(f"Its part {name} is missing.")
        if name not in wanted:
            raise Damaged(f"Its manifest knows nothing of the part {name}.")
        if found[name].part != wanted[name]:
            raise Damaged(f"Its part {name} is not the one that was written.")


def chunks(file: BinaryIO, found: Found) -> Iterator[bytes]:
    """The bytes of a part, checked once more while they are read.

    Raises Damaged before the last of them, so that nobody who takes them ever has a whole part that is damaged.
    """
    digest, last = hashlib.sha256(), b""
    for chunk in _pieces(file, found.offset, found.part.size):
        digest.update(chunk)
        if last:
            yield last
        last = chunk
    if digest.hexdigest() != found.part.sha256:
        raise Damaged(f"The file changed while it was read (its part {found.part.name}).")
    yield last


def _members(file: BinaryIO) -> Iterator[Found]:
    """Every member up to the end, which must be the end of the file."""
    offset = 0
    while True:
        file.seek(offset)
        block = file.read(BLOCK)
        if block == bytes(BLOCK):
            file.seek(offset)
            if file.read(len(END) + 1) != END:
                raise Damaged("Something stands behind its end.")
            return
        name, size = _parsed(block, offset)
        digest = hashlib.sha256()
        for chunk in _pieces(file, offset + BLOCK, size):
            digest.update(chunk)
        padding = _padding(size)
        if file.read(len(padding)) != padding:
            raise Damaged(f"What follows its part {name} is not what was written.")
        yield Found(Part(name, size, digest.hexdigest()), offset + BLOCK)
        offset += BLOCK + size + len(padding)


def _parsed(block: bytes, offset: int) -> tuple[str, int]:
    """Name and size that a header says, if it is one of ours."""
    error: Callable[[str], Exception] = NotABackup if offset == 0 else Damaged
    try:
        info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except (tarfile.TarError, ValueError) as fault:
        raise error(f"There is no part of a backup at byte {offset:,}.") from fault
    if not NAMES.fullmatch(info.name) or block != _header(info.name, info.size):
        raise error(f"There is no part of a backup at byte {offset:,}.")
    return info.name, info.size


def _header(name: str, size: int) -> bytes:
    """The one header that a member of this name and size has."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCK)


def _sum(digest: str) -> bytes:
    return f"{digest}  {MANIFEST}\n".encode()


def _bytes(file: BinaryIO, found: Found) -> bytes:
    return b"".join(_pieces(file, found.offset, found.part.size))


def _pieces(file: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    file.seek(offset)
    while size:
        chunk = file.read(min(CHUNK, size))
        if not chunk:
            raise Damaged("The end of the file is missing.")
        size -= len(chunk)
        yield chunk
