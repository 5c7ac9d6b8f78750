"""What the indexes of units cost whoever writes them."""

from collections.abc import Iterator
from statistics import median
from time import perf_counter

from django.db import connections

from bench import units
from bench.report import Measure, percentile


def writes(runs: int) -> Iterator[Measure]:
    """Inserting units into a table with all indexes, against one without those for search and sort."""
    count = 20_000
    seconds: dict[str, list[float]] = {"all": [], "keys": [], "no search": []}
    with connections[units.OWNER].cursor() as cursor:
        for _turn in range(runs):
            for name, found in seconds.items():
                cursor.execute("CREATE TABLE bench_cost (LIKE serials_unit_p1 INCLUDING ALL)")
                cursor.execute(
                    "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
                    "WHERE indrelid = 'bench_cost'::regclass AND NOT indisunique"
                )
                for index, made in cursor.fetchall():
                    if name == "keys" or (
                        name == "no search" and any(word in made for word in ("gin", "serial_key", "COLLATE"))
                    ):
                        cursor.execute(f"DROP INDEX {index}")
                started = perf_counter()
                cursor.execute(f"INSERT INTO bench_cost SELECT * FROM serials_unit LIMIT {count}")
                found.append(perf_counter() - started)
                rows = cursor.rowcount
                cursor.execute("DROP TABLE bench_cost")
    for other, told in (
        ("no search", "the same rows without the indexes for text, order numbers and the sort by serial"),
        ("keys", "the same rows with the keys only"),
    ):
        ours, limits = seconds["all"], seconds[other]
        yield Measure(
            f"insert, all indexes vs {other}",
            round(rows / median(ours)),
            "units/s",
            round(rows / median(limits)),
            round(median(limits) / median(ours), 3),
            None,
            round(median(ours), 4),
            round(percentile(ours, 95), 4),
            runs,
            told,
        )
