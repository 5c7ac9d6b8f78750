"""The job "serials.history": Download Serial History for more units than a page should wait for."""

from collections.abc import Iterator

from django.utils import timezone
from django.utils.translation import gettext as _

from oms import csvio, files
from oms.jobs import Progress
from oms.ui.actions import selected
from serials.queries.history_file import HistoryFile, chunks

STEP = 5_000


def run_history_job(progress: Progress) -> None:
    """The file of the selected units; `progress.params` is a `Selection.params`."""
    made = HistoryFile(selected(progress.params))
    total = made.count()

    def counted() -> Iterator[bytes]:
        for number, line in enumerate(made.lines()):
            if number % STEP == 0:
                progress.step(min(number, total), total)
            yield line

    stored = files.store(file_name(), csvio.CONTENT_TYPE, chunks(counted()))
    progress.finish({"counts": {_("Serials"): made.units, _("Rows"): total}}, stored)


def file_name() -> str:
    """A name that tells the day."""
    return f"lotline-serial-history-{timezone.localdate():%Y-%m-%d}.csv"
