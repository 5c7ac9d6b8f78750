"""The house rules of architecture.md, read from the source. A budget that does not fit: split by concept."""

import ast
import re
from collections import Counter

import pytest

from tests.meta.tree import (
    APPS,
    app_files,
    existing_apps,
    functions,
    length,
    nodes,
    python_files,
    repository_files,
    templates,
    text,
    tree,
)

MODULE, FUNCTION, VIEW, TEMPLATE = 400, 40, 25, 120

OWN_CONNECTION = {"oms/heartbeat.py"}  # a thread beside a job's transaction, which must be seen before that commits
SPANS_ACCOUNTS = {"oms/dispatch.py"}  # reads (account id, kind, time) and starts one task per account; nothing else may

# Where a hole in the wall is the point. Each name may stand in these files only.
ALLOWED = {
    ".raw(": set(),
    ".extra(": set(),
    "RawSQL": set(),
    "LOCK TABLE": set(),  # nobody may do what cannot be taken from the app's role; rows are locked
    "sql_with_params": {"oms/selects.py"},
    "_base_manager": set(),
    "_raw_delete": set(),
    "_default_manager": set(),
    "models.Manager()": {"oms/models/people.py"},  # of no account table: the memberships that are not accepted yet
    "with_invited": {"oms/models/people.py", "oms/queries/people.py", "oms/services/people.py"},
    "oms_membership": set(),  # neither raw SQL nor a join leaves out who is only invited
    "memberships__": set(),
    "Due.objects": SPANS_ACCOUNTS,
    "oms_due": SPANS_ACCOUNTS,
    "lotline.account": {"oms/tenancy.py", "oms/walls.py", *OWN_CONNECTION},
    "set_config(": {"oms/tenancy.py", *OWN_CONNECTION},
    'connections["owner"]': {"oms/postgresql/owner.py"},
    'using("owner")': set(),
    "db_constraint": {
        "oms/tenancy.py",
        "serials/models/units.py",
    },  # who acted, on the biggest table: people are never deleted
    "mark_safe": {"oms/ui/tables.py"},  # joins rows that were escaped one by one
    "|safe": set(),
    "csrf_exempt": {"channels_sync/views.py"},
    "login_not_required": {"oms/views/frontdoor.py", "oms/urls.py", "channels_sync/views.py", "channels_sync/urls.py"},
    "save_base": set(),
    "require_GET": set(),  # require_safe: HEAD is where GET is
    '["GET", "POST"]': set(),
    "CELERY_TASK_ALWAYS_EAGER": {"oms/checks.py"},
    "apply_async": SPANS_ACCOUNTS,
    "send_task": {*SPANS_ACCOUNTS, "oms/smoke.py"},
    ".delay(": set(),
    # Whoever catches an error of the database asks what it means. The other one is the broker's.
    "OperationalError": {"oms/database/faults.py", "oms/dispatch.py"},
    "InterfaceError": {"oms/database/faults.py"},
    "PoolTimeout": {"oms/postgresql/base.py"},
}

# The settings of the product, with others of their own.
OVERRIDING = {f"tests/{name}settings.py" for name in ("", "worker_", "probe_", "dying_")}

TOP_LEVEL = """
manage.py pyproject.toml requirements.txt requirements-dev.txt docker-compose.yml Dockerfile
README.md CHANGELOG.md LICENSE .env.example .pre-commit-config.yaml .gitignore .dockerignore .ci
templates static tests bench docs
"""


def where(path, node):
    return f"{path}:{node.lineno}"


def is_named(node, *names):
    """`name`, `x.name`, `name(...)` and `x.name(...)`."""
    node = node.func if isinstance(node, ast.Call) else node
    return (node.id if isinstance(node, ast.Name) else getattr(node, "attr", None)) in names


def test_modules_fit_their_budget():
    assert [f"{path}: {n}" for path in python_files() if (n := text(path).count("\n")) > MODULE] == []


def test_functions_fit_their_budget():
    everything = [(path, function) for path in python_files() for function in functions(path)]
    assert [f"{where(path, f)} {f.name}: {n}" for path, f in everything if (n := length(f)) > FUNCTION] == []


def test_views_fit_their_budget():
    """A view is a function of a request, or a method that is named after one, in a module of views."""
    views = [
        (path, function)
        for path in app_files()
        if "views" in path.parts or path.name == "views.py"
        for function in functions(path)
        if {"request"} & {argument.arg for argument in function.args.args} or function.name in {"get", "post"}
    ]
    assert [f"{where(path, f)} {f.name}: {n}" for path, f in views if (n := length(f)) > VIEW] == []


