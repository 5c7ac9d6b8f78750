"""Migration operations that build the second and third tenant wall around an account model's table.

`makemigrations` writes `migrations.CreateModel(...)`; change it to `CreateAccountModel(...)` and run
`makemigrations --check`: the state is the same, only the SQL differs. `docs/recipes/account-model.md` has the steps.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import NotSupportedError, models
from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.models import CreateModel

from oms.tenancy import AccountKey

PARTITIONS = 8
_CURRENT = "NULLIF(current_setting('lotline.account', true), '')::bigint"


def _account_keys(model: Any) -> list[AccountKey]:
    return [field for field in model._meta.local_fields if isinstance(field, AccountKey)]


def _view(table: str) -> Iterator[str]:
    """The view for text search: plain, not security_barrier, so that LIKE may become an index condition."""
    yield f"CREATE OR REPLACE VIEW {table}_v AS SELECT * FROM {table} WHERE account_id = {_CURRENT}"  # noqa: S608
    yield f"REVOKE ALL ON {table}_v FROM lotline_app"
    yield f"GRANT SELECT ON {table}_v TO lotline_app"


def _reference(table: str, key: AccountKey, *, is_colocated: bool) -> Iterator[str]:
    """The composite reference; between two partitioned tables partition to partition, which is checked 4 × as fast."""
    target, column = key.related_model._meta.db_table, key.column
    pairs = [(f"{table}_p{n}", f"{target}_p{n}") for n in range(PARTITIONS)] if is_colocated else [(table, target)]
    for source, goal in pairs:
        yield (
            f"ALTER TABLE {source} ADD CONSTRAINT {source}_{column}_account_fk FOREIGN KEY (account_id, {column}) "
            f"REFERENCES {goal} (account_id, id) DEFERRABLE INITIALLY DEFERRED"
        )


def _append_only(table: str) -> Iterator[str]:
    """Refuse UPDATE and DELETE to everyone, the owner's mistakes included (TRUNCATE by the owner stays for tests)."""
    yield f"REVOKE UPDATE, DELETE ON {table} FROM lotline_app"
    yield (
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION lotline_refuse_change()"
    )


class CreateAccountModel(CreateModel):
    """CreateModel with a key of (account_id, id), row-level security, composite references and the search view.

    Args (beyond CreateModel's):
        partitioned: hash-partition the table by account into PARTITIONS parts.
        colocated: names of AccountKey fields whose target is partitioned too; their references go part to part.
        append_only: refuse UPDATE and DELETE in the database.
    """

    def __init__(
        self,
        name: str,
        fields: Any,
        options: Any = None,
        bases: Any = None,
        managers: Any = None,
        *,
        partitioned: bool = False,
        colocated: Sequence[str] = (),
        append_only: bool = False,
    ) -> None:
        self.partitioned, self.colocated, self.append_only = partitioned, tuple(colocated), append_only
        super().__init__(name, fields, options, bases, managers)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """The parts of this operation, as the migration writer and the squasher want them."""
        name, args, kwargs = super().deconstruct()
        extra = {"partitioned": self.partitioned, "colocated": self.colocated, "append_only": self.append_only}
        return name, list(args), {**kwargs, **{key: value for key, value in extra.items() if value}}

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Create the table with its composite key, then the walls around it."""
        plain = schema_editor.table_sql

        def table_sql(model: type[models.Model]) -> tuple[str, Any]:
            statement, params = plain(model)
            if statement.count(" PRIMARY KEY") != 1:
                raise NotSupportedError(f"Expected one primary key in: {statement}")
            statement = statement.replace(" PRIMARY KEY", "").removesuffix(")") + ", PRIMARY KEY (account_id, id))"
            return statement + (" PARTITION BY HASH (account_id)" if self.partitioned else ""), params

        schema_editor.table_sql = table_sql
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            del schema_editor.table_sql
        for statement in self.wall(to_state.apps.get_model(app_label, self.name)):
            schema_editor.execute(statement, params=None)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Drop the view, then the table with everything on it."""
        model = from_state.apps.get_model(app_label, self.name)
        schema_editor.execute(f"DROP VIEW IF EXISTS {model._meta.db_table}_v", params=None)
        super().database_backwards(app_label, schema_editor, from_state, to_state)

    def reduce(self, operation: Operation, app_label: str) -> bool:
        """Never merged with a later operation: Django's merge is a plain CreateModel, without the wall."""
        return False

    def wall(self, model: Any) -> Iterator[str]:
        """The statements, in order, that turn the bare table into a walled one."""
        table = model._meta.db_table
        if self.partitioned:
            for n in range(PARTITIONS):
                bounds = f"WITH (MODULUS {PARTITIONS}, REMAINDER {n})"
                yield f"CREATE TABLE {table}_p{n} PARTITION OF {table} FOR VALUES {bounds}"
                yield f"REVOKE ALL ON {table}_p{n} FROM lotline_app"
        keys = _account_keys(model)
        for key in keys:
            yield from _reference(table, key, is_colocated=key.name in self.colocated)
        if all(key.null for key in keys):  # otherwise the chain of references proves the account
            yield (
                f"ALTER TABLE {table} ADD CONSTRAINT {table}_account_fk FOREIGN KEY (account_id) "
                "REFERENCES oms_account (id) DEFERRABLE INITIALLY DEFERRED"
            )
        yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
        yield f"CREATE POLICY account ON {table} USING (account_id = {_CURRENT}) WITH CHECK (account_id = {_CURRENT})"
        if self.append_only:
            yield from _append_only(table)
        yield from _view(table)


class RefreshAccountTable(Operation):
    """After AddField on an account model: add the references of the new `keys` and remake the search view.

    Put `DropAccountView` before the first change of the table and this last. AlterField and RemoveField are refused by
    PostgreSQL while the view stands, AddField is too when the migration is undone.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, name: str, keys: Sequence[str] = (), colocated: Sequence[str] = ()) -> None:
        self.name, self.keys, self.colocated = name, tuple(keys), tuple(colocated)

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Nothing: only the database changes."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Add the references, remake the view."""
        model = to_state.apps.get_model(app_label, self.name)
        for key in _account_keys(model):
            if key.name in self.keys:
                for statement in _reference(model._meta.db_table, key, is_colocated=key.name in self.colocated):
                    schema_editor.execute(statement, params=None)
        schema_editor.execute(f"DROP VIEW IF EXISTS {model._meta.db_table}_v", params=None)
        for statement in _view(model._meta.db_table):
            schema_editor.execute(statement, params=None)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Drop the view, so that the columns it shows can go; the references go with their columns."""
        schema_editor.execute(f"DROP VIEW IF EXISTS {to_state.apps.get_model(app_label, self.name)._meta.db_table}_v")

    def describe(self) -> str:
        """One line for `migrate --plan`."""
        return f"Remake the search view and references of {self.name}"


class DropAccountView(RefreshAccountTable):
    """Before AlterField or RemoveField on an account model: drop the search view; RefreshAccountTable remakes it."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Drop the view."""
        super().database_backwards(app_label, schema_editor, from_state, from_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Remake the view as it was."""
        super().database_forwards(app_label, schema_editor, from_state, to_state)

    def describe(self) -> str:
        """One line for `migrate --plan`."""
        return f"Drop the search view of {self.name}"


GRANTS = """
GRANT USAGE ON SCHEMA public TO lotline_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO lotline_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO lotline_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO lotline_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO lotline_app;
"""

REFUSE_CHANGE = """
CREATE FUNCTION lotline_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: a wrong fact is corrected by a new row', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
"""
