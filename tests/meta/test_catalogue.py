"""What PostgreSQL's catalogue says of every account table: each of the three walls, by name (docs/adr/0002)."""

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
    "oms_installation": "its id and epoch, which a restore moves on; the app may only read it",
}
HAS_ACCOUNT_ID = {"oms_membership", "oms_due"}
FRAMEWORK = ("django_", "auth_", "axes_")

every_account_model = pytest.mark.parametrize("model", ACCOUNT_MODELS, ids=lambda model: model._meta.db_table)
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


def columns(relation):
    """(name, type) of a table or view, in order."""
    return ask(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        relation,
    )


def rights(relation):
    """What the app's role may do, by grants to itself or to everybody."""
    return {
        name
        for name in "SELECT INSERT UPDATE DELETE TRUNCATE REFERENCES TRIGGER MAINTAIN".split()  # noqa: SIM905
        for (has,) in ask("SELECT has_table_privilege('lotline_app', %s, %s)", relation, name)
        if has
    }


def partitions(table):
    return names("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", table)


def is_append_only(table):
    return bool(names("SELECT tgname FROM pg_trigger WHERE tgname = %s", f"{table}_append_only"))


def references(table):
    """The foreign keys of a table: {(own columns, target, its columns)}, all deferred to the commit."""
    rows = ask(
        """
        SELECT confrelid::regclass::text, condeferrable AND condeferred,
               ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY k (n, i)
                     JOIN pg_attribute ON attrelid = conrelid AND attnum = n ORDER BY i),
               ARRAY(SELECT attname::text FROM unnest(confkey) WITH ORDINALITY k (n, i)
                     JOIN pg_attribute ON attrelid = confrelid AND attnum = n ORDER BY i)
        FROM pg_constraint WHERE contype = 'f' AND conrelid = %s::regclass AND convalidated
        """,
        table,
    )
    assert all(is_deferred for _target, is_deferred, _own, _theirs in rows)
    return {(tuple(own), target, tuple(theirs)) for target, _is_deferred, own, theirs in rows}


def account_keys(model):
    return [field for field in model._meta.local_fields if isinstance(field, AccountKey)]


def test_there_are_account_models():
    assert len(ACCOUNT_MODELS) > 10


# --- wall two ---------------------------------------------------------------------------------------------------------
@every_account_model
def test_row_level_security_is_on_and_says_one_thing(model):
    table = model._meta.db_table
    switches = ask("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass", table)
    assert switches == [(True, False)]
    policies = (
        "SELECT policyname, permissive, roles::text[], cmd, qual, with_check FROM pg_policies WHERE tablename = %s"
    )
    assert ask(policies, table) == [("account", "PERMISSIVE", ["public"], "ALL", POLICY, POLICY)]


@every_account_model
def test_the_app_may_do_just_enough(model):
    table = model._meta.db_table
    writes = {"INSERT"} if is_append_only(table) else {"INSERT", "UPDATE", "DELETE"}
    assert rights(table) == {"SELECT"} | writes
    assert rights(f"{table}_v") == {"SELECT"}
    by_column = names(
        "SELECT column_name FROM information_schema.column_privileges WHERE grantee <> 'lotline_owner'"
        " AND table_name = %s AND NOT has_table_privilege('lotline_app', table_name, privilege_type)",
        table,
    )
    assert by_column == []


@every_account_model
def test_partitions_are_out_of_reach(model):
    parts = partitions(model._meta.db_table)
    assert len(parts) in {0, PARTITIONS}
    assert {part: rights(part) for part in parts} == {part: set() for part in parts}


@every_account_model
def test_the_view_shows_the_whole_row_and_filters_by_account(model):
    table = model._meta.db_table
    shown = columns(f"{table}_v")
    assert shown == columns(table)
    assert {field.column for field in model._meta.local_fields} <= {name for name, _type in shown}
    query = "SELECT pg_get_viewdef(oid), reloptions FROM pg_class WHERE oid = %s::regclass"
    ((definition, options),) = ask(query, f"{table}_v")
    assert definition.rstrip().endswith(f"WHERE {POLICY};")
    assert options is None  # neither security_barrier (no index for LIKE) nor security_invoker