def test_templates_fit_their_budget():
    assert [f"{path}: {n}" for path in templates() if (n := text(path).count("\n")) > TEMPLATE] == []


def test_no_module_is_a_drawer():
    drawers = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [str(path) for path in python_files() if drawers & {path.stem, *path.parts}] == []


def test_nothing_listens_to_signals():
    found = [
        where(path, node)
        for path in app_files()
        for node in nodes(path, ast.FunctionDef, ast.ClassDef, ast.ImportFrom)
        if (isinstance(node, ast.ImportFrom) and (node.module or "").endswith(("django.dispatch", ".signals")))
        or any(is_named(decorator, "receiver") for decorator in getattr(node, "decorator_list", []))
    ]
    assert found == []


def test_names_are_imported_one_by_one():
    stars = [path for path in python_files() for node in nodes(path, ast.ImportFrom) if node.names[0].name == "*"]
    assert {str(path) for path in stars} <= OVERRIDING


def test_imports_stand_at_the_top():
    inline = {
        where(path, node)
        for path in python_files()
        for function in functions(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert inline == set()


def bound(statement):
    """The names that a statement of a module binds; branches of an `if` or a `try` are alternatives."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in statement.names]
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    names = [node for target in targets if target for node in ast.walk(target) if isinstance(node, ast.Name)]
    return [name.id for name in names if isinstance(name.ctx, ast.Store)]


def test_a_module_binds_a_name_once():
    """The second one wins, also for what was written with the first one in mind."""
    twice = [
        f"{path}: {name}"
        for path in python_files()
        if str(path) not in OVERRIDING
        for name, count in Counter(
            name for node in tree(path).body if not isinstance(node, ast.AugAssign | ast.Expr) for name in bound(node)
        ).items()
        if count > 1
    ]
    assert twice == []


def test_nothing_is_read_out_of_a_source():
    """`source` is a key as a whole: vendors choose their ids, so a beginning or a part of it may be another's."""
    pattern = re.compile(
        r"source(__(i?startswith|i?endswith|i?contains|i?regex|like)\b|\.(startswith|endswith|r?partition|r?split|removep)"
        r"|\[|\s+(LIKE|ILIKE|~|SIMILAR)\s)"
        r"|(starts_with|split_part|strpos|left|substr(ing)?)\(\w*\.?source"
    )
    assert [str(path) for path in app_files() if pattern.search(text(path))] == []


def test_only_the_wall_overrides_save_and_delete():
    found = [
        f"{path} {owner.name}.{method.name}"
        for path in app_files()
        if "models" in {*path.parts, path.stem} or path.name == "tenancy.py"
        for owner in nodes(path, ast.ClassDef)
        for method in owner.body
        if isinstance(method, ast.FunctionDef) and method.name in {"save", "delete", "save_base"}
    ]
    assert found == ["oms/tenancy.py AccountModel.save", "oms/tenancy.py AccountModel.delete"]


@pytest.mark.parametrize("name", ALLOWED)
def test_holes_are_only_where_they_are_meant(name):
    files = [*app_files(), *templates()]
    assert {str(path) for path in files if name in text(path)} - ALLOWED[name] == set()


def test_no_style_or_script_hides_in_python():
    """Columns and fields write HTML; the content security policy would refuse these in the browser, silently."""
    pattern = re.compile(r"""<style|<script|\sstyle=|\son[a-z]+=["'{]|javascript:""")
    assert [str(path) for path in app_files() if pattern.search(text(path))] == []


def test_times_come_from_django():
    """timezone.now() is aware of its zone, and one name to replace in a test."""
    found = [
        where(path, node)
        for path in app_files()
        for node in nodes(path, ast.Call)
        if is_named(node, "utcnow", "utcfromtimestamp", "today")
    ]
    assert found == []


def test_every_app_is_under_the_import_rules():
    """A new app goes into root_packages, `containers` and the two contracts that name their sources."""
    linter = text("pyproject.toml").partition("[tool.importlinter]")[2].partition("[tool.djlint]")[0]
    for app in existing_apps():
        assert linter.count(f'"{app}"') >= 4, f"{app} is missing in [tool.importlinter] of pyproject.toml"


def test_the_top_level_is_given():
    """architecture.md, "The tree"."""
    top = {path.parts[0] for path in repository_files()}
    assert top - {*TOP_LEVEL.split(), *APPS} == set()
