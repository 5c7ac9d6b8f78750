"""`manage.py smoke URL`: use a running Lotline with demo data as people do, and say what was seen."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from oms import smoke


class Command(BaseCommand):
    """Run the steps of `oms.smoke`."""

    help = "Uses a running Lotline with demo data from outside: health, workers, beat, every person and page."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where it runs, and where to write the seconds of each step."""
        parser.add_argument("url", help="where web answers, like http://127.0.0.1:8000")
        parser.add_argument("--report", type=Path, help="write [[step, seconds], ...] to this file as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit status 0 only if every step saw what it should."""
        seconds = []
        try:
            for name, seen, took in smoke.run(options["url"]):
                self.stdout.write(f"{name}: {seen} ({took:.1f} s)")
                seconds.append((name, took))
        except smoke.SmokeFailed as error:
            raise CommandError(str(error)) from error
        if options["report"]:
            options["report"].write_text(json.dumps(seconds))
