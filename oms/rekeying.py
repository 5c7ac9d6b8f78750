"""The migration operation that makes keys of the texts that are there.

Nothing is merged or deleted. Of rows whose texts are the same by now the oldest has the key, each other one its own
beside it (`oms.identity.apart`), and a discrepancy names both: a person decides what becomes of them.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from django.db import migrations
from django.db.migrations.operations.base import Operation
from django.db.models import BaseConstraint
from django.utils.translation import gettext as _

from oms import identity
from oms.models.keys import KeyField
from oms.walls import DropAccountView, RefreshAccountTable

BATCH = 5_000
SHOWN = 100
PLAIN = "^[ -~]*$"

# PostgreSQL and Python agree on the capitals of ASCII.
_FILL = "UPDATE {table} SET {key} = upper(btrim({text})) WHERE {text} ~ %s"
_OTHERS = "SELECT account_id, id, {text}, {key} FROM {table} WHERE {text} !~ %s"
_SET = """
UPDATE {table} t SET {key} = n.key FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS n (account_id, id, key)
WHERE t.account_id = n.account_id AND t.id = n.id
"""
# Every row with a key that an older row has, by the keys that are wanted where they are not written yet.
_SAME = """
WITH found AS (
    SELECT t.account_id, t.id, t.{text} AS text, {scope}COALESCE(w.key, t.{key}) AS key
    FROM {table} t
    LEFT JOIN unnest(%(accounts)s::bigint[], %(ids)s::bigint[], %(keys)s::text[]) AS w (account_id, id, key)
        ON w.account_id = t.account_id AND w.id = t.id
    WHERE {condition} AND (%(is_new)s OR w.id IS NOT NULL OR t.{key} = ANY(%(keys)s))
), ranked AS (
    SELECT *, row_number() OVER same AS place, first_value(id) OVER same AS first, first_value(text) OVER same AS said
    FROM found WINDOW same AS (PARTITION BY account_id, {scope}key ORDER BY id)
)
SELECT account_id, id, text, first, said FROM ranked WHERE place > 1 ORDER BY account_id, id
"""
Keyed = tuple[int, int, str]
"""Account, id and key of a row."""


class Rekey(Operation):
    """Give every row of an account model its key.

    Args:
        name: the model.
        text: the field that people typed.
        key: the field of its key.
        is_new: the field is new and no constraint holds it yet. Else its keys are those of an older release, which are
            right where the text is ASCII, and the constraint stands.
        scope: columns within which the key is unique, beside the account.
        condition: SQL for the rows of which that is true; None where none is.
        what: what the text is, for the discrepancy.
    """

    reversible = True
    reduces_to_sql = False

    def __init__(
        self,
        name: str,
        *,
        text: str,
        key: str,
        what: str = "",
        is_new: bool = False,
        scope: Sequence[str] = (),
        condition: str | None = "true",
    ) -> None:
        self.name, self.text, self.key, self.what = name, text, key, what
        self.is_new, self.scope, self.condition = is_new, tuple(scope), condition

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Nothing: only rows change."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Fill the keys, part those that are the same, and tell of them."""
        names = {
            "table": to_state.apps.get_model(app_label, self.name)._meta.db_table,
            "text": self.text,
            "key": self.key,
            "condition": self.condition,
            "scope": "".join(f"{column}, " for column in self.scope),
        }
        with schema_editor.connection.cursor() as cursor:
            if self.is_new:
                cursor.execute(_FILL.format(**names), [PLAIN])
            wanted = list(self._fill(schema_editor.connection, cursor, names))
            parted = self._part(cursor, names, wanted, to_state) if self.condition is not None else set()
            _set(cursor, names, [row for row in wanted if row[:2] not in parted])
            # Else a deferred check of this transaction would stand in the way of the next change of the table.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Nothing: the keys of older releases are made of the same texts."""

    def _fill(self, connection: Any, cursor: Any, names: dict[str, Any]) -> Iterator[Keyed]:
        """Read what is not ASCII; write the keys, or give those that cannot be written before all of them are known.

        Those are few: a key of an older release differs only where it was not the key of itself.
        """
        with connection.chunked_cursor() as reading:
            reading.execute(_OTHERS.format(**names), [PLAIN])
            while rows := reading.fetchmany(BATCH):
                changed = [(account, pk, key) for account, pk, text, held in rows if (key := _key(text, pk)) != held]
                if self.is_new:
                    _set(cursor, names, changed)
                else:
                    _set(cursor, names, [(account, pk, identity.apart(key, pk)) for account, pk, key in changed])
                    yield from changed

    def _part(self, cursor: Any, names: dict[str, Any], wanted: Sequence[Keyed], state: Any) -> set[tuple[int, int]]:
        """Give the younger ones of the same key their own, and tell of each; which they are."""
        accounts, ids, keys = ([row[place] for row in wanted] for place in range(3))
        cursor.execute(_SAME.format(**names), {"accounts": accounts, "ids": ids, "keys": keys, "is_new": self.is_new})
        same = cursor.fetchall()
        model = state.apps.get_model("oms", "Discrepancy")
        left = iter(same)
        while rows := list(islice(left, BATCH)):
            _set(
                cursor, names, [(account, pk, identity.apart(identity.key(text), pk)) for account, pk, text, *_ in rows]
            )
            cases = [self._case(model, names["table"], *row) for row in rows]
            model.objects.using(cursor.db.alias).bulk_create(cases, ignore_conflicts=True)
        return {(account, pk) for account, pk, *_rest in same}

    def _case(self, model: Any, table: str, account: int, pk: int, text: str, first: int, first_text: str) -> Any:
        words = _(
            "The %(what)s %(text)s (id %(id)s) is the same as %(first)s (id %(first_id)s), in another spelling. Both "
            "stay as they are: use one of them from now on."
        )
        said = [f"“{identity.shown(each, SHOWN)}”" for each in (text, first_text)]
        return model(
            account_id=account,
            kind="two_spellings",
            source=f"two spellings:{table}:{pk}",
            summary=words % {"what": self.what, "text": said[0], "id": pk, "first": said[1], "first_id": first},
            raw={"table": table, "id": pk, "text": text, "first_id": first, "first_text": first_text},
        )

    def describe(self) -> str:
        """One line for `migrate --plan`."""
        return f"Make the keys of {self.name}.{self.text}"


def new_key(
    name: str, *, text: str, key: str, what: str, constraint: BaseConstraint, scope: Sequence[str] = ()
) -> list[Operation]:
    """The operations that add a key to an account model, in place of the `constraint` of this name that it has."""
    return [
        DropAccountView(name),
        migrations.RemoveConstraint(model_name=name, name=constraint.name),
        migrations.AddField(name, key, KeyField(default="", of=text), preserve_default=False),
        Rekey(name, text=text, key=key, what=what, is_new=True, scope=scope),
        migrations.AddConstraint(model_name=name, constraint=constraint),
        RefreshAccountTable(name),
    ]


def _key(text: str, pk: int) -> str:
    own = identity.key(text)
    return own if len(own) <= identity.LONGEST else identity.apart(own, pk)


def _set(cursor: Any, names: dict[str, Any], rows: Sequence[Keyed]) -> None:
    if rows:
        cursor.execute(_SET.format(**names), [list(column) for column in zip(*rows, strict=True)])
