"""Walls two and three, with wall one out of the way: raw SQL as the application's role, and as the owner.

`Crate` and `Mark` (tests/wallapp) are partitioned; `Mark` is append-only and points part to part.
"""

import re

import pytest
from django.core.management import call_command
from django.db import Error, IntegrityError, ProgrammingError, connection, connections, migrations, models, transaction
from django.db.migrations.optimizer import MigrationOptimizer

from oms.models import AuditEntry, Bin, Location, Sku, Stock, StockMove, WarehouseLink
from oms.tenancy import account_context
from oms.walls import PARTITIONS, CreateAccountModel
from tests.factories import make_sku, make_stock
from tests.wallapp.models import Crate, Mark, Tag, TagOfCrate

ACCOUNT_TABLES = [
    model._meta.db_table
    for model in (Sku, Bin, Location, Stock, StockMove, WarehouseLink, AuditEntry, Crate, Mark, Tag)
]

APPEND_ONLY = {"oms_stockmove", "oms_auditentry", "wallapp_mark"}


def ask(sql, *params):
    """Run SQL on the app's connection; its rows if it has any, else how many it touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params or None)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def refused(sql, *params, match="permission denied|row-level security|append-only|must be owner"):
    with pytest.raises(Error, match=match), transaction.atomic():
        ask(sql, *params)


def fill(account):
    """One row in each account table."""
    with account_context(account):
        place = make_stock(sku=make_sku(code="S"))
        crate = Crate.objects.create(sku=place.sku, code="C")
        Mark.objects.create(crate=crate, text="made")
        TagOfCrate.objects.create(tag=Tag.objects.create(name="T"), crate=crate)
    return crate


@pytest.fixture
def ours(account_a):
    """A crate of A, with one row in each table."""
    return fill(account_a)


@pytest.fixture
def theirs(account_b):
    """The same in B."""
    return fill(account_b)


@pytest.mark.parametrize("table", ACCOUNT_TABLES)
def test_select_sees_nothing_without_and_only_own_rows_within(account_a, ours, theirs, table):
    for source in (table, f"{table}_v"):
        assert ask(f"SELECT * FROM {source}") == []
        with account_context(account_a):
            assert {pk for (pk,) in ask(f"SELECT account_id FROM {source}")} == {account_a.pk}
            assert ask(f"SELECT count(*) FROM {source} WHERE account_id <> %s", account_a.pk) == [(0,)]
        assert ask(f"SELECT * FROM {source}") == []


@pytest.mark.parametrize("table", sorted({*ACCOUNT_TABLES} - APPEND_ONLY))
def test_update_and_delete_reach_no_foreign_row(account_a, account_b, ours, theirs, table):
    with account_context(account_a):
        assert ask(f"UPDATE {table} SET account_id = account_id WHERE account_id = %s", account_b.pk) == 0
        assert ask(f"DELETE FROM {table} WHERE account_id = %s", account_b.pk) == 0
        refused(f"UPDATE {table} SET account_id = %s", account_b.pk, match="row-level security")


@pytest.mark.parametrize("table", ["oms_sku", "wallapp_tag"])
def test_insert_into_another_account_is_refused(account_a, account_b, table):
    columns, values = (
        ("name", "'x'")
        if table == "wallapp_tag"
        else (
            "code, code_key, product_id, product_id_wh, name, gtin, workflow, version, created_at, updated_at",
            "'x', 'X', '', '', 'x', '', 'no', 1, now(), now()",
        )
    )
    insert = f"INSERT INTO {table} (account_id, {columns}) VALUES (%s, {values})"
    refused(insert, account_a.pk)  # no account at all
    with account_context(account_a):
        refused(insert, account_b.pk)
        assert ask(insert, account_a.pk) == 1
        refused(insert.replace(table, f"{table}_v", 1), account_a.pk)  # not even our own through the view
        refused(f"INSERT INTO wallapp_crate (account_id, sku_id, code) VALUES ({account_b.pk}, 1, 'x')")


@pytest.mark.parametrize("table", ["wallapp_crate", "wallapp_mark"])
@pytest.mark.parametrize("verb", ["SELECT * FROM", "DELETE FROM", "INSERT INTO", "UPDATE", "LOCK TABLE", "COPY"])
def test_no_partition_is_reachable_by_name(account_a, ours, table, verb):
    tail = {"INSERT INTO": " DEFAULT VALUES", "UPDATE": " SET id = 1", "COPY": " TO STDOUT"}.get(verb, "")
    with account_context(account_a):
        for part in range(PARTITIONS):
            refused(f"{verb} {table}_p{part}{tail}", match="permission denied|row-level")


@pytest.mark.parametrize(
    "attack",
    [
        "TRUNCATE {t}",
        "TRUNCATE {t} CASCADE",
        "ALTER TABLE {t} DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE {t} NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY account ON {t}",
        "CREATE POLICY open ON {t} USING (true)",
        "ALTER TABLE {t} DISABLE TRIGGER ALL",
        "DROP TABLE {t} CASCADE",
        "DROP VIEW {t}_v",
        "ALTER VIEW {t}_v OWNER TO lotline_app",
        "CREATE OR REPLACE VIEW {t}_v AS SELECT * FROM {t}",
        "ALTER TABLE {t} OWNER TO lotline_app",
        "CREATE RULE open AS ON SELECT TO {t} DO INSTEAD SELECT 1",
        "COPY {t} FROM STDIN",
    ],
)
def test_the_app_cannot_take_the_wall_down(in_a, attack):
    for table in ACCOUNT_TABLES:
        with pytest.raises(Error), transaction.atomic():
            ask(attack.format(t=table))


@pytest.mark.parametrize("grantee", ["PUBLIC", "lotline_app"])
def test_the_app_cannot_grant_anything(db, grantee):
    """PostgreSQL answers with a warning, so look at what came of it. Temporary tables are the app's own."""
    ask(f"GRANT ALL ON {', '.join(ACCOUNT_TABLES)} TO {grantee}")
    privileges = "SELECT count(*) FROM information_schema.table_privileges WHERE table_schema NOT LIKE 'pg_temp%'"
    assert ask(f"{privileges} AND privilege_type = 'TRUNCATE'") == [(0,)]
    assert ask(f"{privileges} AND is_grantable = 'YES'") == [(0,)]


