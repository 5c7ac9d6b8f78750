"""The house rule of SQL: it is written out, and its values are parameters. Read from the source."""

import ast

import pytest

from tests.meta.test_house_rules import bound, is_named, where
from tests.meta.tree import app_files, functions, nodes, tree

LEFT_OUT = {"oms/walls.py", "oms/rekeying.py"}  # operations of migrations build tables from models
FROM_QUERYSETS = {"oms/selects.py"}  # the SQL that Django writes, its values as parameters


def is_constant(node, function, path, seen=frozenset()):
    """SQL that is written out: a literal, a constant of a module, psycopg's SQL, or put together of these only.

    A small name is what the function says of it: by what it is set to, what it loops over, or as what it is declared.
    `seen` are the names that are being looked at: what is set to more of itself is as constant as the rest.
    """
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.BinOp):
        return all(is_constant(part, function, path, seen) for part in (node.left, node.right))
    if isinstance(node, ast.IfExp):
        return all(is_constant(part, function, path, seen) for part in (node.body, node.orelse))
    if isinstance(node, ast.Tuple | ast.List):
        return all(is_constant(part, function, path, seen) for part in node.elts)
    if isinstance(node, ast.Subscript):
        return is_constant(node.value, function, path, seen)
    if name_of(node) in seen or is_psycopgs(node, function, path, seen):
        return True
    if name_of(node).isupper():
        return is_of_a_module(node, function, path)
    values = set_to(node, function)
    return bool(values) and all(is_constant(value, function, path, seen | {node.id}) for value in values)


def is_psycopgs(node, function, path, seen):
    """psycopg's SQL, which `format` and `join` complete by what is quoted, or is such SQL itself.

    So a text gets into it only where it is made: there it must be constant, see `unwritten`.
    """
    if isinstance(node, ast.Call):
        is_completed = isinstance(node.func, ast.Attribute) and node.func.attr in {"format", "join"}
        if is_completed:
            return is_psycopgs(node.func.value, function, path, seen)
        return is_named(node, "SQL") or returns_sql(node, path)
    if values := set_to(node, function):
        return node.id in seen or all(is_psycopgs(value, function, path, seen | {node.id}) for value in values)
    declared = [a.annotation for a in function.args.args if a.arg == name_of(node)] if function else []
    return any(is_named(each, "SQL", "Composable", "Composed") for each in declared if each)


def name_of(node):
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def set_to(node, function):
    """What the function sets a small name to, adds to it, or loops over for it."""
    if not isinstance(node, ast.Name) or node.id.isupper() or function is None:
        return []
    kinds = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.For, ast.comprehension)
    sets = [n for n in ast.walk(function) if isinstance(n, kinds) and node.id in named_in(n)]
    return [value for n in sets if (value := getattr(n, "iter", None) or n.value) is not None]


def named_in(node):
    """The names that an assignment or a loop sets."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}


def is_of_a_module(node, function, path):
    """Whether a name in capitals is bound by a module, this one or an imported one, and by nothing nearer."""
    while isinstance(node, ast.Attribute):
        node = node.value
    here = set()
    if function is not None:
        here = {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)}
        here |= {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    known = {name for statement in tree(path).body for name in bound(statement)}
    return isinstance(node, ast.Name) and node.id in known - here


def returns_sql(value, path):
    """Whether a call is of a function of the same module that declares to return psycopg's SQL (and its values)."""
    found = [f for f in functions(path) if isinstance(value, ast.Call) and is_named(value, f.name)]
    return bool(found) and "Composed" in ast.unparse(found[0].returns)


def calls(path):
    """Each call of a file with the innermost function around it, None for the module's own."""
    inner = {}
    for function in functions(path):  # an outer one comes before those in it
        inner.update(dict.fromkeys((n for n in ast.walk(function) if isinstance(n, ast.Call)), function))
    return [(call, inner.get(call)) for call in nodes(path, ast.Call)]


def is_executed(call):
    return is_named(call, "execute", "executemany") or (
        is_named(call, "copy") and "cursor" in ast.unparse(call.func).lower()
    )


def unwritten(path):
    """What is executed in a file, or made psycopg's SQL, and is not written out."""
    return [
        f"{where(path, call)}: {ast.unparse(call)[:100]}"
        for call, function in calls(path)
        if call.args
        if is_executed(call) or (is_named(call, "SQL") and str(path) not in FROM_QUERYSETS)
        if not is_constant(call.args[0], function, path)
    ]


def test_sql_is_written_out_and_its_values_are_parameters():
    """Nor is the sandbox looked at, a program of its own with SQLite."""
    files = [path for path in app_files() if str(path) not in LEFT_OUT and "sandbox" not in path.parts]
    assert [fault for path in files for fault in unwritten(path)] == []


BEFORE = """
from psycopg import sql
from elsewhere import FOREIGN, queries
OWN = "SELECT 1"

def run(cursor, typed, SORT, given: sql.Composed, name: str):
"""
WRITTEN = [
    'cursor.execute("SELECT %s", [typed])',
    "cursor.execute(OWN)",
    "cursor.execute(FOREIGN)",
    "cursor.execute(queries.ALL)",
    "cursor.execute(given)",
    'cursor.execute(sql.SQL("SELECT {} {}").format(sql.Identifier(name), typed))',
    'cursor.execute(sql.SQL(" ").join([sql.SQL(OWN), given]))',
    'text = "SELECT "; text += OWN; cursor.execute(text)',
    'text = sql.SQL("a" if typed else "b"); cursor.execute(text.format(name))',
]
UNWRITTEN = [
    "cursor.execute(typed)",
    'cursor.execute(f"SELECT {typed}")',
    'cursor.execute("SELECT {}".format(typed))',
    'cursor.execute("SELECT " + typed)',
    "cursor.execute(sql.SQL(typed))",
    'cursor.execute(sql.SQL("SELECT {}").format(sql.SQL(typed)))',
    'cursor.execute(sql.SQL("SELECT {x}").format(x=sql.SQL(typed)))',
    'cursor.execute(sql.SQL(" ").join([sql.SQL("a"), sql.SQL(typed)]))',
    'cursor.execute(sql.SQL(" ").join(sql.SQL(each) for each in typed))',
    'part = sql.SQL(typed); cursor.execute(sql.SQL("SELECT {}").format(part))',
    'blank = " "; cursor.execute(blank.join(["SELECT", typed]))',
    'text = "SELECT {}"; cursor.execute(text.format(typed))',
    "cursor.execute(SORT)",
    "cursor.execute(sql.SQL(SORT))",
    "LOCAL = typed; cursor.execute(LOCAL)",
    "cursor.execute(UNKNOWN)",
    'text = "SELECT "; text += typed; cursor.execute(text)',
    'text = "SELECT "; text = text + typed; cursor.execute(text)',
    "cursor.execute(text := typed)",
    "cursor.execute(typed.SORT)",
]


@pytest.mark.parametrize("line", [*WRITTEN, *UNWRITTEN])
def test_the_rule_has_no_holes(tmp_path, line):
    path = tmp_path / "module.py"
    path.write_text(f"{BEFORE}    {line}\n")
    assert bool(unwritten(path)) == (line in UNWRITTEN)
