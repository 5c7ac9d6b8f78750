"""What PostgreSQL's catalogue says of every account table: each of the three walls, by name (docs/adr/0002).

A rule asks once for all tables, and its failure names every table that breaks it.
"""

from collections import defaultdict

import pytest
from django.apps import apps
from django.db import connection, models

from oms.models import Account
from oms.tenancy import AccountKey, AccountManager, AccountModel
from oms.walls import PARTITIONS
from tests.meta.tree import our_models

ACCOUNT_MODELS = [model for model in apps.get_models(include_auto_created=True) if issubclass(model, AccountModel)]
OTHER_MODELS = [model for model in our_models() if not issubclass(model, AccountModel)]
POLICY = "(account_id = (NULLIF(current_setting('lotline.account'::text, true), ''::text))::bigint)"

# Tables of no account, each with the reason. A new one is a decision, so it fails here first.
PLATFORM = {
    "oms_account": "the tenants themselves",
    "oms_person": "one person works in many accounts",
    "oms_membership": "read before an account is entered, and across a person's accounts",
    "oms_warehouse": "serves many accounts; only its name",
    "oms_due": "what the dispatcher reads: account id, kind, time",
    "oms_round": "when each kind of work was last made due for everybody: kind, time",
    "oms_installation": "its id and epoch, which a restore moves on; the app may only read it",
}
HAS_ACCOUNT_ID = {"oms_membership", "oms_due"}
FRAMEWORK = ("django_", "auth_", "axes_")

TABLES = [model._meta.db_table for model in ACCOUNT_MODELS]
VIEWS = [f"{table}_v" for table in TABLES]
RIGHTS = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"]
pytestmark = pytest.mark.django_db


