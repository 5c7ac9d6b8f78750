"""What is written to the log."""

import logging


class Refusals(logging.Filter):
    """Refused requests (4xx) are one line: where the refusal was raised tells nobody anything. Failures keep theirs.

    A form that was filled in wrongly (422) is none: it is what forms are for.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record passes; a traceback that nobody needs is taken off."""
        status = getattr(record, "status_code", 500)
        if status < 500:
            record.exc_info = None
        return bool(status != 422)
