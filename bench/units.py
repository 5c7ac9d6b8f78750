"""Millions of units over twenty accounts, as the product would hold them, in a database that is kept between runs.

The rows come first and the indexes and references after them, by the owner; nothing else differs from the product's
schema. What is random comes from a hash of the row's number, so the same rows are made every time.
"""

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connections, transaction
from django.utils import timezone

from oms.bootstrap import ROOT
from oms.embedded.postgres import SETTINGS
from oms.models import Account, Membership, Person, Role

OWNER = "owner"
SHARES = (
    0.4, 0.18, 0.1, 0.07, 0.05, 0.04, 0.03, 0.025, 0.02, 0.018, 0.014, 0.012, 0.01, 0.009, 0.007, 0.005, 0.004, 0.003,
    0.002, 0.001,
)  # fmt: skip
"""The part of all units that each account holds."""
SESSION = ("effective_cache_size", "work_mem", "maintenance_work_mem", "random_page_cost", "jit")
"""Of the settings that `manage.py up` gives its server, those that a database may have for itself."""
PERSON = "bench@example.com"

SMALL_TABLES = """
CREATE TEMP TABLE site AS
SELECT a.id AS account, s.n, s.share, greatest(5, (%(rows)s * s.share / 200)::int) AS skus,
       greatest(10, (%(rows)s * s.share / 2000)::int) AS bins, 0::bigint AS sku, 0::bigint AS bin, 0::bigint AS line
FROM unnest(%(shares)s::float8[]) WITH ORDINALITY AS s (share, n) JOIN oms_account a ON a.slug = 'bench-' || s.n;
INSERT INTO oms_warehouse (name) VALUES ('Bench') ON CONFLICT DO NOTHING;
INSERT INTO oms_warehouselink (account_id, warehouse_id) SELECT account, (SELECT min(id) FROM oms_warehouse) FROM site;
INSERT INTO oms_location (account_id, link_id, name, name_key, is_default)
SELECT l.account_id, l.id, 'Zone ' || chr(64 + i), 'ZONE ' || chr(64 + i), i = 1
FROM oms_warehouselink l, generate_series(1, 20) AS i;
INSERT INTO oms_bin (account_id, link_id, location_id, name, name_key, kind, needs_review)
SELECT account, o.link_id, o.id, b.name, b.name,
       CASE i %% 10 WHEN 9 THEN 'damaged' WHEN 8 THEN 'reserved' ELSE 'pick' END, false
FROM site, generate_series(1, bins) AS i
JOIN LATERAL (SELECT * FROM oms_location WHERE account_id = account AND name = 'Zone ' || chr(64 + (i - 1) %% 20 + 1)) o
  ON true
CROSS JOIN LATERAL (SELECT chr(64 + (i - 1) %% 20 + 1) || '-' || lpad((i / 40)::text, 2, '0') || '-'
       || lpad((i %% 40)::text, 2, '0') AS name) b;
INSERT INTO oms_sku (account_id, code, code_key, product_id, product_id_wh, name, gtin, workflow, version, created_at,
                     updated_at)
SELECT account, c.code, c.code, 'P' || (700000 + i),
       CASE WHEN i %% 3 = 0 THEN 'WH' || (300000 + i * 7) ELSE '' END, 'Article ' || i, '', 'in_out', 1, now(), now()
FROM site, generate_series(1, skus) AS i
CROSS JOIN LATERAL (SELECT (ARRAY['PHONE', 'TAB', 'LAP', 'CAM', 'PRN', 'SCAN'])[1 + i %% 6] || '-' || (20000 + i) || '-'
       || (ARRAY['BLK', 'WHT', 'RED', 'BLU', 'GRY'])[1 + i %% 5] AS code) c
ORDER BY account, i;
INSERT INTO oms_order (account_id, number, number_key, reference, status, created_at)
SELECT account, 'SO-OPEN', 'SO-OPEN', '', 'open', now() FROM site;
INSERT INTO oms_orderline (account_id, order_id, sku_id, position, quantity, attention)
SELECT account, (SELECT id FROM oms_order WHERE account_id = account),
       (SELECT min(id) FROM oms_sku WHERE account_id = account), 1, 1000000, '' FROM site;
UPDATE site SET sku = (SELECT min(id) FROM oms_sku WHERE account_id = account),
                line = (SELECT min(id) FROM oms_orderline WHERE account_id = account);
CREATE TEMP TABLE place AS SELECT account_id, id, kind, row_number() OVER (PARTITION BY account_id, kind) AS n,
    count(*) OVER (PARTITION BY account_id, kind) AS of FROM oms_bin;
CREATE UNIQUE INDEX ON place (account_id, kind, n);
ANALYZE site; ANALYZE place;
"""
# g numbers all units in the order of their last change; golden-ratio steps deal them to the accounts by their shares.
UNITS = r"""
INSERT INTO serials_unit (account_id, sku_id, serial, serial_key, status, is_void, is_planned, bin_id, order_line_id,
    wms_notes, oms_notes, process_type, process_id, order_no, last_event, last_source, updated_at, created_at)
SELECT account, sku + floor(power(r.a, 3) * skus)::bigint, v.serial, upper(v.serial), t.status,
       t.status = 'incoming' AND r.c < 0.1, t.status = 'incoming', b.id,
       CASE WHEN t.status = 'reserved' THEN line END,
       CASE WHEN r.d < 0.25 THEN (ARRAY['Seal broken on arrival', 'Box dented', 'Checked by Maria', 'Battery at 80%%',
           'Customs hold lifted', 'Label reprinted', 'Recounted after audit', 'Photo on file'])
           [1 + floor(r.d * 32)::int] || ', case ' || floor(r.b * 90000)::int ELSE '' END,
       CASE WHEN r.e < 0.08 THEN (ARRAY['Call the customer first', 'Reserved for Berlin', 'Do not sell', 'Demo device'])
           [1 + floor(r.e * 50)::int] || ' ' || floor(r.b * 9000)::int ELSE '' END,
       p.type, CASE p.type WHEN 'order' THEN o.number WHEN 'replenishment' THEN 'R-' || 1000 + (g * share / 150)::int
           WHEN 'return' THEN 'RT-' || 100 + (g * share / 40)::int WHEN 'recount' THEN 'RC-' || (g * share / 500)::int
           ELSE 'M-' || (g * share / 60)::int END,
       CASE WHEN p.type = 'order' THEN o.number ELSE '' END,
       CASE t.status WHEN 'out' THEN 'ship' WHEN 'reserved' THEN 'reserve' WHEN 'incoming' THEN 'expect'
           ELSE 'receive' END,
       'bench', timestamptz '2026-11-01' - (%(rows)s - g) * (interval '730 days' / %(rows)s),
       timestamptz '2026-11-01' - (%(rows)s - g) * (interval '730 days' / %(rows)s) - interval '20 days'
FROM generate_series(%(first)s, %(last)s) AS g
JOIN LATERAL (SELECT (hashint8extended(g, 1) & 16777215) / 16777216.0::float8 AS a,
                     (hashint8extended(g, 2) & 16777215) / 16777216.0::float8 AS b,
                     (hashint8extended(g, 3) & 16777215) / 16777216.0::float8 AS c,
                     (hashint8extended(g, 4) & 16777215) / 16777216.0::float8 AS d,
                     (hashint8extended(g, 5) & 16777215) / 16777216.0::float8 AS e,
                     (hashint8extended(g, 6) & 16777215) / 16777216.0::float8 AS f) AS r ON true
JOIN site ON site.n = width_bucket((g * 0.6180339887498949::float8) - floor(g * 0.6180339887498949::float8), %(edges)s)
JOIN LATERAL (SELECT CASE g %% 3 WHEN 0
    THEN '35' || lpad(((hashint8extended(g, 7) & 9223372036854775807) %% 10000000000000)::text, 13, '0')
    WHEN 1 THEN (ARRAY['AP', 'SM', 'LX', 'HP'])[1 + g %% 4]
        || upper(translate(left(encode(decode(md5(g::text), 'hex'), 'base64'), 8), '+/', '70'))
    ELSE 'SN' || lpad(g::text, 9, '0') END AS serial) AS v ON true
JOIN LATERAL (SELECT CASE WHEN r.f < 0.7 THEN 'out' WHEN r.f < 0.88 THEN 'ready' WHEN r.f < 0.94 THEN 'incoming'
    WHEN r.f < 0.97 THEN 'reserved' WHEN r.f < 0.99 THEN 'hold' ELSE 'imperfect' END AS status) AS t ON true
JOIN LATERAL (SELECT CASE WHEN t.status IN ('out', 'reserved') THEN 'order' WHEN t.status = 'incoming' OR r.c < 0.7
    THEN 'replenishment' WHEN r.c < 0.8 THEN 'return' WHEN r.c < 0.9
    THEN 'recount' ELSE 'move' END AS type) AS p ON true
JOIN LATERAL (SELECT 'SO-' || 1000000 + (g * share / 3)::int AS number) AS o ON true
LEFT JOIN place b ON b.account_id = account AND t.status NOT IN ('out', 'incoming')
    AND b.kind = CASE t.status WHEN 'hold' THEN 'reserved' WHEN 'imperfect' THEN 'damaged' ELSE 'pick' END
    AND b.n = 1 + floor(r.b * b.of)::int
ORDER BY g
"""
INDEXES = """
SELECT format('DROP INDEX %I', c.relname), replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 'serials_unit'::regclass
AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
"""
REFERENCES = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE contype IN ('f', 'u') AND conparentid = 0
AND conrelid IN (SELECT relid FROM pg_partition_tree('serials_unit'))
"""
STEP = 500_000


def database_name(rows: int) -> str:
    """Where `rows` units are kept: another name as soon as a migration or this module changes."""
    digest = hashlib.sha256()
    for path in sorted([*ROOT.glob("*/migrations/*.py"), ROOT / "bench" / "units.py", ROOT / "oms" / "walls.py"]):
        digest.update(path.read_bytes())
    return f"lotline_grid_{rows}_{digest.hexdigest()[:8]}"


def collect_static() -> None:
    """Pages name their files by a manifest; a throw-away state folder has none yet."""
    root: Path | None = settings.STATIC_ROOT
    if root and not (root / "staticfiles.json").exists():
        call_command("collectstatic", interactive=False, verbosity=0)


def prepare(rows: int) -> bool:
    """Fill the current, empty database; False where it has been filled before."""
    collect_static()
    if Account.objects.filter(slug="ready").exists():
        return False
    tune()
    person = Person.objects.create_user(email=PERSON, password=None, name="Bench")
    for n in range(1, len(SHARES) + 1):
        account = Account.objects.create(name=f"Bench {n}", slug=f"bench-{n}")
        Membership.objects.create(person=person, account=account, role=Role.ADMIN, joined_at=timezone.now())
    fill(rows)
    Account.objects.create(name="All is filled", slug="ready")
    return True


def fill(rows: int, shares: tuple[float, ...] = SHARES) -> None:
    """Make the units of the accounts bench-1, bench-2, … and all that they refer to, in one transaction."""
    edges = [math.fsum(shares[:n]) / math.fsum(shares) for n in range(len(shares))]
    params: dict[str, Any] = {"rows": rows, "shares": list(shares), "edges": edges}
    with connections[OWNER].cursor() as cursor:
        for statement in SMALL_TABLES.split(";\n"):
            if statement.strip():
                cursor.execute(statement, params if "%" in statement else None)
        with without_indexes():
            for first in range(1, rows + 1, STEP):
                cursor.execute(UNITS, {**params, "first": first, "last": min(first + STEP - 1, rows)})
        for table in ("serials_unit", "oms_sku", "oms_bin", "oms_location"):
            if not connections[OWNER].in_atomic_block:
                cursor.execute(f"VACUUM (FREEZE, ANALYZE) {table}")
            else:
                cursor.execute(f"ANALYZE {table}")


@contextmanager
def without_indexes() -> Iterator[None]:
    """Neither indexes nor references on units, but for the key of each row; they are made again at the end."""
    with connections[OWNER].cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '1GB'")
        found: list[tuple[str, str]] = []
        for query in (INDEXES, REFERENCES):
            cursor.execute(query)
            found += cursor.fetchall()
        with transaction.atomic(OWNER):
            for drop, _make in found:
                cursor.execute(drop)
        yield
        for _drop, make in found:
            cursor.execute(make)
        cursor.execute("RESET maintenance_work_mem")


def tune() -> None:
    """Give the database the settings of the product's own server, where another one serves it."""
    with connections[OWNER].cursor() as cursor:
        for setting in SESSION:
            cursor.execute(
                f"ALTER DATABASE {connections[OWNER].settings_dict['NAME']} SET {setting} = '{SETTINGS[setting]}'"
            )
    for open_before in connections.all():
        open_before.close()
        if hasattr(open_before, "close_pool"):
            open_before.close_pool()