def test_everything_belongs_to_the_owner():
    found = names(
        "SELECT c.relname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner"
        " WHERE relnamespace = 'public'::regnamespace AND r.rolname <> 'lotline_owner'"
    )
    assert found == []


def test_the_app_may_not_truncate_anything_or_hand_on_rights():
    tables = relations(*"rpvmf")
    too_much = {"TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"}
    assert {table: rights(table) & too_much for table in tables} == {table: set() for table in tables}
    granted = names(
        "SELECT table_name FROM information_schema.table_privileges WHERE table_schema = 'public'"
        " AND (grantee = 'PUBLIC' OR grantee = 'lotline_app' AND is_grantable = 'YES')"
    )
    assert granted == []


def test_no_function_of_the_owner_lends_its_rights():
    assert names("SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace") == []


# --- wall three -------------------------------------------------------------------------------------------------------
@every_account_model
def test_the_key_is_account_and_id(model):
    found = ask(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p' AND conrelid = %s::regclass",
        model._meta.db_table,
    )
    assert found == [("PRIMARY KEY (account_id, id)",)]


@every_account_model
def test_every_index_starts_with_the_account(model):
    """Unique ones so that accounts do not meet, all of them so that the big tables can be spread by account."""
    found = ask(
        "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %s::regclass AND indkey[0] <>"
        " (SELECT attnum FROM pg_attribute WHERE attrelid = indrelid AND attname = 'account_id')",
        model._meta.db_table,
    )
    assert found == []


@every_account_model
def test_every_key_is_a_composite_reference(model):
    table = model._meta.db_table
    for key in account_keys(model):
        target = key.related_model._meta.db_table
        wanted = {(table, target)}
        if not _is_reference(table, key.column, target):  # then part to part
            wanted = {(part, part.replace(table, target)) for part in partitions(table)}
        assert wanted
        for source, goal in wanted:
            assert _is_reference(source, key.column, goal), f"{source}.{key.column} does not refer to {goal}"


def _is_reference(source, column, goal):
    return (("account_id", column), goal, ("account_id", "id")) in references(source)


@every_account_model
def test_the_account_exists(model):
    """By a reference of its own, or by the chain of references that are never null."""
    is_proven = (("account_id",), "oms_account", ("id",)) in references(model._meta.db_table)
    assert is_proven or any(not key.null for key in account_keys(model))


@every_account_model
def test_references_between_account_models_are_account_keys(model):
    plain = [
        field.name
        for field in model._meta.local_fields
        if field.is_relation and not isinstance(field, AccountKey) and issubclass(field.related_model, AccountModel)
    ]
    assert plain == []
    assert [key.name for key in account_keys(model) if not issubclass(key.related_model, AccountModel)] == []
    through = [field.remote_field.through for field in model._meta.local_many_to_many]
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
@every_account_model
def test_every_way_to_the_rows_is_scoped(model):
    meta = model._meta
    assert (meta.base_manager_name, meta.default_manager_name) == ("objects", "objects")
    assert {type(manager) for manager in [*meta.managers, meta.base_manager, meta.default_manager]} == {AccountManager}
    assert not meta.proxy
    assert not meta.parents


@every_account_model
def test_nothing_of_the_wall_is_overridden(model):
    for name in ("save", "delete", "__reduce__"):
        assert getattr(model, name) is getattr(AccountModel, name)
    account = model._meta.get_field("account")
    assert (account.related_model, account.null, account.editable) == (Account, False, False)


# --- nothing is left out ----------------------------------------------------------------------------------------------
def test_every_table_is_an_account_table_or_a_named_exception():
    known = {model._meta.db_table for model in ACCOUNT_MODELS}
    views = {f"{table}_v" for table in known}
    parts = {part for table in known for part in partitions(table)}
    rest = set(relations(*"rpvmf")) - known - views - parts
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
    "oms_installation": set(),
}


def test_the_app_cannot_begin_an_epoch():
    assert rights("oms_installation") == {"SELECT"}


@pytest.mark.parametrize("model", OTHER_MODELS, ids=lambda model: model._meta.db_table)
def test_platform_rows_hold_no_business_data(model):
    kinds = models.CharField | models.TextField | models.JSONField
    assert {field.name for field in model._meta.local_fields if isinstance(field, kinds)} == TEXTS[model._meta.db_table]
