"""The sync's filters."""

from django.utils.translation import gettext_lazy as _

from channels_sync.contract import STREAMS, Flow
from channels_sync.models import (
    Action,
    Connection,
    Delivery,
    DeliveryState,
    InboundMessage,
    InboundState,
    Run,
    RunState,
)
from oms.ui.filters import ChoiceFilter, DayRangeFilter, FilterSet, SearchFilter, TextFilter


class ConnectionFilter(FilterSet):
    """Filters of the connections."""

    q = SearchFilter("name", "link__warehouse__name", placeholder=_("Search connections"))
    name = TextFilter("name", label=_("Name"), placeholder=_("Name"))
    warehouse = TextFilter("link__warehouse__name", label=_("Warehouse"), placeholder=_("Warehouse"))

    class Meta:
        model = Connection
        fields: tuple[str, ...] = ()


class RunFilter(FilterSet):
    """Filters of the runs."""

    q = SearchFilter("connection__name", "error", placeholder=_("Search runs"))
    started = DayRangeFilter(field_name="started_at", label=_("Started"))
    connection = TextFilter("connection__name", label=_("Connection"), placeholder=_("Connection"))
    flow = ChoiceFilter(label=_("Flow"), choices=Flow.choices)
    state = ChoiceFilter(label=_("State"), choices=RunState.choices)
    error = TextFilter("error", label=_("Error"), placeholder=_("Error"))

    class Meta:
        model = Run
        fields: tuple[str, ...] = ()


class DeliveryFilter(FilterSet):
    """Filters of the messages out."""

    q = SearchFilter("label", "remote_id", "connection__name", "error", placeholder=_("Search messages"))
    document = TextFilter("label", label=_("Document"), placeholder=_("Document"))
    action = ChoiceFilter(label=_("Message"), choices=Action.choices)
    connection = TextFilter("connection__name", label=_("Connection"), placeholder=_("Connection"))
    state = ChoiceFilter(label=_("State"), choices=DeliveryState.choices)
    remote_id = TextFilter("remote_id", label=_("Their number"), placeholder=_("Number"))
    created = DayRangeFilter(field_name="created_at", label=_("Created"))
    error = TextFilter("error", label=_("Error"), placeholder=_("Error"))

    class Meta:
        model = Delivery
        fields: tuple[str, ...] = ()


class InboundFilter(FilterSet):
    """Filters of the messages in."""

    q = SearchFilter("external_id", "connection__name", "error", placeholder=_("Search messages"))
    document = TextFilter("external_id", label=_("Their number"), placeholder=_("Number"))
    stream = ChoiceFilter(label=_("Message"), choices=[(flow.value, flow.label) for flow in STREAMS])
    connection = TextFilter("connection__name", label=_("Connection"), placeholder=_("Connection"))
    state = ChoiceFilter(label=_("State"), choices=InboundState.choices)
    received = DayRangeFilter(field_name="received_at", label=_("Received"))
    error = TextFilter("error", label=_("Error"), placeholder=_("Error"))

    class Meta:
        model = InboundMessage
        fields: tuple[str, ...] = ()