@pytest.mark.parametrize(
    "attack",
    [
        "SET ROLE lotline_owner",
        "SET SESSION AUTHORIZATION lotline_owner",
        "ALTER ROLE lotline_app BYPASSRLS",
        "ALTER ROLE lotline_app SUPERUSER",
        "GRANT lotline_owner TO lotline_app",
        "CREATE ROLE intruder",
        "CREATE TABLE public.mine (id int)",
        "CREATE FUNCTION public.leak() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE EXTENSION dblink",
        "ALTER DEFAULT PRIVILEGES FOR ROLE lotline_owner GRANT ALL ON TABLES TO lotline_app",
        "SET session_replication_role = replica",
        "ALTER FUNCTION lotline_refuse_change() OWNER TO lotline_app",
        "CREATE OR REPLACE FUNCTION lotline_refuse_change() RETURNS trigger LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_the_app_cannot_become_somebody_else(db, attack):
    with pytest.raises(Error), transaction.atomic():
        ask(attack)


def test_row_security_off_is_an_error_not_a_way_round(account_a, ours, theirs):
    with account_context(account_a), transaction.atomic():
        ask("SET LOCAL row_security = off")
        refused("SELECT * FROM oms_sku", match="row-level security")


def test_a_function_that_leaks_its_argument_sees_own_rows_only(account_a, ours, theirs):
    """The planner may run a cheap function before a policy; then an error message could carry a foreign value."""
    with account_context(account_a):
        ask(
            "CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS "
            "$$ BEGIN RAISE WARNING 'saw %', $1; RETURN true; END $$"
        )
        seen = []
        connection.connection.add_notice_handler(lambda notice: seen.append(notice.message_primary))
        for table in ("oms_sku", "oms_auditentry"):
            ask(f"SELECT * FROM {table} WHERE pg_temp.leak(account_id::text)")
        assert set(seen) == {f"saw {account_a.pk}"}


def test_the_setting_is_the_apps_own_word(account_a, account_b, ours, theirs):
    """By design: who can run SQL as the app can name any account. Row-level security guards against forgotten filters,
    not against injected SQL; that there is none is the business of wall one and of the lint that bans raw queries.
    """
    with account_context(account_a):
        ask("SELECT set_config('lotline.account', %s, true)", str(account_b.pk))
        assert ask("SELECT account_id FROM oms_sku") == [(account_b.pk,)]
        assert list(Sku.objects.all()) == []  # but wall one still asks for A


@pytest.mark.parametrize("value", ["0", "-1", "99999999"])
def test_an_account_that_is_not_there_has_no_rows(ours, value):
    with transaction.atomic():
        ask("SELECT set_config('lotline.account', %s, true)", value)
        assert ask("SELECT * FROM oms_sku") == []


@pytest.mark.parametrize("value", ["x", "1 OR true", "1;2", "1e3"])
def test_a_setting_that_is_no_number_is_an_error(ours, value):
    with transaction.atomic():
        ask("SELECT set_config('lotline.account', %s, true)", value)
        refused("SELECT * FROM oms_sku", match="invalid input syntax")


@pytest.mark.parametrize("model", [StockMove, AuditEntry, Mark])
def test_append_only_tables_refuse_changes(account_a, ours, model):
    table = model._meta.db_table
    with account_context(account_a):
        refused(f"UPDATE {table} SET account_id = account_id", match="permission denied")
        refused(f"DELETE FROM {table}", match="permission denied")
        for change in (lambda row: row.save(), lambda row: row.delete()):
            with pytest.raises(Error, match="permission denied"), transaction.atomic():
                change(model.objects.first())
        assert model.objects.exists()


@pytest.mark.commits("the owner looks at the rows over its own connection")
@pytest.mark.parametrize("model", [StockMove, AuditEntry, Mark])
def test_append_only_holds_for_the_owner_too(ours, model):
    table = model._meta.db_table
    for sql in (f"UPDATE {table} SET account_id = account_id", f"DELETE FROM {table}"):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic("owner"):
            connections["owner"].cursor().execute(sql)


# --- wall three -------------------------------------------------------------------------------------------------------
def _foreign_references(theirs):
    return {
        "plain to plain": lambda: Location.objects.create(link_id=theirs["link"], name="x"),
        "partitioned to plain": lambda: Crate.objects.create(sku_id=theirs["sku"], code="x"),
        "part to part": lambda: Mark.objects.create(crate_id=theirs["crate"], text="x"),
        "plain to partitioned": lambda: TagOfCrate.objects.create(tag=Tag.objects.get(), crate_id=theirs["crate"]),
        "to itself, nullable": lambda: Tag.objects.create(name="x", parent_id=theirs["tag"]),
        "many to many": lambda: Tag.objects.get().crates.add(theirs["crate"]),
        "update": lambda: Crate.objects.update(sku_id=theirs["sku"]),
        "bulk": lambda: Crate.objects.bulk_create([Crate(sku_id=theirs["sku"], code="x")]),
        "raw": lambda: ask("UPDATE wallapp_crate SET sku_id = %s", theirs["sku"]),
    }


@pytest.mark.parametrize("how", _foreign_references({}))
def test_a_reference_to_a_foreign_row_is_refused(account_a, account_b, ours, theirs, how):
    with account_context(account_b):
        ids = {
            "link": WarehouseLink.objects.get().pk,
            "sku": theirs.sku_id,
            "crate": theirs.pk,
            "tag": Tag.objects.get().pk,
        }
    write = _foreign_references(ids)[how]
    with account_context(account_a), pytest.raises(IntegrityError, match="account_fk"), transaction.atomic():
        write()
        connection.check_constraints()


@pytest.mark.commits("the owner looks at the rows over its own connection")
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE wallapp_crate SET sku_id = {sku} WHERE id = {crate}",
        "INSERT INTO wallapp_mark (account_id, crate_id, text) VALUES ({account}, {foreign}, 'x')",
        "INSERT INTO wallapp_tag (account_id, name, parent_id) VALUES ({account}, 'x', -7)",
        "INSERT INTO wallapp_tag (account_id, name) VALUES (-7, 'x')",
        "INSERT INTO oms_sku SELECT (jsonb_populate_record(s, '{{\"account_id\": -7}}')).* FROM oms_sku s LIMIT 1",
        "UPDATE oms_sku SET account_id = {account}, code = 'moved', code_key = 'MOVED' WHERE account_id <> {account}",
    ],
)
def test_references_hold_for_the_owner_too(account_a, ours, theirs, sql):
    names = {"account": account_a.pk, "crate": ours.pk, "sku": theirs.sku_id, "foreign": theirs.pk}
    with pytest.raises(IntegrityError, match="_fk"), transaction.atomic("owner"):
        connections["owner"].cursor().execute(sql.format(**names))
        connections["owner"].check_constraints()


