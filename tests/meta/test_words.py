"""Every word that a user sees goes through gettext, in templates and in Python."""

import ast
import re
from pathlib import Path

import pytest

from oms.ui.audit import ACTIONS, KINDS, words_of
from tests.meta.tree import app_files, functions, nodes, templates, text

LETTERS = re.compile(r"[^\W\d_]{2}")

# --- templates --------------------------------------------------------------------------------------------------------
ALLOWED = re.compile("Lotline")  # its name is the same in every language
ATTRIBUTES = ("title", "aria-label", "aria-description", "placeholder", "alt", "label")
NO_WORDS = re.compile(
    r"""
    \{\#.*?\#\} | \{%\s*comment\b.*?endcomment\s*%\}        # for who reads the source
    | \{%\s*blocktranslate\b.*?endblocktranslate\s*%\}
    | \{%\s*block\s+main_class\b.*?endblock[^%]*%\}         # a class of the page, not a word of it
    | <(script|style)\b.*?</\1>
    """,
    re.VERBOSE | re.DOTALL,
)
CODE = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
TAG = re.compile(r"""<(?:"[^"]*"|'[^']*'|[^"'>])*>""", re.DOTALL)
ENTITY = re.compile(r"&\w+;")
ATTRIBUTE = re.compile(rf"""(?<![\w-])(?:{"|".join(ATTRIBUTES)})\s*=\s*(["'])(.*?)\1""", re.DOTALL)
# Words that a template hands on: {% include … with label="Cancel" %}.
HANDED_ON = re.compile(r"""\b(?:label|title|text|hint|caption|placeholder|how)=(["'])(.*?)\1""")


def has_words(said):
    return LETTERS.search(ALLOWED.sub("", said))


def blank(match):
    """Nothing, on as many lines."""
    return re.sub(r"[^\n]", " ", match[0])


def words_in(source):
    """(line, text) of everything a template says without a translation."""
    source = NO_WORDS.sub(blank, source)
    handed_on = [
        (code.start() + m.start(), m[2]) for code in CODE.finditer(source) for m in HANDED_ON.finditer(code[0])
    ]
    source = CODE.sub(blank, source)
    attributes = [(m.start(), m[2]) for tag in TAG.finditer(source) for m in _attributes(source, tag)]
    said = [(m.start(), m[0]) for m in re.finditer(r"[^\n]+", ENTITY.sub(blank, TAG.sub(blank, source)))]
    found = ((source.count("\n", 0, at) + 1, " ".join(words.split())) for at, words in handed_on + attributes + said)
    return sorted((line, words) for line, words in found if has_words(words))


def _attributes(source, tag):
    return ATTRIBUTE.finditer(source, tag.start(), tag.end())


def test_templates_say_nothing_untranslated():
    found = [f"{path}:{line}: {words}" for path in templates() for line, words in words_in(text(path))]
    assert found == [], "\n".join(found)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>\nHello {{ name }}</p>", [(2, "Hello")]),
        ('<p title="Hello">1</p>', [(1, "Hello")]),
        ('<a href="{{ url }}"\n   aria-label="Go {% if x %}on{% endif %}">›</a>', [(2, "Go on")]),
        ("{% include 'x.html' with label=\"Cancel\" %}", [(1, "Cancel")]),
        ("{% if a %}Yes{% else %}{% translate 'No' %}{% endif %}", [(1, "Yes")]),
        ('<td hx-target="next tr > td" data-title="x">Bin</td>', [(1, "Bin")]),
        ("{% comment %}\nwords\n{% endcomment %}{# words #}<script>words</script>", []),
        ("{% blocktranslate %}Words{% endblocktranslate %} <b class='words'>&nbsp;·</b> {{ x|default:_('None') }}", []),
        ('<p aria-label="{% translate "Words" %}"><kbd>f</kbd> Lotline · 1</p>', []),
    ],
)
def test_the_scanner_sees_words_and_only_words(source, expected):
    assert [(line, " ".join(words.split())) for line, words in words_in(source)] == expected


# --- Python -----------------------------------------------------------------------------------------------------------
# Said to whoever installs or develops, in the language of the source; the sandbox is another company's system.
NOT_FOR_USERS = ("oms/bootstrap.py", "oms/embedded/", "oms/checks.py", "oms/smoke", "channels_sync/sandbox/")
NAMED = {
    *("label", "help_text", "verbose_name", "verbose_name_plural", "empty_label", "placeholder", "aria-label"),
    *("title", "text", "how", "link_label", "message", "error", "summary", "caption", "page_title", "count_text"),
}


def is_for_users(path):
    return not str(path).startswith(NOT_FOR_USERS) and "management" not in path.parts


def refusals():
    """The names of all errors whose message is shown: these, and what inherits from them."""
    found = {"DomainError", "ValidationError", "SyncError", "BadSerial"}
    classes = [c for path in app_files() for c in nodes(path, ast.ClassDef)]
    while more := {c.name for c in classes if {ast.unparse(base) for base in c.bases} & found} - found:
        found |= more
    return found


def is_bare(value):
    """A literal with words in it, as it is or filled in."""
    if isinstance(value, ast.BinOp):
        return is_bare(value.left) or is_bare(value.right)
    if isinstance(value, ast.IfExp):
        return is_bare(value.body) or is_bare(value.orelse)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):  # "…".format(), "…".strip()
        return is_bare(value.func.value)
    parts = value.values if isinstance(value, ast.JoinedStr) else [value]
    return any(isinstance(p, ast.Constant) and isinstance(p.value, str) and has_words(p.value) for p in parts)


