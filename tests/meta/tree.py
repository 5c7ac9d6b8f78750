"""What the house rules look at: the files of the repository, and Python parsed."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from django.apps import apps

ROOT = Path(__file__).parents[2]
APPS = ("oms", "serials", "replenishment", "channels_sync")


@cache
def repository_files() -> tuple[Path, ...]:
    """Every file that is tracked or would be, relative to the root; the ignored and the deleted are left out."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return tuple(sorted(Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()))


def existing_apps() -> list[str]:
    """The apps of the chain that are there already, lowest first."""
    return [name for name in APPS if (ROOT / name / "__init__.py").is_file()]


def is_written(path: Path) -> bool:
    """Written by a person: migrations are not."""
    return "migrations" not in path.parts


def python_files(*folders: str) -> list[Path]:
    """The Python files below `folders`, or all of them; no migrations."""
    return [
        path
        for path in repository_files()
        if path.suffix == ".py" and is_written(path) and (not folders or path.parts[0] in folders)
    ]


def app_files() -> list[Path]:
    """The Python files of the product itself."""
    return python_files(*APPS)


def templates() -> list[Path]:
    """Every HTML template."""
    return [path for path in repository_files() if path.suffix == ".html" and "templates" in path.parts]


def text(path: Path) -> str:
    """What a file holds."""
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    """A Python file, parsed."""
    return ast.parse(text(path), filename=str(path))


def nodes(path: Path, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of some kinds in a file."""
    return (node for node in ast.walk(tree(path)) if isinstance(node, kinds))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a file, nested ones too."""
    return nodes(path, ast.FunctionDef, ast.AsyncFunctionDef)


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without the docstring: prose is never what is too long."""
    first = function.body[0]
    is_doc = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return function.end_lineno - function.lineno + 1 - (first.end_lineno - first.lineno + 1 if is_doc else 0)


def our_models() -> list[type]:
    """The models of our own apps, that of the tests included."""
    return [model for model in apps.get_models() if model.__module__.partition(".")[0] in {*APPS, "tests"}]
