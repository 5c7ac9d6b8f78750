"""The file of a backup: every byte of it counts, and what is damaged, foreign or newer is refused before it is used."""

import hashlib
import io
import json
import subprocess
import tarfile

import pytest

from oms.backup import archive, manifest, sealing
from oms.backup.archive import BLOCK, END, Part, Writer
from oms.backup.errors import BackupFailed, Damaged, NotABackup, TooNew

DUMP = b"a dump of some hundred bytes. " * 30
FILE = "files/7/" + "ab" * 16
ABOUT = manifest.Manifest(
    lotline="0.1.0",
    taken_at="2026-11-30T10:00:00+00:00",
    postgresql="18.6",
    installation="5e6c",
    epoch=1,
    migrations={"oms": ["0001_initial"]},
    rows={"oms_sku": 3},
    counters=(manifest.Counter("acme", "replenishment", 1, "Replenishments", "R-1106", 12),),
    parts=(),
)


def written(parts=None, about=ABOUT, **more):
    """The bytes of a backup with these parts."""
    file = io.BytesIO()
    file.fileno = lambda: 0
    writer = Writer(file)
    for name, data in (parts or {"dump.pgc": DUMP, FILE: b"kept"}).items():
        writer.add(name, [data[:100], data[100:]])
    said = {**json.loads(about.to_json()), "parts": [vars(part) for part in writer.parts], **more}
    writer.close(json.dumps(said).encode())
    return file.getvalue()


def looked_at(data):
    """What restore does with a file before anything else."""
    file = io.BytesIO(data)
    said, found = archive.read(file)
    about = manifest.from_json(said)
    archive.compare(found, about.parts)
    return {name: b"".join(archive.chunks(file, each)) for name, each in found.items()}, about


@pytest.fixture(autouse=True)
def no_disk(monkeypatch):
    monkeypatch.setattr("oms.backup.archive.os.fsync", lambda handle: None)


def test_what_was_written_is_read():
    parts, about = looked_at(written())
    assert parts == {"dump.pgc": DUMP, FILE: b"kept"}
    assert (about.rows, about.counters) == (ABOUT.rows, ABOUT.counters)


