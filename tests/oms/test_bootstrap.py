"""The bootstrap on real virtual environments, made from a lock of two tiny packages that the test builds itself."""

import ast
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from oms import bootstrap

# Each needs an environment of its own or damages one: in one worker they can share it.
pytestmark = pytest.mark.xdist_group("bootstrap")

DJANGO = """
import json, sys

def execute_from_command_line(argv):
    print(json.dumps({"argv": argv[1:], "prefix": sys.prefix, "flags": sys.warnoptions}))
"""


def build_wheel(folder, name, files):
    """A wheel of pure Python; its hash."""
    info = f"{name}-1.0.dist-info"
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    content[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*content, f"{info}/RECORD"])
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as out:
        for path, text in content.items():
            out.writestr(path, text)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


class Clone:
    """A fresh copy of what the bootstrap needs of Lotline, with a lock that a folder of wheels fulfils."""

    def __init__(self, folder):
        self.folder = folder
        wheels = folder / "wheels"
        wheels.mkdir(parents=True)
        (folder / "oms").mkdir()
        for file in ("manage.py", "oms/__init__.py", "oms/bootstrap.py"):
            shutil.copy(bootstrap.ROOT / file, folder / file)
        files = {"django/__init__.py": "", "django/core/__init__.py": "", "django/core/management.py": DJANGO}
        self.django = f"django==1.0 --hash=sha256:{build_wheel(wheels, 'django', files)}\n"
        self.more = f"more==1.0 --hash=sha256:{build_wheel(wheels, 'more', {'more.py': ''})}\n"
        self.extra = f"extra==1.0 --hash=sha256:{build_wheel(wheels, 'extra', {'extra.py': ''})}\n"
        (folder / "requirements.txt").write_text(self.django)
        (folder / "requirements-dev.txt").write_text(self.django + self.extra)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("LOTLINE_", "PIP_", "PYTHON"))}
        self.env = {**kept, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels.as_uri(), "PIP_CONFIG_FILE": os.devnull}

    @property
    def python(self):
        return self.folder / ".venv/bin/python"

    def start(self, *arguments, python=(sys._base_executable,), **env):
        return subprocess.Popen(
            [*python, str(self.folder / "manage.py"), *arguments],
            env={**self.env, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments, **more):
        """What the command saw, and what was said to the person."""
        process = self.start(*arguments, **more)
        out, err = process.communicate(timeout=120)
        return process.returncode, json.loads(out) if out.startswith("{") else {"printed": out}, err

    @contextlib.contextmanager
    def changed_lock(self, line):
        """The lock names one more package for a while."""
        lock = self.folder / "requirements.txt"
        before = lock.read_text()
        lock.write_text(before + line)
        try:
            yield
        finally:
            lock.write_text(before)

    def is_there(self, module):
        return subprocess.run([self.python, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path / "clone")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A clone whose environment has been made; tests may damage it, as long as the bootstrap mends it."""
    made = Clone(tmp_path_factory.mktemp("bootstrap") / "clone with a space")
    made.first = made.run("check", "--deploy", python=(sys._base_executable, "-W", "error"))
    return made


def test_a_fresh_clone_installs_and_passes_the_command_on(installed):
    status, seen, err = installed.first
    assert status == 0, err
    assert seen == {
        "argv": ["check", "--deploy"],
        "prefix": str(installed.folder / ".venv"),
        "flags": ["error"],
    }
    assert "making .venv" in err
    assert "installed in" in err


def test_the_second_start_installs_nothing_unless_the_command_needs_more(installed):
    status, seen, err = installed.run("check")
    assert (status, seen["prefix"], err) == (0, str(installed.folder / ".venv"), "")

    assert installed.run("test")[0] == 0
    assert installed.is_there("extra")
    assert installed.run("check")[2] == "", "the larger lock holds the smaller one"


def test_another_lock_is_installed_into_the_same_environment(installed):
    keep = installed.folder / ".venv/kept"
    keep.touch()
    with installed.changed_lock(installed.more):
        status, _, err = installed.run("check")
        assert (status, keep.exists(), installed.is_there("more")) == (0, True, True), err
    assert installed.run("check")[0] == 0


def delete_python(clone):
    for name in ("python", "python3"):
        (clone.folder / ".venv/bin" / name).unlink()


def delete_package(clone):
    shutil.rmtree(next(clone.folder.glob(".venv/lib/python3*/site-packages/django")))


def interrupt_installation(clone):
    (clone.folder / ".venv/lotline-stamp.json").unlink()
    (clone.folder / ".venv/lotline-installing").touch()
    delete_package(clone)  # pip would say "already satisfied" of a package whose metadata is there


def spoil_stamp(clone):
    (clone.folder / ".venv/lotline-stamp.json").write_text('{"locks"')


def upgrade_python(clone):
    stamp = clone.folder / ".venv/lotline-stamp.json"
    stamp.write_text(json.dumps({**json.loads(stamp.read_text()), "version": [3, 9]}))


SLOWLY = (delete_python, delete_package, spoil_stamp, upgrade_python)


@pytest.mark.parametrize(
    "damage", [interrupt_installation, *(pytest.param(damage, marks=pytest.mark.slow) for damage in SLOWLY)]
)
def test_a_damaged_environment_mends_itself(installed, damage):
    damage(installed)
    status, seen, err = installed.run("check")
    assert status == 0, err
    assert seen["prefix"] == str(installed.folder / ".venv")
    assert "installed in" in err
    assert installed.run("check")[2] == "", "it must be mended for good"


@pytest.mark.slow
def test_a_damaged_environment_mends_itself_from_inside(installed):
    delete_package(installed)
    status, seen, err = installed.run("check", python=(str(installed.python),))
    assert (status, seen.get("prefix")) == (0, str(installed.folder / ".venv")), err


@pytest.mark.slow
def test_two_starts_on_a_fresh_clone_install_once(clone):
    first, second = clone.start("check"), clone.start("check")
    said = [process.communicate(timeout=120)[1] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert sorted("installed in" in err for err in said) == [False, True]
    assert sorted("waiting for it" in err for err in said) == [False, True]


def test_the_lock_outlives_a_killed_bootstrap_as_long_as_its_pip_runs(clone):
    """Otherwise the next start would let a second pip loose on the same folder."""
    environment = bootstrap.Environment(clone.folder)
    with environment.locked() as handle:
        pip = subprocess.Popen([shutil.which("sleep"), "60"], pass_fds=[handle])
    probe = os.open(clone.folder, os.O_RDONLY)
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        pip.kill()
        pip.wait()
        fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(probe)


def test_a_failed_pip_shows_its_words_and_does_not_cost_the_environment(installed):
    keep = installed.folder / ".venv/kept"
    keep.touch()
    with installed.changed_lock("missing==1.0 --hash=sha256:" + "0" * 64 + "\n"):
        status, _, err = installed.run("check")
    assert status == 1
    assert "No matching distribution found for missing==1.0" in err
    assert "pip could not install requirements.txt" in err
    assert "Traceback" not in err
    assert (installed.run("check")[0], keep.exists()) == (0, True)


def test_off_means_this_python_and_nothing_else(clone):
    status, seen, err = clone.run("check", LOTLINE_VENV="off", python=(sys._base_executable, "-S"))
    assert (status, seen["printed"]) == (1, "")
    assert "no Django" in err

    site = str(clone.folder / "site")
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-e", str(clone.folder / "wheels/django-1.0-py3-none-any.whl"), site],
        check=True,
    )
    status, seen, err = clone.run("check", LOTLINE_VENV="off", PYTHONPATH=site, python=(sys._base_executable, "-S"))
    assert (status, seen["prefix"], err) == (0, sys.base_prefix, "")
    assert not (clone.folder / ".venv").exists()


def test_another_environment_with_django_is_used_as_it_is(clone, installed):
    status, seen, err = clone.run("check", python=(str(installed.python),))
    assert (status, seen["prefix"], err) == (0, str(installed.folder / ".venv"), "")
    assert not (clone.folder / ".venv").exists()


def test_an_environment_that_is_shared_by_a_link_is_used_and_never_changed(clone, installed):
    """Two copies that share one would each hold a lock of their own and take it apart under the other's feet."""
    (clone.folder / ".venv").symlink_to(installed.folder / ".venv")
    (clone.folder / "requirements.txt").write_text(clone.django + clone.more)
    stamp = (installed.folder / ".venv/lotline-stamp.json").read_text()
    status, seen, err = clone.run("check")
    assert (status, seen.get("argv"), err) == (0, ["check"], "")
    assert (installed.folder / ".venv/lotline-stamp.json").read_text() == stamp

    nothing = clone.folder / "nothing"
    for unusable in (clone.folder / "wheels", nothing):
        (clone.folder / ".venv").unlink()
        (clone.folder / ".venv").symlink_to(unusable)
        status, _, err = clone.run("check")
        assert (status, "is a link" in err, "installing" in err) == (1, True, False)
        assert (clone.folder / ".venv").is_symlink()
    assert len(list((clone.folder / "wheels").iterdir())) == 3
    assert not nothing.exists()


# --- what cannot be mended is said ------------------------------------------------------------------------------------
def enter_with(clone, preparation, path=os.defpath):
    """Run the clone's bootstrap in this Python after `preparation`; its exit status and words."""
    code = f"import os, sys; sys.path.insert(0, {str(clone.folder)!r}); sys.argv = ['manage.py', 'check']\n"
    code += f"from oms import bootstrap\n{preparation}\nbootstrap.enter(sys.argv)"
    done = subprocess.run(
        [sys._base_executable, "-I", "-c", code],
        env={**clone.env, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_missing_venv_module_names_the_package(clone):
    status, _, err = enter_with(clone, "sys.modules['ensurepip'] = None")
    assert status == 1
    assert "apt-get install python{}.{}-venv".format(*sys.version_info) in err


def test_a_folder_that_is_not_writable_is_named(clone):
    clone.folder.chmod(0o555)
    become_nobody = "os.geteuid() or (os.setgid(65534), os.setuid(65534))"
    with contextlib.ExitStack() as opened:
        if os.geteuid() == 0:  # nobody must be able to get there at all; pytest's folders are private
            for parent in (clone.folder, *clone.folder.parents):
                mode = parent.stat().st_mode
                if mode & 0o005 != 0o005:
                    opened.callback(parent.chmod, mode)
                    parent.chmod(mode | 0o005)
        status, _, err = enter_with(clone, become_nobody)
    clone.folder.chmod(0o755)
    assert status == 1
    assert f"{clone.folder} is not writable for you" in err


def test_an_old_python_says_so(clone, tmp_path):
    status, _, err = enter_with(clone, "bootstrap.OLDEST = (9, 0)", path=str(tmp_path / "empty"))
    assert status == 1
    assert "Lotline needs Python 9.0 or newer" in err
    assert "apt-get install" in err


def test_an_old_python_goes_on_in_a_newer_one_and_is_not_fooled_by_a_shim(clone, tmp_path):
    path = tmp_path / "path"
    path.mkdir()
    shim, real = path / "python3.13", path / "python3.12"
    shim.write_text("#!/bin/sh\necho 'version is not installed' >&2; exit 127\n")
    real.write_text('#!/bin/sh\n[ "$1" = -c ] || echo "went on: $*"\n')
    for script in (shim, real):
        script.chmod(0o755)
    status, out, err = enter_with(
        clone, "bootstrap.OLDEST = (9, 0); sys.orig_argv = ['python', *sys.argv]", path=str(path)
    )
    assert (status, out, err) == (0, "went on: manage.py check\n", "")


def test_it_does_not_go_round_in_circles(clone):
    status, _, err = enter_with(
        clone, "os.environ[bootstrap.HOPS] = '4'; bootstrap.Environment.prepare = lambda *_: None"
    )
    assert status == 1
    assert "Remove .venv" in err


def test_an_old_python_can_read_it():
    for file, version in (("manage.py", (3, 4)), ("oms/bootstrap.py", (3, 7)), ("oms/__init__.py", (3, 4))):
        ast.parse((bootstrap.ROOT / file).read_text(), feature_version=version)


def test_it_needs_nothing_installed():
    """Whatever it imports must be there before the installation."""
    for file in ("manage.py", "oms/__init__.py", "oms/bootstrap.py"):
        tree = ast.parse((Path(bootstrap.ROOT) / file).read_text())
        outermost = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in outermost}
        assert {name.split(".")[0] for name in names} <= {*sys.stdlib_module_names, "oms"}, file
