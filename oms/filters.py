"""The platform's filters."""

from django.utils.translation import gettext_lazy as _

from oms.models import (
    AuditEntry,
    Discrepancy,
    DiscrepancyKind,
    Job,
    JobState,
    Membership,
    Order,
    OrderStatus,
    Role,
    Sku,
    Workflow,
)
from oms.ui.audit import ACTIONS, KINDS
from oms.ui.filters import ChoiceFilter, DayRangeFilter, FilterSet, SearchFilter, TextFilter


class SkuFilter(FilterSet):
    """Filters of the SKU list."""

    q = SearchFilter(
        "code", "name", "product_id", "product_id_wh", "gtin", placeholder=_("Search SKUs"), is_scanned=True
    )
    sku = TextFilter("code", label=_("SKU"), placeholder=_("Sku"))
    name = TextFilter("name", label=_("Name"), placeholder=_("Name"))
    product_id = TextFilter("product_id", label=_("ProductID"), placeholder=_("ProductID"))
    product_id_wh = TextFilter("product_id_wh", label=_("ProductIDWH"), placeholder=_("ProductIDWH"))
    gtin = TextFilter("gtin", label=_("GTIN"), placeholder=_("GTIN"), is_scanned=True)
    serial = ChoiceFilter(field_name="workflow", label=_("Serial"), choices=Workflow.choices)
    update = DayRangeFilter(field_name="updated_at", label=_("Update"))

    class Meta:
        model = Sku
        fields: tuple[str, ...] = ()


class OrderFilter(FilterSet):
    """Filters of the order list."""

    q = SearchFilter("number", "reference", placeholder=_("Search orders"))
    order = TextFilter("number", label=_("Order#"), placeholder=_("Order#"))
    reference = TextFilter("reference", label=_("Reference"), placeholder=_("Reference"))
    status = ChoiceFilter(label=_("Status"), choices=OrderStatus.choices)
    created = DayRangeFilter(field_name="created_at", label=_("Created"))

    class Meta:
        model = Order
        fields: tuple[str, ...] = ()


class DiscrepancyFilter(FilterSet):
    """Filters of the discrepancies."""

    q = SearchFilter(
        "summary",
        "kind",
        "sku__code",
        "serial",
        "process_id",
        placeholder=_("Search discrepancies"),
        is_scanned=True,
    )
    state = ChoiceFilter(field_name="is_open", label=_("State"), choices=[("1", _("Open")), ("0", _("Settled"))])
    summary = TextFilter("summary", label=_("What is wrong"), placeholder=_("What is wrong"))
    kind = ChoiceFilter(label=_("Kind"), choices=DiscrepancyKind.choices)
    sku = TextFilter("sku__code", label=_("SKU"), placeholder=_("Sku"))
    serial = TextFilter("serial", label=_("Serial"), placeholder=_("Serial"), is_scanned=True)
    process_id = TextFilter("process_id", label=_("ProcessID"), placeholder=_("ProcessID"))
    since = DayRangeFilter(field_name="created_at", label=_("Since"))

    class Meta:
        model = Discrepancy
        fields: tuple[str, ...] = ()


class JobFilter(FilterSet):
    """Filters of the job list."""

    q = SearchFilter("title", placeholder=_("Search jobs"))
    title = TextFilter("title", label=_("Job"), placeholder=_("Job"))
    state = ChoiceFilter(label=_("State"), choices=JobState.choices)
    started = DayRangeFilter(field_name="started_at", label=_("Started"))
    finished = DayRangeFilter(field_name="finished_at", label=_("Finished"))

    class Meta:
        model = Job
        fields: tuple[str, ...] = ()


class MemberFilter(FilterSet):
    """Filters of the member list."""

    q = SearchFilter("shown_name", "person__email", placeholder=_("Search members"))
    person = TextFilter("shown_name", label=_("Name"), placeholder=_("Name"))
    email = TextFilter("person__email", label=_("Email"), placeholder=_("Email"))
    role = ChoiceFilter(label=_("Role"), choices=Role.choices)
    since = DayRangeFilter(field_name="joined_at", label=_("Member since"))

    class Meta:
        model = Membership
        fields: tuple[str, ...] = ()


class AuditFilter(FilterSet):
    """Filters of the audit log."""

    q = SearchFilter("label", "actor__name", "action", "kind", placeholder=_("Search the log"))
    at = DayRangeFilter(label=_("When"))
    actor = TextFilter("actor__name", label=_("Who"), placeholder=_("Who"))
    action = ChoiceFilter(label=_("Action"), choices=list(ACTIONS.items()))
    kind = ChoiceFilter(label=_("Kind"), choices=list(KINDS.items()))
    label = TextFilter("label", label=_("What"), placeholder=_("What"))

    class Meta:
        model = AuditEntry
        fields: tuple[str, ...] = ()