def ask(sql, *params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def names(sql, *params):
    """The first column of what `sql` finds."""
    return [row[0] for row in ask(sql, *params)]


def relations(*kinds):
    """What is in the schema, by kind: r table, p partitioned table, v view."""
    return names(
        "SELECT relname FROM pg_class WHERE relkind = ANY(%s) AND relnamespace = 'public'::regnamespace", list(kinds)
    )


def grouped(sql, *params):
    """The first column of what `sql` finds → the rest of its rows, in order."""
    found = defaultdict(list)
    for key, *rest in ask(sql, *params):
        found[key].append(tuple(rest))
    return found


def columns(relations):
    """Table or view → (name, type) of its columns, in order."""
    return grouped(
        "SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = ANY(%s::regclass[]) AND attnum > 0 AND NOT attisdropped ORDER BY attrelid, attnum",
        relations,
    )


def rights(relations):
    """Relation → what the app's role may do, by grants to itself or to everybody."""
    found = ask(
        "SELECT name, right_, has_table_privilege('lotline_app', name, right_) FROM unnest(%s::text[]) AS n (name),"
        " unnest(%s::text[]) AS r (right_)",
        list(relations),
        RIGHTS,
    )
    has = {(name, right) for name, right, is_given in found if is_given}
    return {name: {right for right in RIGHTS if (name, right) in has} for name in relations}


def partitions():
    """Table → its partitions."""
    found = grouped("SELECT inhparent::regclass::text, inhrelid::regclass::text FROM pg_inherits")
    return {table: [part for (part,) in found[table]] for table in TABLES}


def append_only():
    triggers = ask("SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgname LIKE '%%_append_only'")
    return {table for table, name in triggers if name == f"{table}_append_only"}


def references():
    """Every foreign key: {(table, own columns, target, its columns)}, all deferred to the commit."""
    rows = ask(
        """
        SELECT conrelid::regclass::text, confrelid::regclass::text, condeferrable AND condeferred,
               ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY k (n, i)
                     JOIN pg_attribute ON attrelid = conrelid AND attnum = n ORDER BY i),
               ARRAY(SELECT attname::text FROM unnest(confkey) WITH ORDINALITY k (n, i)
                     JOIN pg_attribute ON attrelid = confrelid AND attnum = n ORDER BY i)
        FROM pg_constraint WHERE contype = 'f' AND convalidated
        """
    )
    assert [(table, target) for table, target, is_deferred, _own, _theirs in rows if not is_deferred] == []
    return {(table, tuple(own), target, tuple(theirs)) for table, target, _is_deferred, own, theirs in rows}


def account_keys(model):
    return [field for field in model._meta.local_fields if isinstance(field, AccountKey)]


def test_there_are_account_models():
    assert len(ACCOUNT_MODELS) > 10


# --- wall two ---------------------------------------------------------------------------------------------------------
def test_row_level_security_is_on_and_says_one_thing():
    switches = grouped(
        "SELECT oid::regclass::text, relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = ANY(%s::regclass[])",
        TABLES,
    )
    assert switches == {table: [(True, False)] for table in TABLES}
    policies = grouped(
        "SELECT tablename, policyname, permissive, roles::text[], cmd, qual, with_check FROM pg_policies"
        " WHERE tablename = ANY(%s)",
        TABLES,
    )
    assert policies == {table: [("account", "PERMISSIVE", ["public"], "ALL", POLICY, POLICY)] for table in TABLES}


def test_the_app_may_do_just_enough():
    history = append_only()
    reads, appends, writes = {"SELECT"}, {"SELECT", "INSERT"}, {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert rights(TABLES) == {table: appends if table in history else writes for table in TABLES}
    assert rights(VIEWS) == dict.fromkeys(VIEWS, reads)
    by_column = ask(
        "SELECT table_name, column_name FROM information_schema.column_privileges WHERE grantee <> 'lotline_owner'"
        " AND table_name = ANY(%s) AND NOT has_table_privilege('lotline_app', table_name, privilege_type)",
        TABLES,
    )
    assert by_column == []


def test_partitions_are_out_of_reach():
    found = partitions()
    assert {table: len(parts) for table, parts in found.items() if len(parts) not in {0, PARTITIONS}} == {}
    parts = [part for of_table in found.values() for part in of_table]
    assert rights(parts) == {part: set() for part in parts}


def test_the_view_shows_the_whole_row_and_filters_by_account():
    shown, there = columns(VIEWS), columns(TABLES)
    assert {table: shown[f"{table}_v"] for table in TABLES} == there
    for model in ACCOUNT_MODELS:
        table = model._meta.db_table
        missing = {field.column for field in model._meta.local_fields} - {name for name, _type in there[table]}
        assert missing == set(), table
    definitions = grouped(
        "SELECT oid::regclass::text, pg_get_viewdef(oid), reloptions FROM pg_class WHERE oid = ANY(%s::regclass[])",
        VIEWS,
    )
    assert set(definitions) == set(VIEWS)
    unfiltered = {view for view, ((text, _),) in definitions.items() if not text.rstrip().endswith(f"WHERE {POLICY};")}
    assert unfiltered == set()
    # Neither security_barrier (no index for LIKE) nor security_invoker.
    assert {view: options for view, ((_, options),) in definitions.items() if options is not None} == {}


def test_everything_belongs_to_the_owner():
    found = names(
        "SELECT c.relname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner"
        " WHERE relnamespace = 'public'::regnamespace AND r.rolname <> 'lotline_owner'"
    )
    assert found == []


def test_the_app_may_not_truncate_anything_or_hand_on_rights():
    too_much = {"TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"}
    assert {table: has & too_much for table, has in rights(relations(*"rpvmf")).items() if has & too_much} == {}
    granted = names(
        "SELECT table_name FROM information_schema.table_privileges WHERE table_schema = 'public'"
        " AND (grantee = 'PUBLIC' OR grantee = 'lotline_app' AND is_grantable = 'YES')"
    )
    assert granted == []


def test_no_function_of_the_owner_lends_its_rights():
    assert names("SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace") == []


# --- wall three -------------------------------------------------------------------------------------------------------
def test_the_key_is_account_and_id():
    found = grouped(
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'p' AND conrelid = ANY(%s::regclass[])",
        TABLES,
    )
    assert found == {table: [("PRIMARY KEY (account_id, id)",)] for table in TABLES}


def test_every_index_starts_with_the_account():
    """Unique ones so that accounts do not meet, all of them so that the big tables can be spread by account."""
    found = names(
        "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = ANY(%s::regclass[]) AND indkey[0] <>"
        " (SELECT attnum FROM pg_attribute WHERE attrelid = indrelid AND attname = 'account_id')",
        TABLES,
    )
    assert found == []


def test_every_key_is_a_composite_reference():
    there, parts = references(), partitions()
    missing = []
    for model in ACCOUNT_MODELS:
        table = model._meta.db_table
        for key in account_keys(model):
            target = key.related_model._meta.db_table
            wanted = {(table, target)}
            if parts[table] and _reference(table, key.column, target) not in there:  # then part to part
                wanted = {(part, part.replace(table, target)) for part in parts[table]}
            all_wanted = {_reference(source, key.column, goal) for source, goal in wanted}
            missing += sorted(all_wanted - there)
    assert missing == []


def _reference(source, column, goal):
    return (source, ("account_id", column), goal, ("account_id", "id"))


def test_the_account_exists():
    """By a reference of its own, or by the chain of references that are never null."""
    there = references()
    unproven = [
        model._meta.db_table
        for model in ACCOUNT_MODELS
        if (model._meta.db_table, ("account_id",), "oms_account", ("id",)) not in there
        and all(key.null for key in account_keys(model))
    ]
    assert unproven == []


def test_references_between_account_models_are_account_keys():
    fields = [field for model in ACCOUNT_MODELS for field in model._meta.local_fields if field.is_relation]
    plain = [
        f"{field.model._meta.label}.{field.name}"
        for field in fields
        if not isinstance(field, AccountKey) and issubclass(field.related_model, AccountModel)
    ]
    assert plain == []
    keys = [key for model in ACCOUNT_MODELS for key in account_keys(model)]
    astray = [f"{key.model._meta.label}.{key.name}" for key in keys if not issubclass(key.related_model, AccountModel)]
    assert astray == []
    through = [field.remote_field.through for model in ACCOUNT_MODELS for field in model._meta.local_many_to_many]
    assert [made for made in through if not issubclass(made, AccountModel)] == []


def test_no_platform_row_points_into_an_account():
    found = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models(include_auto_created=True)
        if not issubclass(model, AccountModel)
        for field in [*model._meta.local_fields, *model._meta.local_many_to_many]
        if field.is_relation and field.related_model and issubclass(field.related_model, AccountModel)
    ]
    assert found == []


# --- wall one ---------------------------------------------------------------------------------------------------------
def test_every_way_to_the_rows_is_scoped():
    for model in ACCOUNT_MODELS:
        meta, name = model._meta, model._meta.label
        assert (meta.base_manager_name, meta.default_manager_name) == ("objects", "objects"), name
        ways = {type(manager) for manager in [*meta.managers, meta.base_manager, meta.default_manager]}
        assert ways == {AccountManager}, name
        assert not meta.proxy, name
        assert not meta.parents, name


def test_nothing_of_the_wall_is_overridden():
    overridden = [
        f"{model._meta.label}.{name}"
        for model in ACCOUNT_MODELS
        for name in ("save", "delete", "__reduce__")
        if getattr(model, name) is not getattr(AccountModel, name)
    ]
    assert overridden == []
    accounts = {model._meta.label: model._meta.get_field("account") for model in ACCOUNT_MODELS}
    facts = {name: (field.related_model, field.null, field.editable) for name, field in accounts.items()}
    assert facts == dict.fromkeys(facts, (Account, False, False))


# --- nothing is left out ----------------------------------------------------------------------------------------------
def test_every_table_is_an_account_table_or_a_named_exception():
    known = {model._meta.db_table for model in ACCOUNT_MODELS}
    parts = {part for of_table in partitions().values() for part in of_table}
    rest = set(relations(*"rpvmf")) - known - set(VIEWS) - parts
    assert {name for name in rest if not name.startswith(FRAMEWORK)} == set(PLATFORM)
    assert {model._meta.db_table for model in OTHER_MODELS} == set(PLATFORM)


def test_every_table_with_an_account_is_walled():
    found = names(
        "SELECT attrelid::regclass::text FROM pg_attribute JOIN pg_class c ON c.oid = attrelid"
        " WHERE attname = 'account_id' AND relkind IN ('r', 'p') AND NOT relispartition AND NOT attisdropped"
    )
    assert set(found) - {model._meta.db_table for model in ACCOUNT_MODELS} == HAS_ACCOUNT_ID


# A text on a platform table could be read from every account. There are few, and these.
TEXTS = {
    "oms_account": {"name", "slug", "time_zone"},
    "oms_person": {"password", "email", "name", "theme", "density"},
    "oms_membership": {"role", "invited_name"},
    "oms_warehouse": {"name"},
    "oms_due": {"kind"},
    "oms_round": {"kind"},
    "oms_installation": set(),
}


def test_the_app_cannot_begin_an_epoch():
    assert rights(["oms_installation"]) == {"oms_installation": {"SELECT"}}


def test_platform_rows_hold_no_business_data():
    kinds = models.CharField | models.TextField | models.JSONField
    found = {
        model._meta.db_table: {field.name for field in model._meta.local_fields if isinstance(field, kinds)}
        for model in OTHER_MODELS
    }
    assert found == TEXTS
