"""The linters, as tests: the hooks of .pre-commit-config.yaml, each with its whole command.

They are in one group, so that one worker runs them while the other goes on with the rest.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.meta.tree import ROOT, text

BIN = Path(sys.executable).parent
CONFIG = yaml.safe_load(text(".pre-commit-config.yaml"))
HOOKS = {hook["id"]: hook for repo in CONFIG["repos"] for hook in repo["hooks"]}
pytestmark = pytest.mark.xdist_group("tools")


def run(command):
    program, *arguments = shlex.split(command)
    assert program.startswith(".venv/bin/")
    return subprocess.run([BIN / Path(program).name, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("hook", HOOKS)
def test_hook(hook):
    done = run(HOOKS[hook]["entry"])
    assert done.returncode == 0, f"{HOOKS[hook]['entry']}\n{done.stdout[-6000:]}{done.stderr[-3000:]}"


def test_the_hooks_are_a_valid_configuration():
    done = run(".venv/bin/pre-commit validate-config .pre-commit-config.yaml")
    assert done.returncode == 0, done.stdout
    assert {repo["repo"] for repo in CONFIG["repos"]} == {"local"}, "hooks come from the locked requirements"
    assert set(HOOKS) == {"ruff-check", "ruff-format", "mypy", "import-linter", "djlint"}


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="groups are for tests that run side by side (-n)")
def test_tests_of_a_group_stay_in_one_worker(request):
    """Only a mark at the end of the id tells the scheduler of a group; pytest 9.2 drops it without a word."""
    assert request.node.nodeid.endswith("@tools")