def said_by_calls(path, shown):
    """The first word of a refusal, the text of a message, and whatever is named like words."""
    for call in nodes(path, ast.Call):
        called = ast.unparse(call.func)
        if called.rpartition(".")[2] in shown:
            yield from call.args[:1]
        if called.startswith("messages."):
            yield from call.args[1:]
        yield from (keyword.value for keyword in call.keywords if keyword.arg in NAMED)


def said_by_names(path):
    """{"label": …} and `label = …` in a class."""
    for each in nodes(path, ast.Dict):
        keys = (getattr(key, "value", None) for key in each.keys)
        yield from (value for key, value in zip(keys, each.values, strict=True) if key in NAMED)
    for owner in nodes(path, ast.ClassDef):
        for line in owner.body:
            targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
            if {getattr(target, "id", None) for target in targets} & NAMED:
                yield line.value


def bare_words(path, shown):
    values = [*said_by_calls(path, shown), *said_by_names(path)]
    return sorted({f"{path}:{value.lineno}: {ast.unparse(value)}" for value in values if value and is_bare(value)})


def test_python_says_nothing_untranslated():
    shown = refusals()
    assert {"Conflict", "Blocked", "CannotSubmit", "Retry", "Rejected", "Misconfigured"} <= shown
    found = [words for path in app_files() if is_for_users(path) for words in bare_words(path, shown)]
    assert found == [], "\n".join(found)


SOURCE = """
class Rule(DomainError): pass
class Form:
    name = CharField(label="Bad 1", help_text=_("good"), attrs={"placeholder": "Bad 2", "class": "good"})
    class Meta:
        verbose_name = "Bad 3"
def view(request):
    messages.success(request, f"Bad {4}")
    messages.success(request, _("good %s") % "x", extra_tags="good")
    raise Rule("Bad %s" % 5) if request else Conflict(_("good"), "good")
    raise Rule(f"Bad {6}".strip()) if request else Rule((_("good %s") % 7).strip())
"""


def test_the_python_scanner_sees_words_and_only_words(tmp_path):
    file = tmp_path / "views.py"
    file.write_text(SOURCE)
    found = [line.removeprefix(f"{file}:").partition(":")[0] for line in bare_words(file, {"Rule", "Conflict"})]
    assert found == ["10", "11", "4", "4", "6", "8"]


# --- the audit log ----------------------------------------------------------------------------------------------------
def audit_calls(path):
    """The calls that write audit rows, each with the function that they stand in."""
    for function in functions(path):
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in {"audit.record", "audit.entry"}:
                yield function, {keyword.arg: keyword.value for keyword in call.keywords}


def handed_to(path, function, name):
    """What calls in the same file give to an argument of a function."""
    calls = [call for call in nodes(path, ast.Call) if ast.unparse(call.func) == function.name]
    if name in {argument.arg for argument in function.args.kwonlyargs}:
        return [keyword.value for call in calls for keyword in call.keywords if keyword.arg == name]
    position = [argument.arg for argument in function.args.args].index(name)
    return [call.args[position] for call in calls]


def codes(path, argument):
    """The literals that become `action` or `kind` of audit rows."""
    values = [(function, call[argument]) for function, call in audit_calls(path)]
    found = [
        literal
        for function, value in values
        for literal in (handed_to(path, function, value.id) if isinstance(value, ast.Name) else [value])
    ]
    assert all(isinstance(literal, ast.Constant) for literal in found), f"{path}: not a literal {argument}"
    return {literal.value for literal in found}


def is_pair(value):
    """(before, after)"""
    return isinstance(value, ast.Tuple) and len(value.elts) == 2


def changed_fields(path):
    """The keys of {"field": (before, after)}, of changes["field"] = (before, after), and of what `_said` gives."""
    dicts = [each for each in nodes(path, ast.Dict) if each.values and all(map(is_pair, each.values))]
    dicts += [each for f in functions(path) if f.name == "_said" for each in ast.walk(f) if isinstance(each, ast.Dict)]
    keys = [key for each in dicts for key in each.keys if key is not None]
    keys += [
        target.slice for line in nodes(path, ast.Assign) if is_pair(line.value)
        for target in line.targets if isinstance(target, ast.Subscript)
    ]  # fmt: skip
    return {key.value for key in keys if isinstance(key, ast.Constant)}


def test_the_audit_log_has_words_for_all_that_is_written_there():
    writers = [path for path in app_files() if any(audit_calls(path))]
    assert len(writers) >= 8, "this test has lost sight of who writes audit rows"
    unknown = []
    for path in writers:
        kinds = codes(path, "kind")
        unknown += [f"{path}: action {code!r}" for code in codes(path, "action") - ACTIONS.keys()]
        unknown += [f"{path}: kind {code!r}" for code in kinds - KINDS.keys()]
        unknown += [
            f"{path}: field {name!r}" for name in changed_fields(path) if not any(words_of(k, name) for k in kinds)
        ]
    assert unknown == [], "\n".join(unknown)
    assert {"seconds", "default bin"} <= changed_fields(Path("channels_sync/services/connections.py"))


def test_settings_of_connections_have_the_names_of_their_forms_in_the_audit_log():
    assert [str(words_of("connection", name)) for name in ("url", "client", "nonsense")] == ["Address", "Client", ""]
