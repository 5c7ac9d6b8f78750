"""Submitting more planned serials than a page should wait for, as a job."""

from django.utils.translation import gettext as _

from oms.jobs import Progress
from replenishment.services.submitting import submit


def run_submit_job(progress: Progress) -> None:
    """The job "replenishment.submit": the whole submit in the job's own transaction; it is done exactly if its job is.

    Nothing but what the person saw is submitted: the job has the version. What stands in the way ends the job with all
    of it in words (`CannotSubmit`, `Conflict`), and nothing is written.
    """
    params = progress.params
    total = params["total"]
    progress.step(0, total)
    found = submit(replenishment_id=params["replenishment_id"], version=params.get("version"), actor=progress.person)
    progress.step(total, total)
    progress.finish(
        {
            "summary": _("%(number)s is submitted. It is In-Transit.") % {"number": found.number},
            "counts": {_("Units Incoming"): total},
        }
    )
