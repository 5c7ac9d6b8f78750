"""Attributes of units, which people see as METADATA: named values, set for one unit or for many at once.

A name is the same whatever its spelling: who sets “colour” on a unit that has “Colour” means that one, and its spelling
stays. Every change is an annotation in the unit's history, one row for each call and unit; its reason names the
attributes.

Whoever writes locks the units first, in the order of their ids: two who change the same ones wait for each other.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _, gettext_lazy, ngettext
from psycopg.sql import SQL

from oms import identity
from oms.errors import Conflict, DomainError
from oms.jobs import Progress
from oms.selects import select_of
from oms.tenancy import current_account_id
from oms.ui.actions import selected
from serials.lifecycle import Actor
from serials.models import Unit, UnitAttribute
from serials.services.ledger import Row, hold_units
from serials.services.units import By, annotate_held_units, annotate_units

NAME_LENGTH, VALUE_LENGTH, REASON_LENGTH = 100, 1000, 400
MOST_OF_ONE = 200
"""How many attributes one unit may be given by hand."""
CHUNK = 50_000
"""So many attributes are written between two steps of the progress bar; all of one unit together."""

# What is to be set: each unit and name once, and the line of the file where there is one. Then, of one chunk, what
# becomes of it: the attribute that the unit has already, its spelling, and its value in `old`.
MAKE_STAGES = """
CREATE TEMP TABLE IF NOT EXISTS stage_attribute (
    unit_id bigint, key text, name text, value text, line int
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS stage_change (
    unit_id bigint, attribute_id bigint, key text, name text, value text, old text, line int
) ON COMMIT DELETE ROWS;
TRUNCATE stage_attribute, stage_change;
"""
STAGE_UNITS = """
INSERT INTO stage_attribute (unit_id, key, name, value) SELECT pk, %s, %s, %s FROM ({units}) AS u (pk) ORDER BY pk
"""
# The last unit of each chunk, and how many attributes are done with it.
CHUNKS = """
SELECT unit_id, max(n) FROM (
    SELECT unit_id, row_number() OVER (ORDER BY unit_id) AS n, count(*) OVER () AS total FROM stage_attribute
) AS s WHERE n %% %(chunk)s = 0 OR n = total GROUP BY unit_id ORDER BY unit_id
"""
COMPARE = """
TRUNCATE stage_change;
INSERT INTO stage_change
SELECT s.unit_id, a.id, s.key, COALESCE(a.name, s.name), s.value, a.value, s.line
FROM stage_attribute s LEFT JOIN serials_unitattribute a
    ON a.account_id = %(account)s AND a.unit_id = s.unit_id AND a.name_key = s.key
    AND a.unit_id > %(after)s AND a.unit_id <= %(last)s
WHERE s.unit_id > %(after)s AND s.unit_id <= %(last)s;
ANALYZE stage_change
"""
COUNT = """
SELECT count(*) FILTER (WHERE old IS NULL), count(*) FILTER (WHERE old <> value), count(*) FILTER (WHERE old = value)
FROM stage_change
"""
# What the units have now, of what is to be set.
KNOWN = """
SELECT md5(COALESCE(string_agg(line || ' ' || COALESCE(old, ''), chr(10) ORDER BY line), '')) FROM stage_change
"""
UPDATE = """
UPDATE serials_unitattribute a SET value = c.value FROM stage_change c
WHERE a.account_id = %(account)s AND a.unit_id > %(after)s AND a.unit_id <= %(last)s
    AND a.id = c.attribute_id AND c.old <> c.value
"""
INSERT = """
INSERT INTO serials_unitattribute (account_id, unit_id, name, name_key, value)
SELECT %(account)s, unit_id, name, key, value FROM stage_change WHERE old IS NULL ORDER BY unit_id, name
"""
# The units that changed, each with a reason like `_reason`.
CHANGED = """
SELECT unit_id, CASE WHEN length(said) > %(most)s THEN left(said, %(most)s - 1) || '…' ELSE said END AS reason FROM (
    SELECT unit_id, replace(%(words)s, '%%(names)s', string_agg(name, ', ' ORDER BY name)) AS said
    FROM stage_change WHERE {changed} GROUP BY unit_id
) AS s ORDER BY unit_id
"""
CHANGED_SINCE = gettext_lazy(
    "Somebody changed what this file would overwrite after its page was shown, so nothing is changed. Look at it again."
)
KEEP, OVERWRITE = "old IS NULL", "old IS DISTINCT FROM value"


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
    identity.check(name, most=NAME_LENGTH)
    identity.check_words(value, may_break=True)
    return name, value


@transaction.atomic
def set_attribute(
    *,
    units: "QuerySet[Unit] | Collection[int]",
    name: str,
    value: str,
    overwrite: bool,
    by: By,
    progress: Progress | None = None,
) -> Applied:
    """Give units one attribute; where they have one of that name, its value stays unless `overwrite`.

    Raises DomainError as `check_text` does; ids of another account are not found.
    """
    name, value = check_text(name, value)
    rows = units if isinstance(units, QuerySet) else Unit.objects.filter(pk__in=units)
    found, params = select_of(rows.order_by().values("pk"))
    with connection.cursor() as cursor:
        cursor.execute(MAKE_STAGES)
        cursor.execute(SQL(STAGE_UNITS).format(units=found), [identity.key(name), name, value, *params])
    return write_staged(overwrite=overwrite, by=by, progress=progress)


def run_set_job(progress: Progress) -> None:
    """The job "serials.attribute": one name and value for any number of units."""
    params = progress.params
    done = set_attribute(
        units=selected(params["selection"]),
        name=params["name"],
        value=params["value"],
        overwrite=bool(params["overwrite"]),
        by=by_person(progress.person.pk if progress.person else None),
        progress=progress,
    )
    progress.finish(set_result(done))


def set_result(done: Applied) -> dict[str, Any]:
    """What the page of the job shows."""
    counts = {_("Serials"): done.units, _("Same before"): done.unchanged, _("Kept"): done.kept}
    return {"summary": said(done), "counts": counts}


def write_staged(*, overwrite: bool, by: By, seen: str = "", progress: Progress | None = None) -> Applied:
    """Write what lies in stage_attribute, and the history of the units that it changes, chunk by chunk.

    All units are locked before the first is changed. The steps of `progress` count attributes. `seen` is what `known`
    told when a person decided to overwrite: raises Conflict where the units have other values since.
    """
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE stage_attribute")
        cursor.execute(CHUNKS, {"chunk": CHUNK})
        chunks = cursor.fetchall()
        if progress and chunks:
            progress.step(0, chunks[-1][1], _("Writing"))
        hold_units(SQL("SELECT unit_id FROM stage_attribute"))
        if overwrite and seen:
            compare_staged(cursor)
            if known(cursor) != seen:
                raise Conflict(str(CHANGED_SINCE))
        done, after = Applied(), 0
        for last, count in chunks:
            done += _write_chunk(cursor, after, last, overwrite=overwrite, by=by)
            after = last
            if progress:
                progress.step(count)
    return done


def _write_chunk(cursor: Any, after: int, last: int, *, overwrite: bool, by: By) -> Applied:
    """What is staged for the units behind `after` up to `last`."""
    new, other, same = compare_staged(cursor, after, last)
    params = {"account": current_account_id(), "after": after, "last": last}
    if overwrite and other:
        cursor.execute(UPDATE, params)
    if new:
        cursor.execute(INSERT, params)
    rows = SQL(CHANGED).format(changed=SQL(OVERWRITE if overwrite else KEEP))
    words = {"words": _("Attributes: %(names)s"), "most": REASON_LENGTH}
    units = annotate_held_units(rows=rows, params=words, by=by)
    return Applied(new + other if overwrite else new, units, 0 if overwrite else other, same)


def compare_staged(cursor: Any, after: int = 0, last: int = 2**63 - 1) -> tuple[int, int, int]:
    """How many staged attributes are new, how many have another value, and how many have this one, in stage_change."""
    cursor.execute(COMPARE, {"account": current_account_id(), "after": after, "last": last})
    cursor.execute(COUNT)
    new, other, same = cursor.fetchone()
    return new, other, same


def known(cursor: Any) -> str:
    """What tells the values that units have, of what `compare_staged` has just compared, from any others."""
    cursor.execute(KNOWN)
    digest: str = cursor.fetchone()[0]
    return digest


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
    wanted = _by_name(attributes)
    Unit.objects.select_for_update(of=("self",)).get(pk=unit_id)
    rows = list(UnitAttribute.objects.filter(unit_id=unit_id).order_by("name"))
    known = {row.name: row.value for row in rows}
    if dict(wanted.values()) == known:
        return False
    if fingerprint(known) != seen:
        raise Conflict(_("Somebody else changed these attributes meanwhile."))
    if len(wanted) > max(MOST_OF_ONE, len(known)):
        raise DomainError(_("By hand, a serial is given %(most)s attributes at most.") % {"most": MOST_OF_ONE})
    gone, changed = [], []
    for row in rows:
        name, value = wanted.pop(row.name_key, ("", ""))
        if not name:
            gone.append(row)
        elif (row.name, row.value) != (name, value):
            row.name, row.value = name, value
            changed.append(row)
    fresh = [UnitAttribute(unit_id=unit_id, name=name, value=value) for name, value in wanted.values()]
    UnitAttribute.objects.filter(pk__in=[row.pk for row in gone]).delete()
    UnitAttribute.objects.bulk_update(changed, ["name", "value"])
    UnitAttribute.objects.bulk_create(fresh)
    written = ", ".join(sorted(row.name for row in [*changed, *fresh]))
    reasons = [_reason(written)] if written else []
    reasons += [_("Attributes removed: %(names)s") % {"names": ", ".join(row.name for row in gone)}] if gone else []
    annotate_units(rows=[Row(unit_id=unit_id, reason=_short(". ".join(reasons)))], by=by)
    return True


def _by_name(attributes: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Key of the name → name and value. Raises DomainError for what cannot be the attributes of one unit."""
    pairs = [check_text(name, value) for name, value in attributes.items()]
    counts = Counter(identity.key(name) for name, _value in pairs)
    if twice := sorted({name for name, _value in pairs if counts[identity.key(name)] > 1}):
        raise DomainError(_("An attribute is there twice: %(names)s") % {"names": ", ".join(twice)})
    return {identity.key(name): (name, value) for name, value in pairs}


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
