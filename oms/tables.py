"""The platform's tables."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy

from oms.models import (
    AuditEntry,
    BinKind,
    CaseState,
    Discrepancy,
    DiscrepancyKind,
    Job,
    JobState,
    Membership,
    MemberState,
    Order,
    OrderStatus,
    Role,
    Sku,
    Workflow,
)
from oms.ui.audit import ACTIONS, KINDS, ChangesColumn, CodeColumn
from oms.ui.columns import (
    BadgeColumn,
    Column,
    Frame,
    MonoColumn,
    MonoLinkColumn,
    NameLinkColumn,
    NumberColumn,
    Tone,
    WhenColumn,
    escape,
)
from oms.ui.controls import CheckColumn, RowLinkColumn
from oms.ui.links import document_url
from oms.ui.tables import Table

WORKFLOW_TONES = {
    Workflow.OUT: Tone("info", "arrow"),
    Workflow.IN_OUT: Tone("good", "dot"),
    Workflow.OUT_BULK: Tone("info", "square"),
    Workflow.NO: Tone("neutral", "ring"),
}
BIN_TONES = {
    BinKind.PICK: Tone("good", "dot"),
    BinKind.RESERVED: Tone("warn", "bars"),
    BinKind.DAMAGED: Tone("bad", "triangle"),
}
ORDER_TONES = {
    OrderStatus.OPEN: Tone("info", "ring"),
    OrderStatus.SHIPPED: Tone("good", "check"),
    OrderStatus.CANCELLED: Tone("neutral", "cross"),
}


CASE_TONES = {
    CaseState.OPEN: Tone("warn", "triangle"),
    CaseState.ACCEPTED: Tone("good", "check"),
    CaseState.REFUSED: Tone("neutral", "cross"),
    CaseState.SETTLED: Tone("neutral", "check"),
}
JOB_TONES = {
    JobState.QUEUED: Tone("neutral", "ring"),
    JobState.RUNNING: Tone("info", "half"),
    JobState.DONE: Tone("good", "check"),
    JobState.FAILED: Tone("bad", "triangle"),
    JobState.CANCELLED: Tone("warn", "cross"),
}
ROLE_TONES = {Role.ADMIN: Tone("info", "square")}
MEMBER_TONES = {MemberState.INVITED: Tone("warn", "ring"), MemberState.JOINED: Tone("good", "check")}


class SkuTable(Table):
    """SKUs, for people who only look."""

    sku = MonoLinkColumn(label=gettext_lazy("SKU"), accessor="code", order_by="code", route="sku")
    name = NameLinkColumn(label=gettext_lazy("Name"), route="sku")
    product_id = MonoColumn(label=gettext_lazy("ProductID"))
    product_id_wh = MonoColumn(label=gettext_lazy("ProductIDWH"))
    gtin = MonoColumn(label=gettext_lazy("GTIN"))
    serial = BadgeColumn(
        label=gettext_lazy("Serial"), accessor="workflow", order_by="workflow", choices=Workflow, tones=WORKFLOW_TONES
    )
    update = WhenColumn(label=gettext_lazy("Update"), accessor="updated_at", order_by="updated_at")

    class Meta:
        model = Sku
        fields = ("sku", "name", "product_id", "product_id_wh", "gtin", "serial", "update")
        order_by = "sku"


class SkuAdminTable(SkuTable):
    """SKUs, for people who change many at once."""

    select = CheckColumn(named_by="code")

    class Meta(SkuTable.Meta):
        sequence = ("select", "...")


class DocumentColumn(MonoColumn):
    """The number of a document, with its page where there is one.

    `process_type` says what kind of document it is; without it the record's own does.
    """

    def __init__(self, *args: Any, process_type: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.process_type = process_type

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """The link, or the number alone."""
        url = document_url(frame.account_slug, self.process_type or record.process_type, value)
        return f'<a href="{escape(url)}">{escape(value)}</a>' if url else str(escape(value))


class OrderTable(Table):
    """Orders."""

    order = MonoLinkColumn(label=gettext_lazy("Order#"), accessor="number", order_by="number", route="order")
    reference = Column(label=gettext_lazy("Reference"))
    status = BadgeColumn(label=gettext_lazy("Status"), choices=OrderStatus, tones=ORDER_TONES)
    line_count = NumberColumn(label=gettext_lazy("Lines"))
    quantity = NumberColumn(label=gettext_lazy("Quantity"))
    flagged = NumberColumn(label=gettext_lazy("To look at"))
    created = WhenColumn(label=gettext_lazy("Created"), accessor="created_at", order_by="created_at")

    class Meta:
        model = Order
        fields = ("order", "reference", "status", "line_count", "quantity", "flagged", "created")
        order_by = "-created"


class DiscrepancyTable(Table):
    """Discrepancies, the open ones first."""

    state = BadgeColumn(label=gettext_lazy("State"), order_by="is_open", choices=CaseState, tones=CASE_TONES)
    summary = NameLinkColumn(label=gettext_lazy("What is wrong"), route="discrepancy")
    kind = CodeColumn(label=gettext_lazy("Kind"), words=dict(DiscrepancyKind.choices))
    sku = MonoLinkColumn(
        label=gettext_lazy("SKU"), accessor="sku__code", order_by="sku__code", route="sku", target="sku_id"
    )
    serial = MonoColumn(label=gettext_lazy("Serial"))
    process_id = DocumentColumn(label=gettext_lazy("ProcessID"))
    since = WhenColumn(label=gettext_lazy("Since"), accessor="created_at", order_by="created_at")

    class Meta:
        model = Discrepancy
        fields = ("state", "summary", "kind", "sku", "serial", "process_id", "since")
        order_by = ("-state", "-since")


class MemberTable(Table):
    """Who may do what in this account."""

    person = Column(label=gettext_lazy("Name"), accessor="shown_name", order_by="shown_name")
    email = Column(label=gettext_lazy("Email"), accessor="person__email", order_by="person__email")
    role = BadgeColumn(label=gettext_lazy("Role"), choices=Role, tones=ROLE_TONES)
    state = BadgeColumn(label=gettext_lazy("State"), order_by="joined_at", choices=MemberState, tones=MEMBER_TONES)
    since = WhenColumn(label=gettext_lazy("Member since"), accessor="joined_at", order_by="joined_at")

    class Meta:
        model = Membership
        fields = ("person", "email", "role", "state", "since")
        order_by = "person"


class MemberAdminTable(MemberTable):
    """The same, with a way to change each."""

    edit = RowLinkColumn(
        route="member", icon_name="pencil", said=gettext_lazy("Change %(what)s"), named_by="shown_name"
    )

    class Meta(MemberTable.Meta):
        sequence = ("...", "edit")


class FileColumn(Column):
    """A stored file, to download."""

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """Its name as a link."""
        url = reverse("file", kwargs={"account_slug": frame.account_slug, "key": value.key})
        return f'<a href="{url}">{escape(value)}</a>'


class JobTable(Table):
    """Background jobs, the newest first: one that waits was not started yet, which counts as latest."""

    title = NameLinkColumn(label=gettext_lazy("Job"), route="job")
    state = BadgeColumn(label=gettext_lazy("State"), choices=JobState, tones=JOB_TONES)
    started = WhenColumn(label=gettext_lazy("Started"), accessor="started_at", order_by="started_at")
    finished = WhenColumn(label=gettext_lazy("Finished"), accessor="finished_at", order_by="finished_at")
    result = FileColumn(label=gettext_lazy("File"), accessor="result_file", orderable=False)

    class Meta:
        model = Job
        fields = ("title", "state", "started", "finished", "result")
        order_by = "-started"


class JobAdminTable(JobTable):
    """The same of everybody; nobody is the system."""

    person = Column(label=gettext_lazy("Who"), accessor="person__name", order_by="person__name")

    class Meta(JobTable.Meta):
        sequence = ("title", "person", "...")


class AuditTable(Table):
    """Who changed what."""

    at = WhenColumn(label=gettext_lazy("When"))
    actor = Column(label=gettext_lazy("Who"), accessor="actor__name", order_by="actor__name")
    action = CodeColumn(label=gettext_lazy("Action"), words=ACTIONS)
    kind = CodeColumn(label=gettext_lazy("Kind"), words=KINDS)
    label = Column(label=gettext_lazy("What"))
    changes = ChangesColumn(label=gettext_lazy("Changes"), orderable=False)

    class Meta:
        model = AuditEntry
        fields = ("at", "actor", "action", "kind", "label", "changes")
        order_by = "-at"
