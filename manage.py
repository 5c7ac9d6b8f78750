#!/usr/bin/env python3
"""The only door to Lotline: `python3 manage.py up` runs it, `python3 manage.py test` tests it.

Works on a fresh machine that has nothing but Python: `oms.bootstrap` makes `.venv` first where it is needed. This file
is also valid for Python 2 and old Python 3, so that they get a sentence and not a SyntaxError.
"""

import sys

if sys.version_info < (3, 7):  # noqa: UP036  (the bootstrap itself needs 3.7 to say what is missing)
    sys.exit("Lotline needs Python 3.11 or newer, and this is Python " + sys.version.split()[0] + ". Try python3.11.")
if sys.platform == "win32":
    sys.exit("Windows is not supported: there is no Valkey for it. Use WSL, or docker compose.")

import os

# A command is no process of the set, also where it is run in the container of one: what it does may take its time.
os.environ.pop("LOTLINE_PROCESS", None)

from oms import bootstrap

if __name__ == "__main__":
    bootstrap.enter(sys.argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oms.settings")
    if sys.argv[1:2] == ["up"]:  # it only watches over processes: without models and views it is half as big
        from oms.management.commands.up import Command

        Command().run_from_argv(sys.argv)
    else:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
