"""SKUs from a CSV file: what it would do, row by row, and doing it."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _, gettext_lazy

from oms import csvio, files
from oms.errors import Blocker, Conflict
from oms.jobs import Progress
from oms.models import Person, Sku, Workflow
from oms.models.catalogue import validate_gtin
from oms.models.keys import validate_identity, validate_words
from oms.queries.keys import rows_by_text
from oms.services import audit
from oms.services.catalogue import workflow_blockers

SCHEMA = csvio.Schema(
    [
        csvio.Column(
            "SKU",
            csvio.checked(validate_identity),
            is_required=True,
            aliases=csvio.words.SKU,
            max_length=80,
            example="L2201308",
            help=gettext_lazy("Finds the SKU, whatever the case; an unknown one is added."),
        ),
        csvio.Column("ProductID", csvio.checked(validate_identity), max_length=80, example="88310"),
        csvio.Column(
            "ProductIDWH",
            csvio.checked(validate_identity),
            max_length=80,
            example="W-88310",
            help=gettext_lazy("The warehouse's own id."),
        ),
        csvio.Column(
            "Name",
            csvio.checked(validate_words),
            aliases=("Product name", "Item name", "Description", "Title"),
            max_length=250,
            example="Laptop 13 inch / 8GB",
            help=gettext_lazy("Needed for a new SKU."),
        ),
        csvio.Column(
            "GTIN",
            csvio.checked(validate_gtin),
            aliases=csvio.words.GTIN,
            max_length=20,
            example="4006381333931",
            help=gettext_lazy("8, 12, 13 or 14 digits."),
        ),
        csvio.Column(
            "Serial",
            csvio.one_of({str(workflow.label): workflow.value for workflow in Workflow}),
            max_length=20,
            example="In/Out",
            help=gettext_lazy("No, Out, In/Out or Out in Bulk. Left empty, it stays as it is."),
        ),
    ],
    key=("SKU",),
    max_rows=50_000,
)
FIELDS = {
    "SKU": "code",
    "ProductID": "product_id",
    "ProductIDWH": "product_id_wh",
    "Name": "name",
    "GTIN": "gtin",
    "Serial": "workflow",
}


@dataclass(frozen=True)
class Change:
    """What one row does: the SKU, None for a new one, and the values that it sets."""

    line: int
    sku: Sku | None
    values: dict[str, str]


@dataclass
class Plan:
    """What a whole file does. `errors` holds every bad row, those of the file's form first."""

    created: list[Change] = field(default_factory=list)
    changed: list[Change] = field(default_factory=list)
    unchanged: int = 0
    errors: list[csvio.RowError] = field(default_factory=list)
    ignored_columns: tuple[str, ...] = ()
    above: tuple[tuple[int, str], ...] = ()
    """The lines above the header, which are not read."""
    row_count: int = 0

    @property
    def good_count(self) -> int:
        """How many rows would change something."""
        return len(self.created) + len(self.changed)

    @property
    def known(self) -> str:
        """What tells the values that it changes from any others: somebody saw these."""
        facts = [
            (change.line, change.sku and [(name, getattr(change.sku, name)) for name in change.values])
            for change in (*self.created, *self.changed)
        ]
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]

    def counts(self) -> dict[str, int]:
        """In words → how many, for a job's result."""
        return {
            _("Added"): len(self.created),
            _("Changed"): len(self.changed),
            _("As they were"): self.unchanged,
            _("Refused"): csvio.line_count(self.errors),
        }


def plan_import(parsed: csvio.Parsed, *, may_set_serial: bool) -> Plan:
    """Compare a file with the catalogue; writes nothing. Four queries, whatever the number of rows."""
    known = _known(row.values["SKU"] for row in parsed.rows)
    plan = Plan(
        errors=list(parsed.errors),
        ignored_columns=parsed.ignored_columns,
        above=parsed.above,
        row_count=parsed.row_count,
    )
    changes = [_change(row, parsed.columns, known.get(row.values["SKU"])) for row in parsed.rows]
    moved = [change.sku.pk for change in changes if change.sku and "workflow" in change.values]
    blockers = workflow_blockers(moved)
    for change in changes:
        error = _refusal(change, blockers, may_set_serial=may_set_serial)
        if error:
            plan.errors.append(error)
        elif change.sku is None:
            plan.created.append(change)
        elif change.values:
            plan.changed.append(change)
        else:
            plan.unchanged += 1
    plan.errors.sort(key=lambda error: error.line)
    return plan


