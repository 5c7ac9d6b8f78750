"""What is written to the log."""

import logging


class OneLine(logging.Filter):
    """Refused requests (4xx) are one line: where the refusal was raised tells nobody anything. Failures keep theirs."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the traceback off; every record passes."""
        if getattr(record, "status_code", 500) < 500:
            record.exc_info = None
        return True
