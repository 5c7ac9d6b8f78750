"""The linters, as tests: the hooks of .pre-commit-config.yaml, each with its whole command.

They run in the background since these tests were collected (tests/meta/tools.py), and these tests come last.
"""

import os

import pytest

from tests.meta.tools import CONFIG, HOOKS, ended, run
from tests.worker_process import wait_until

# One worker waits for them, not both.
pytestmark = pytest.mark.xdist_group("tools")


@pytest.mark.parametrize("hook", HOOKS)
def test_hook(hook, tools_folder):
    found = wait_until(lambda: ended(tools_folder, hook), what=f"{hook} has ended", seconds=1800)
    assert found["status"] == 0, f"{HOOKS[hook]}\n{found['said']}"


def test_the_hooks_are_a_valid_configuration():
    done = run(".venv/bin/pre-commit validate-config .pre-commit-config.yaml")
    assert done.returncode == 0, done.stdout
    assert {repo["repo"] for repo in CONFIG["repos"]} == {"local"}, "hooks come from the locked requirements"
    assert set(HOOKS) == {"ruff-check", "ruff-format", "mypy", "import-linter", "djlint"}


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="groups are for tests that run side by side (-n)")
def test_tests_of_a_group_stay_in_one_worker(request):
    """Only a mark at the end of the id tells the scheduler of a group; pytest 9.2 drops it without a word."""
    assert request.node.nodeid.endswith("@tools")