def _known(codes: Iterable[str], *, is_locked: bool = False) -> dict[str, Sku]:
    """Code → the SKU that has it, whatever the spelling; locked in one order where they are about to change."""
    rows = Sku.objects.order_by("pk").select_for_update() if is_locked else Sku.objects.all()
    return rows_by_text(rows, set(codes), field="code")


def _change(row: csvio.Row, columns: Iterable[str], sku: Sku | None) -> Change:
    """What a row would set: only the columns that the file has; an empty Serial means "as it is"."""
    values = {FIELDS[name]: row.values[name] for name in columns if not (name == "Serial" and not row.values[name])}
    if sku is not None:
        values.pop("code")
        values = {name: value for name, value in values.items() if getattr(sku, name) != value}
    return Change(row.line, sku, values)


def _refusal(change: Change, blockers: Mapping[int, list[Blocker]], *, may_set_serial: bool) -> csvio.RowError | None:
    """Why a row cannot be applied, if it cannot."""
    if not change.values.get("name", change.sku and change.sku.name):
        return csvio.RowError(change.line, "Name", _("A SKU needs a name."))
    if "workflow" not in change.values or (change.sku is None and change.values["workflow"] == Workflow.NO):
        return None
    label = str(Workflow(change.values["workflow"]).label)
    if not may_set_serial:
        return csvio.RowError(change.line, "Serial", _("Only an admin of this account can set Serial."), label)
    found = blockers.get(change.sku.pk, []) if change.sku else []
    if not found:
        return None
    reasons = " ".join(f"{blocker.text}. {blocker.how}" for blocker in found)
    message = _("Serial can change only while the SKU has no inventory. %(reasons)s") % {"reasons": reasons}
    return csvio.RowError(change.line, "Serial", message, label)


@transaction.atomic
def apply_import(parsed: csvio.Parsed, *, actor: Person | None, may_set_serial: bool, seen: str = "") -> Plan:
    """Apply the good rows of a file and say what was done; what became bad since it was shown is in `errors`.

    The SKUs are locked and compared again, so a file that is applied twice changes nothing the second time. `seen` is
    the plan's `known` that somebody saw: raises Conflict where it would overwrite what others did since.
    """
    list(_known((row.values["SKU"] for row in parsed.rows), is_locked=True))
    plan = plan_import(parsed, may_set_serial=may_set_serial)
    if seen and plan.good_count and plan.known != seen:
        raise Conflict(
            _("Somebody changed SKUs of this file after its page was shown, so nothing is changed. Look at it again.")
        )
    created = Sku.objects.bulk_create([Sku(**change.values) for change in plan.created], batch_size=2000)
    entries = [
        audit.entry(
            actor=actor,
            action="create",
            kind="sku",
            object_id=sku.pk,
            label=sku.code,
            changes={name: (None, value) for name, value in change.values.items() if value},
        )
        for sku, change in zip(created, plan.created, strict=True)
    ]
    entries += [entry for change in plan.changed if change.sku and (entry := _apply(change.sku, change, actor))]
    rows = [change.sku for change in plan.changed if change.sku]
    if rows:
        Sku.objects.bulk_update(rows, [*FIELDS.values(), "updated_at"], batch_size=500)
        Sku.objects.filter(pk__in=[sku.pk for sku in rows]).update(version=F("version") + 1)
    audit.record_many(entries)
    return plan


def _apply(sku: Sku, change: Change, actor: Person | None) -> Any:
    """Set a row's values on its SKU, unsaved, and give the audit row of it."""
    changes = {name: (getattr(sku, name), value) for name, value in change.values.items()}
    for name, value in change.values.items():
        setattr(sku, name, value)
    sku.updated_at = timezone.now()
    return audit.entry(actor=actor, action="change", kind="sku", object_id=sku.pk, label=sku.code, changes=changes)


def run_import_job(progress: Progress) -> None:
    """The job "catalogue.import": apply the stored file, keep the bad rows as a file of errors."""
    with files.open_file(progress.input_file) as file:
        parsed = SCHEMA.read(file)
    progress.step(0, parsed.row_count)
    plan = apply_import(
        parsed,
        actor=progress.person,
        may_set_serial=bool(progress.params["may_set_serial"]),
        seen=str(progress.params.get("seen", "")),
    )
    progress.step(parsed.row_count, parsed.row_count)
    progress.finish(
        {
            "counts": plan.counts(),
            "errors": [error.as_dict() for error in plan.errors[:1000]],
            "error_count": csvio.line_count(plan.errors),
        }
    )
