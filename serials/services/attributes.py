"""Attributes of units, which people see as METADATA: named values, set for one unit or for many at once.

Every change is an annotation in the unit's history, one row for each call and unit; its reason names the attributes.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _, ngettext

from oms.errors import Conflict, DomainError
from oms.tenancy import current_account_id
from serials.lifecycle import Actor
from serials.models import Unit, UnitAttribute
from serials.services.ledger import Row
from serials.services.units import By, annotate_units

NAME_LENGTH, VALUE_LENGTH, REASON_LENGTH = 100, 1000, 400
MOST_OF_ONE = 200
"""How many attributes one unit may be given by hand."""

MAKE_STAGE = """
CREATE TEMP TABLE IF NOT EXISTS stage_attribute (unit_id bigint, name text, value text) ON COMMIT DELETE ROWS;
TRUNCATE stage_attribute;
"""
# What is there already, before anything is written: with the same value, and with another one.
COUNT_KNOWN = """
SELECT count(*) FILTER (WHERE a.value = s.value), count(*) FILTER (WHERE a.value <> s.value)
FROM stage_attribute s
JOIN serials_unitattribute a ON a.account_id = %(account)s AND a.unit_id = s.unit_id AND a.name = s.name
"""
# In one order, so that two who set the same attributes at once wait for each other instead of stopping each other.
WRITE = """
WITH written AS (
    INSERT INTO serials_unitattribute AS a (account_id, unit_id, name, value)
    SELECT %(account)s, s.unit_id, s.name, s.value FROM stage_attribute s ORDER BY s.unit_id, s.name
    ON CONFLICT (account_id, unit_id, name) {conflict}
    RETURNING a.unit_id, a.name
)
SELECT unit_id, string_agg(name, ', ' ORDER BY name), count(*) FROM written GROUP BY unit_id ORDER BY unit_id
"""
KEEP = "DO NOTHING"
OVERWRITE = "DO UPDATE SET value = EXCLUDED.value WHERE a.value <> EXCLUDED.value"


@dataclass(frozen=True)
class Applied:
    """What a call did: attributes written, units that got any, and the rest: `kept` another value, had it already."""

    written: int = 0
    units: int = 0
    kept: int = 0
    unchanged: int = 0

    def __add__(self, other: "Applied") -> "Applied":
        return Applied(
            self.written + other.written,
            self.units + other.units,
            self.kept + other.kept,
            self.unchanged + other.unchanged,
        )


def check_text(name: str, value: str) -> tuple[str, str]:
    """Name and value without spaces around them. Raises DomainError where they are empty, too long or unprintable."""
    name, value = name.strip(), value.strip()
    if not name or not value:
        raise DomainError(_("An attribute needs a name and a value."))
    if len(name) > NAME_LENGTH or len(value) > VALUE_LENGTH:
        raise DomainError(_("An attribute has a name of up to 100 characters and a value of up to 1,000."))
    if not name.isprintable() or "\0" in value:
        raise DomainError(_("“%(name)s” holds characters that cannot be stored.") % {"name": name[:40]})
    return name, value


@transaction.atomic
def set_attribute(
    *, units: "QuerySet[Unit] | Collection[int]", name: str, value: str, overwrite: bool, by: By
) -> Applied:
    """Give units one attribute; where they have one of that name, its value stays unless `overwrite`.

    Raises DomainError as `check_text` does; ids of another account are not found.
    """
    name, value = check_text(name, value)
    rows = units if isinstance(units, QuerySet) else Unit.objects.filter(pk__in=units)
    select, params = rows.order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(MAKE_STAGE)
        cursor.execute("INSERT INTO stage_attribute (unit_id) " + select, params)
        cursor.execute("UPDATE stage_attribute SET name = %s, value = %s", [name, value])
    return write_staged(overwrite=overwrite, by=by)


@transaction.atomic
def set_attributes(*, rows: Iterable[tuple[int, str, str]], overwrite: bool, by: By) -> Applied:
    """Give units attributes: (unit, name, value) rows, checked by the caller, no unit and name twice."""
    with connection.cursor() as cursor:
        cursor.execute(MAKE_STAGE)
        with cursor.copy("COPY stage_attribute (unit_id, name, value) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    return write_staged(overwrite=overwrite, by=by)


def write_staged(*, overwrite: bool, by: By) -> Applied:
    """Write what lies in stage_attribute, and the history of the units that it changes."""
    params = {"account": current_account_id()}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE stage_attribute")
        cursor.execute(COUNT_KNOWN, params)
        same, other = cursor.fetchone()
        cursor.execute(WRITE.format(conflict=OVERWRITE if overwrite else KEEP), params)
        changed = cursor.fetchall()
    reasons = {names: _reason(names) for names in {names for _unit, names, _count in changed}}
    annotate_units(rows=(Row(unit_id=unit, reason=reasons[names]) for unit, names, _count in changed), by=by)
    written = sum(count for _unit, _names, count in changed)
    return Applied(written, len(changed), 0 if overwrite else other, same)


def fingerprint(attributes: Mapping[str, str]) -> str:
    """A short text that changes with any attribute: what somebody saw when they began to edit."""
    pairs = "\0".join(f"{name}\0{value}" for name, value in sorted(attributes.items()))
    return hashlib.sha256(pairs.encode()).hexdigest()[:16]


def attributes_of(unit_id: int) -> dict[str, str]:
    """Name → value of one unit."""
    rows = UnitAttribute.objects.filter(unit_id=unit_id).order_by("name")
    return dict(rows.values_list("name", "value"))


@transaction.atomic
def save_attributes(*, unit_id: int, attributes: Mapping[str, str], seen: str, by: By) -> bool:
    """Make these the attributes of one unit, whatever it had; whether anything changed.

    `seen` is the fingerprint of what the person saw. Raises Conflict where somebody changed it since, DomainError as
    `check_text` does, or where there would be more than MOST_OF_ONE, which a file alone may give.
    """
    wanted = dict(check_text(name, value) for name, value in attributes.items())
    Unit.objects.select_for_update(of=("self",)).get(pk=unit_id)
    known = attributes_of(unit_id)
    if wanted == known:
        return False
    if fingerprint(known) != seen:
        raise Conflict(_("Somebody else changed these attributes meanwhile."))
    if len(wanted) > max(MOST_OF_ONE, len(known)):
        raise DomainError(_("By hand, a serial is given %(most)s attributes at most.") % {"most": MOST_OF_ONE})
    gone = sorted(set(known) - set(wanted))
    fresh = {name: value for name, value in wanted.items() if known.get(name) != value}
    UnitAttribute.objects.filter(unit_id=unit_id, name__in=gone).delete()
    UnitAttribute.objects.bulk_create(
        [UnitAttribute(unit_id=unit_id, name=name, value=value) for name, value in fresh.items()],
        update_conflicts=True,
        unique_fields=["account", "unit", "name"],
        update_fields=["value"],
    )
    reasons = [_reason(", ".join(sorted(fresh)))] if fresh else []
    reasons += [_("Attributes removed: %(names)s") % {"names": ", ".join(gone)}] if gone else []
    annotate_units(rows=[Row(unit_id=unit_id, reason=_short(". ".join(reasons)))], by=by)
    return True


def by_person(actor_id: int | None) -> By:
    """In the office's name."""
    return By(Actor.OFFICE, actor_id)


def _reason(names: str) -> str:
    return _short(_("Attributes: %(names)s") % {"names": names})


def _short(text: str) -> str:
    return text if len(text) <= REASON_LENGTH else f"{text[: REASON_LENGTH - 1]}…"


def said(done: Applied) -> str:
    """What was done, in a sentence or two."""
    text = ngettext("Set on %(count)s serial.", "Set on %(count)s serials.", done.units) % {"count": f"{done.units:,}"}
    if done.unchanged:
        same = ngettext("%(count)s was the same before.", "%(count)s were the same before.", done.unchanged)
        text += " " + same % {"count": f"{done.unchanged:,}"}
    if done.kept:
        kept = ngettext(
            "%(count)s has another value already and kept it.",
            "%(count)s have another value already and kept it.",
            done.kept,
        )
        text += " " + kept % {"count": f"{done.kept:,}"}
    return text