def test_it_is_a_tar_that_other_programs_read(tmp_path):
    (tmp_path / "backup").write_bytes(written())
    with tarfile.open(tmp_path / "backup") as tar:
        assert tar.getnames() == ["dump.pgc", FILE, "manifest.json", "manifest.sha256"]
        assert {member.mode for member in tar} == {0o600}
        tar.extractall(tmp_path, filter="data")
    done = subprocess.run(
        ["sha256sum", "--check", "manifest.sha256"],  # noqa: S607
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "manifest.json: OK\n"


def test_a_flipped_bit_anywhere_is_found():
    data = written()
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << (place % 8)
        with pytest.raises((Damaged, NotABackup)):
            looked_at(bytes(damaged))


def test_a_file_that_was_cut_anywhere_is_found():
    data = written()
    for length in (0, 1, *range(0, len(data), 100), len(data) - BLOCK, len(data) - 1):
        with pytest.raises((Damaged, NotABackup)):
            looked_at(data[:length])


@pytest.mark.parametrize("more", [b"x", bytes(1), bytes(BLOCK), b"\0" * 20 * BLOCK])
def test_nothing_stands_behind_the_end(more):
    with pytest.raises(Damaged, match="behind its end"):
        looked_at(written() + more)


def members(data):
    """The blocks of each member."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        ends = [*(each.offset for each in tar), len(data) - len(END)][1:]
        return {each.name: data[each.offset : end] for each, end in zip(tar, ends, strict=True)}


def test_a_part_that_is_missing_extra_or_twice_is_found():
    parts = members(written())
    rest = parts["manifest.json"] + parts["manifest.sha256"] + END
    with pytest.raises(Damaged, match="is missing"):
        looked_at(parts["dump.pgc"] + rest)
    with pytest.raises(Damaged, match="twice"):
        looked_at(parts["dump.pgc"] + parts[FILE] * 2 + rest)
    extra = members(written({"dump.pgc": DUMP, "files/7/" + "cd" * 16: b"not listed"}))["files/7/" + "cd" * 16]
    with pytest.raises(Damaged, match="knows nothing"):
        looked_at(parts["dump.pgc"] + parts[FILE] + extra + rest)
    other = members(written({"dump.pgc": DUMP, FILE: b"else"}))[FILE]
    with pytest.raises(Damaged, match="not the one"):
        looked_at(parts["dump.pgc"] + other + rest)
    with pytest.raises(Damaged):
        looked_at(parts["dump.pgc"] + parts[FILE] + END)


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "files/../../x",
        "/etc/passwd",
        "files/7/../" + "ab" * 16,
        "files/7/" + "AB" * 16,
        "x",
        "files/7",
    ],
)
def test_a_name_that_leads_elsewhere_is_no_part(name):
    parts = members(written())
    info = tarfile.TarInfo(name)
    info.size, info.mode = 4, 0o600
    evil = info.tobuf(tarfile.GNU_FORMAT) + b"evil" + bytes(BLOCK - 4)
    with pytest.raises(Damaged, match="no part of a backup"):
        looked_at(parts["dump.pgc"] + evil + parts["manifest.json"] + parts["manifest.sha256"] + END)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_only_plain_files_are_parts(kind):
    info = tarfile.TarInfo(FILE)
    info.type, info.linkname, info.mode = kind, "/etc/passwd", 0o600
    parts = members(written())
    with pytest.raises(Damaged, match="no part of a backup"):
        looked_at(parts["dump.pgc"] + info.tobuf(tarfile.GNU_FORMAT) + parts["manifest.json"] + END)


def test_what_is_something_else_is_not_called_damaged(tmp_path):
    other = io.BytesIO()
    with tarfile.open(fileobj=other, mode="w") as tar:
        tar.add(__file__, "notes.txt")
    for data in (other.getvalue(), b"PK\x03\x04" + bytes(2000), b"-- PostgreSQL database dump", b"", bytes(9000)):
        with pytest.raises((NotABackup, Damaged)):
            looked_at(data)
    with pytest.raises(NotABackup):
        looked_at(other.getvalue())
    with pytest.raises(NotABackup):
        looked_at(written(format="somebody's backup"))


def test_what_is_newer_says_so():
    with pytest.raises(TooNew, match="format 2"):
        looked_at(written(version=2))
    _parts, about = looked_at(written())
    known = [("oms", "0001_initial")]
    manifest.check_lotline(about, known)
    manifest.check_server(about, 18)
    with pytest.raises(TooNew, match=r"oms\.0001_initial"):
        manifest.check_lotline(about, [])
    with pytest.raises(TooNew, match=r"PostgreSQL 18\.6"):
        manifest.check_server(about, 17)


def test_a_manifest_that_lacks_something_is_damaged():
    said = json.loads(ABOUT.to_json())
    for name in said.keys() - {"format", "version", "lost", "keys"}:
        with pytest.raises(Damaged):
            manifest.from_json(json.dumps({key: value for key, value in said.items() if key != name}).encode())
    with pytest.raises(Damaged, match="no dump"):
        manifest.from_json(json.dumps({**said, "parts": []}).encode())
    for text in (b"", b"[]", b"{", b"null", b'{"format": "lotline-backup"}'):
        with pytest.raises(NotABackup):
            manifest.from_json(text)


def test_a_file_that_changes_between_two_looks_is_found():
    data = written()
    file = io.BytesIO(data)
    _said, found = archive.read(file)
    file.seek(found["dump.pgc"].offset)
    file.write(b"B")
    taken = []
    with pytest.raises(Damaged, match="changed while"):
        taken.extend(archive.chunks(file, found["dump.pgc"]))
    assert taken == [], "nobody has all of a part that is damaged"


def test_keys_are_sealed_by_a_passphrase():
    keys = {"SECRET_KEY": ["a", "b"], "LOTLINE_SECRETS_KEYS": []}
    sealed = sealing.seal(keys, "a long passphrase")
    assert b'"a"' not in sealed
    assert sealing.unseal(sealed, "a long passphrase") == keys
    with pytest.raises(sealing.WrongPassphrase):
        sealing.unseal(sealed, "a long passphrasf")
    with pytest.raises(BackupFailed, match="12 characters"):
        sealing.seal(keys, "short")
    assert sealing.fingerprints(keys)["SECRET_KEY"] != ["a", "b"]


def test_a_part_knows_its_sum():
    with tarfile.open(fileobj=io.BytesIO(written())) as tar:
        listed = json.load(tar.extractfile("manifest.json"))["parts"]
    assert [Part(**each) for each in listed] == [
        Part("dump.pgc", len(DUMP), hashlib.sha256(DUMP).hexdigest()),
        Part(FILE, 4, hashlib.sha256(b"kept").hexdigest()),
    ]