@pytest.mark.parametrize("key", ["sku", "crate"])
def test_what_is_pointed_at_is_not_deleted(account_a, ours, key):
    table, pk = ("oms_sku", ours.sku_id) if key == "sku" else ("wallapp_crate", ours.pk)
    with account_context(account_a), pytest.raises(IntegrityError, match="fk"), transaction.atomic():
        ask(f"DELETE FROM {table} WHERE id = %s", pk)
        connection.check_constraints()


# --- the operations ---------------------------------------------------------------------------------------------------
def test_the_operation_writes_itself_down():
    operation = CreateAccountModel("X", [], partitioned=True, colocated=["unit"], append_only=True)
    name, args, kwargs = operation.deconstruct()
    assert (name, args) == ("CreateAccountModel", [])
    assert kwargs == {"name": "X", "fields": [], "partitioned": True, "colocated": ("unit",), "append_only": True}
    assert CreateAccountModel("X", []).deconstruct()[2] == {"name": "X", "fields": []}


def test_squashing_does_not_lose_the_wall():
    """Django merges CreateModel and AddField into a plain CreateModel."""
    operation = CreateAccountModel("X", [("id", models.BigAutoField(primary_key=True))], partitioned=True)
    later = migrations.AddField("x", "name", models.TextField(default=""))
    assert [type(made) for made in MigrationOptimizer().optimize([operation, later], "wallapp")] == [
        CreateAccountModel,
        migrations.AddField,
    ]


