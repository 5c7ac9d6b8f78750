"""What people type, cut out of what is there: needles for each filter of the Serials grid, with the plain condition."""

import random
from dataclasses import dataclass

from django.db import connection

SEED, MANY = 20261122, 12
GLOBAL = "q"
LIKE = "UPPER({}::text) LIKE UPPER(%s)"


@dataclass(frozen=True)
class Case:
    """The query of an address, and the condition by hand that means the same."""

    query: dict[str, str]
    where: str
    params: tuple[str, ...] = ()
    is_text: bool = False
    fast: str = ""
    """The condition that an expert would write for the same, with the same parameters."""


TEXT = {
    "serial": ("u.serial",),
    "sku": ("s.code",),
    "prod_id": ("s.product_id_wh", "s.product_id"),
    "bin": ("b.name",),
    "location": ("l.name",),
    "wms_notes": ("u.wms_notes",),
    "oms_notes": ("u.oms_notes",),
    "process_id": ("u.process_id",),
    "order": ("u.order_no",),
}
SMALL = {
    "s": "u.sku_id = ANY(ARRAY(SELECT s.id FROM oms_sku_v s WHERE {}))",
    "b": "u.bin_id = ANY(ARRAY(SELECT b.id FROM oms_bin_v b WHERE {}))",
    "l": "u.bin_id = ANY(ARRAY(SELECT b.id FROM oms_bin_v b JOIN oms_location_v l ON l.id = b.location_id WHERE {}))",
}
COLUMNS = {**TEXT, GLOBAL: tuple(path for paths in TEXT.values() for path in paths)}
PLAIN = {
    "no filter": [Case({}, "true")],
    **{f"status {each}": [Case({"status": each}, f"u.status = '{each}'")] for each in ("out", "ready", "imperfect")},
    **{
        f"process {each}": [Case({"process_type": each}, f"u.process_type = '{each}'")]
        for each in ("order", "replenishment", "return")
    },
    "dates": [
        Case(
            {"update_from": "2026-02-01", "update_to": "2026-04-30"},
            "u.updated_at >= '2026-02-01T00:00Z' AND u.updated_at < '2026-05-01T00:00Z'",
        )
    ],
}


def text_case(name: str, needle: str) -> Case:
    """A needle in one filter."""
    columns = COLUMNS[name]
    escaped = needle.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    where = " OR ".join(LIKE.format(column) for column in columns)
    fast = " OR ".join(SMALL.get(column[0], "{}").format(LIKE.format(column)) for column in columns)
    return Case({name: needle}, where, (f"%{escaped}%",) * len(columns), is_text=True, fast=fast)


NONE_MATCH = {
    "serial, no match": [text_case("serial", "QZJ7"), text_case("serial", "zq-x9")],
    "serial, 2 characters, no match": [text_case("serial", "?!"), text_case("serial", "~q")],
    "wms_notes, no match": [text_case("wms_notes", "xylophone")],
    "global, no match": [text_case(GLOBAL, "qzj7"), text_case(GLOBAL, "zq-x9-77")],
}
VALUES = {
    "sku": "SELECT code FROM oms_sku_v",
    "prod_id": "SELECT COALESCE(NULLIF(product_id_wh, ''), product_id) FROM oms_sku_v",
    "bin": "SELECT name FROM oms_bin_v",
    "location": "SELECT name FROM oms_location_v",
    "serial": "SELECT serial FROM serials_unit_v",
    "wms_notes": "SELECT wms_notes FROM serials_unit_v WHERE wms_notes <> ''",
    "oms_notes": "SELECT oms_notes FROM serials_unit_v WHERE oms_notes <> ''",
    "process_id": "SELECT process_id FROM serials_unit_v",
    "order": "SELECT order_no FROM serials_unit_v WHERE order_no <> ''",
}


def values(name: str, count: int) -> list[str]:
    """Values of a column of the current account, the same in every run and from all of its time."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT v FROM ({VALUES[name]}) AS t (v) ORDER BY hashtextextended(v, {SEED}), v LIMIT {count}")
        return [value for (value,) in cursor]


def cases(name: str, length: int = 0) -> list[Case]:
    """Needles of 3 to 10 characters, or of `length`, half of them in lower case; no two alike."""
    chance = random.Random(f"{SEED}{name}{length}")  # noqa: S311
    sources = TEXT if name == GLOBAL else (name,)
    found: dict[str, Case] = {}
    pool = {source: values(source, MANY * 3) for source in sources}
    for n in range(MANY * 6):
        text = chance.choice(pool[chance.choice(tuple(sources))])
        size = length or chance.randint(3, 10)
        start = chance.randint(0, max(0, len(text) - size))
        needle = text[start : start + size].strip()
        needle = needle.lower() if n % 2 else needle
        if len(needle) >= (length or 3):
            found.setdefault(needle, text_case(name, needle))
    return list(found.values())[:MANY]


def pairs() -> list[Case]:
    """Two characters of serials."""
    return cases("serial", 2)


def order_prefixes() -> list[Case]:
    """Beginnings of order numbers from the oldest to the newest, of a thousand to a hundred thousand orders."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(order_no), max(order_no) FROM serials_unit_v WHERE order_no LIKE 'SO-1______'")
        first, last = (int(number.removeprefix("SO-")) for number in cursor.fetchone())
    found = {}
    for n in range(MANY):
        number = f"SO-{first + (last - first) * n // MANY}"
        needle = number[: -3 - n % 3]
        found[needle] = text_case("order", needle)
    return list(found.values())
