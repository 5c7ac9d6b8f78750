"""Changes of SKUs, and the rule that guards their Serial attribute."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TypedDict, Unpack

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from oms.errors import Blocked, Blocker, Conflict, DomainError
from oms.models import Person, Sku, Workflow
from oms.services import audit

BlockerProvider = Callable[[Collection[int]], Mapping[int, list[Blocker]]]


class SkuFields(TypedDict, total=False):
    """The fields of a SKU that people edit, by their names in the model."""

    code: str
    product_id: str
    product_id_wh: str
    name: str
    gtin: str
    workflow: str


@cache
def _providers() -> tuple[BlockerProvider, ...]:
    return tuple(import_string(path) for path in settings.WORKFLOW_BLOCKERS)


def workflow_blockers(sku_ids: Collection[int]) -> dict[int, list[Blocker]]:
    """SKU id → everything that stands in the way of another Serial attribute; SKUs that may change are absent.

    Asks each provider named in settings.WORKFLOW_BLOCKERS once, whatever the number of SKUs.
    """
    found: dict[int, list[Blocker]] = defaultdict(list)
    for provider in _providers():
        for sku_id, blockers in provider(sku_ids).items():
            found[sku_id] += blockers
    return {sku_id: blockers for sku_id, blockers in found.items() if blockers}


@transaction.atomic
def create_sku(*, actor: Person | None, **fields: Unpack[SkuFields]) -> Sku:
    """A new SKU of the current account. Raises Conflict where its code is taken."""
    sku = Sku(**fields)
    try:
        with transaction.atomic():
            sku.save(force_insert=True)
    except IntegrityError as error:
        raise _code_taken(sku.code, error) from error
    audit.record(
        actor=actor,
        action="create",
        kind="sku",
        object_id=sku.pk,
        label=sku.code,
        changes={name: (None, value) for name, value in fields.items() if value},
    )
    return sku


@transaction.atomic
def update_sku(*, sku_id: int, version: int, actor: Person | None, **fields: Unpack[SkuFields]) -> Sku:
    """Change a SKU that the person saw at `version`.

    Raises Conflict where somebody changed it since or the new code is taken, and Blocked, listing every reason,
    where the Serial attribute may not change now. Nothing is written then.
    """
    sku = Sku.objects.select_for_update().get(pk=sku_id)
    if sku.version != version:
        raise Conflict(
            _("Somebody changed this SKU while you were editing. Your entries are kept: compare and save again.")
        )
    before = {name: getattr(sku, name) for name in fields}
    changes = {name: (before[name], value) for name, value in fields.items() if before[name] != value}
    if not changes:
        return sku
    if "workflow" in changes:
        _refuse_blocked(sku)
    for name, (_before, after) in changes.items():
        setattr(sku, name, after)
    sku.version += 1
    try:
        with transaction.atomic():
            sku.save(update_fields=[*changes, "code_key", "version", "updated_at"])
    except IntegrityError as error:
        raise _code_taken(sku.code, error) from error
    audit.record(actor=actor, action="change", kind="sku", object_id=sku.pk, label=sku.code, changes=changes)
    return sku


@dataclass(frozen=True)
class WorkflowChange:
    """What a bulk change of Serial did, or would do: SKUs that change, that have it already, and that are blocked."""

    workflow: Workflow
    changed: list[Sku] = field(default_factory=list)
    unchanged: list[Sku] = field(default_factory=list)
    blocked: dict[Sku, list[Blocker]] = field(default_factory=dict)
    is_done: bool = False


def plan_workflow(*, skus: Collection[Sku], workflow: Workflow) -> WorkflowChange:
    """Which of `skus` could take another Serial attribute now; writes nothing."""
    others = [sku for sku in skus if sku.workflow != workflow]
    blockers = workflow_blockers([sku.pk for sku in others])
    return WorkflowChange(
        workflow=workflow,
        changed=[sku for sku in others if sku.pk not in blockers],
        unchanged=[sku for sku in skus if sku.workflow == workflow],
        blocked={sku: blockers[sku.pk] for sku in others if sku.pk in blockers},
    )


@transaction.atomic
def set_workflow(
    *, sku_ids: Collection[int], workflow: Workflow, actor: Person | None, is_partial_ok: bool = False
) -> WorkflowChange:
    """Set the Serial attribute of many SKUs.

    Where one may not change nothing is done, and the answer's `blocked` lists every reason of every SKU, unless
    `is_partial_ok`: then the others change. The SKUs stay locked until commit, so nothing can start to move meanwhile.
    """
    skus = list(Sku.objects.filter(pk__in=sku_ids).order_by("pk").select_for_update())
    plan = plan_workflow(skus=skus, workflow=workflow)
    if plan.blocked and not is_partial_ok:
        return plan
    ids = [sku.pk for sku in plan.changed]
    Sku.objects.filter(pk__in=ids).update(workflow=workflow, version=F("version") + 1, updated_at=timezone.now())
    audit.record_many(
        audit.entry(
            actor=actor,
            action="change",
            kind="sku",
            object_id=sku.pk,
            label=sku.code,
            changes={"workflow": (sku.workflow, workflow.value)},
        )
        for sku in plan.changed
    )
    return replace(plan, is_done=True)


def _refuse_blocked(sku: Sku) -> None:
    blockers = workflow_blockers([sku.pk])
    if blockers:
        raise Blocked(_("Serial can change only while the SKU has no inventory."), blockers[sku.pk])


def _code_taken(code: str, error: IntegrityError) -> DomainError:
    if "sku_code" not in str(error):
        raise error
    return Conflict(_("There is already a SKU %(code)s (upper and lower case are the same).") % {"code": code})
