"""What is in the repository besides code: locks, migrations, addresses, the checks of the framework."""

import io
import re
import subprocess
import sys
import tomllib

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.meta.tree import ROOT, existing_apps, repository_files, text

# Put together here, so that this file does not name them.
HOSTS = ["py" + "pi.org", "python" + "hosted.org", "registry.npm" + "js.org", "regis" + "try =", "--index" + "-url"]
PATHS = [r"(?<![\w.])/wo" + r"rk/", r"(?<![\w.])/ho" + r"me/\w", r"(?<![\w.])/ro" + r"ot/\w"]
PINNED = re.compile(r"^([a-zA-Z0-9._-]+)(?:\[[^\]]*\])?==(\S+)")


def texts():
    for path in repository_files():
        if path.suffix not in {".png", ".ico", ".woff2", ".pdf", ".gz", ".mo"}:
            yield path, text(path)


@pytest.mark.parametrize("pattern", [*map(re.escape, HOSTS), *PATHS])
def test_no_file_names_a_registry_or_this_machine(pattern):
    assert [f"{path}: {found[0]}" for path, body in texts() if (found := re.search(pattern, body))] == []


def test_no_file_is_huge():
    assert [str(path) for path in repository_files() if (ROOT / path).stat().st_size > 400_000] == []


# --- the locks --------------------------------------------------------------------------------------------------------
def locked(name):
    """Package → version of a lock; fails where a package has no hash or a line is something else."""
    found, last = {}, None
    for line in text(name).splitlines():
        if match := PINNED.match(line):
            last = canonicalize_name(match[1])
            found[last] = match[2]
            assert line.endswith("\\"), f"{last} has no hash"
        else:
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?", line), f"{name}: {line!r} after {last}"
    return found


PROJECT = tomllib.loads(text("pyproject.toml"))


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.txt", PROJECT["project"]["dependencies"]),
        ("requirements-dev.txt", PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]),
    ],
    ids=["runtime", "development"],
)
def test_locks_are_in_step_with_pyproject(lock, wanted):
    versions = locked(lock)
    for line in wanted:
        requirement = Requirement(line)
        assert requirement.specifier, f"{line} has no lower bound"
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{lock} lacks {line}"
        assert requirement.specifier.contains(version), f"{lock} has {version} for {line}"


def test_the_locks_agree_with_each_other():
    runtime, development = locked("requirements.txt"), locked("requirements-dev.txt")
    assert {name: development.get(name) for name in runtime} == runtime


# --- migrations and checks --------------------------------------------------------------------------------------------
def test_migrations_have_one_end():
    """Two people who add a migration at the same time find out before it is merged."""
    ends = MigrationLoader(None).graph.leaf_nodes()
    assert [app for app, _name in ends] == sorted({app for app, _name in ends})


def test_every_app_is_installed():
    assert [app for app in existing_apps() if not apps.is_installed(app)] == []


def test_models_have_their_migrations(db):
    out = io.StringIO()
    try:
        call_command("makemigrations", "--check", "--dry-run", verbosity=1, stdout=out)
    except SystemExit:
        pytest.fail(out.getvalue())


def test_every_migration_is_applied(db):
    loader = MigrationLoader(connection)
    assert set(loader.graph.nodes) == set(loader.applied_migrations)


def test_the_system_checks_are_clean(db):
    call_command("check", "--database", "default", "--fail-level", "DEBUG")


def test_a_deployment_is_clean(tmp_path):
    """The real settings with https, as .env.example has them; it needs no server."""
    env = {
        "PATH": "",
        "DJANGO_SETTINGS_MODULE": "oms.settings",
        "DATABASE_URL": "postgres://lotline_app:x@127.0.0.1:1/none",
        "DATABASE_OWNER_URL": "postgres://lotline_owner:x@127.0.0.1:1/none",
        "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "LOTLINE_SECRETS_KEYS": Fernet.generate_key().decode(),
        "LOTLINE_STATE": str(tmp_path),
        "LOTLINE_HTTPS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "django", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    # Whether every other name below this one is served over https too is for the installation to know.
    assert set(re.findall(r"\((\w+\.\w+)\)", done.stderr)) <= {"security.W005", "security.W021"}, done.stderr
    assert done.returncode == 0 or "identified 2 issues" in done.stderr, done.stderr