@pytest.mark.commits("migrations change the schema as the owner")
def test_migrations_go_back_and_forth(account_a):
    """Undone to the first step the table has its old view; undone to nothing, nothing is left; then all is back."""
    for target, columns in (("0001", 3), ("zero", 0), ("0002", 4)):
        call_command("migrate", "wallapp", target, verbosity=0)
        for table in ("wallapp_tag", "wallapp_tag_v"):
            found = ask("SELECT count(*) FROM information_schema.columns WHERE table_name = %s", table)
            assert found == [(columns,)], f"{table} at {target}"
    fill(account_a)
    with pytest.raises(ProgrammingError):
        ask("SELECT * FROM wallapp_crate_p0")


def test_rows_of_one_account_lie_in_one_part(account_a, account_b, ours, theirs):
    for account in (account_a, account_b):
        with account_context(account):
            parts = {
                ask(f"SELECT tableoid::regclass::text FROM {table}")[0][0]
                for table in ("wallapp_crate", "wallapp_mark")
            }
        assert len({name[-1] for name in parts}) == 1


def test_a_query_on_a_partitioned_table_reads_one_part(in_a):
    plan = Crate.objects.filter(code="x").explain()
    assert len(set(re.findall(r"wallapp_crate_p\d", plan))) == 1, plan
