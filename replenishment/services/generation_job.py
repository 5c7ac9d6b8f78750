"""Generating more serials than a page should wait for, as a job with the file of them as its result."""

from collections.abc import Iterable, Iterator

from django.utils.translation import gettext as _

from oms import csvio, files
from oms.jobs import Progress
from replenishment.models import Replenishment
from replenishment.planned_lots import serial_rows
from replenishment.services.planning import generate_serials
from serials.queries.schemes import low_schemes, low_words

HEADER = ("SKU", "Serial", "Lot")
STEP = 5_000


def serials_file(rows: Iterable[tuple[str, str, str]]) -> Iterator[bytes]:
    """The file of serials, in pieces; `rows` are those of `planned_lots.serial_rows`."""
    return csvio.write(rows, HEADER)


def run_generate_job(progress: Progress) -> None:
    """The job "replenishment.generate": generate for the lines it names, and keep all serials as a file."""
    found = Replenishment.objects.get(pk=progress.params["replenishment_id"])
    progress.step(0, progress.params["total"])
    schemes = {int(sku_id): scheme_id for sku_id, scheme_id in progress.params.get("schemes", {}).items()}
    count = generate_serials(
        replenishment_id=found.pk, line_ids=progress.params["line_ids"], actor=progress.person, schemes=schemes or None
    )

    def counted() -> Iterator[tuple[str, str, str]]:
        for number, row in enumerate(serial_rows(found), 1):
            if number % STEP == 0:
                progress.step(min(number, count), count)
            yield row

    stored = files.store(f"lotline-{found.number}-serials.csv", csvio.CONTENT_TYPE, serials_file(counted()))
    summary = _("The serials of %(number)s are generated. Labels are on the replenishment's page.")
    progress.finish(
        {
            "summary": " ".join(filter(None, [summary % {"number": found.number}, low_words(low_schemes())])),
            "counts": {_("Serials"): count},
        },
        stored,
    )
