"""The sync's forms."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from channels_sync.contract import Adapter, BaseConfigForm, Support
from channels_sync.models import Connection
from channels_sync.queries.lists import has_exchanged
from channels_sync.services.connections import OTHER_TENANT, Settings
from oms.models import Bin, BinKind, WarehouseLink
from oms.models.keys import validate_lines, validate_words
from oms.numbers import WholeNumberField
from oms.queries.keys import rows_by_text


class ConnectionForm(forms.Form):
    """What every connection has; the system's own settings are in a form beside this one (`config_form`)."""

    version = WholeNumberField(widget=forms.HiddenInput, required=False, min_value=1, initial=1)
    name = forms.CharField(label=_("Name"), max_length=80, validators=[validate_words])
    link = forms.ModelChoiceField(label=_("Warehouse"), queryset=WarehouseLink.objects.none(), empty_label=_("Select…"))
    default_bin = forms.CharField(
        label=_("Default bin"),
        max_length=80,
        required=False,
        help_text=_("Where goods lie when the warehouse names no bin: a pick bin of this warehouse."),
    )
    seconds = WholeNumberField(
        label=_("Ask every (seconds)"), min_value=2, max_value=86_400, initial=60, widget=forms.NumberInput
    )
    is_active = forms.BooleanField(label=_("Active"), required=False, initial=True)

    def __init__(self, data: Any, *, adapter: type[Adapter], instance: Connection | None = None) -> None:
        super().__init__(data, initial=_initial(instance))
        self.adapter = adapter
        link: forms.ModelChoiceField[WarehouseLink] = self.fields["link"]  # type: ignore[assignment]
        link.queryset = WarehouseLink.objects.select_related("warehouse").order_by("warehouse__name")
        for capability in adapter.options:
            is_possible = adapter.support(capability) != Support.NONE
            self.fields[capability.value] = forms.BooleanField(
                label=capability.label,
                required=False,
                disabled=not is_possible,
                initial=is_possible and instance is not None and capability.value in instance.options,
                help_text=str(
                    _("As a note for people.")
                    if adapter.support(capability) == Support.NOTE
                    else adapter.reason(capability)
                ),
            )

    def clean(self) -> dict[str, Any]:
        """Find the default bin by its name, in the chosen warehouse."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if name := data.get("default_bin"):
            bins = Bin.objects.filter(link=data.get("link"), kind=BinKind.PICK)
            found = rows_by_text(bins, [name], field="name").get(name)
            if found is None:
                self.add_error("default_bin", _("There is no pick bin with this name in this warehouse."))
            data["default_bin"] = found
        return data

    def given(self, config: dict[str, Any]) -> Settings:
        """What the person said, with the cleaned settings of the system."""
        data = self.cleaned_data
        return Settings(
            name=data["name"],
            link=data["link"],
            config=config,
            options=[capability.value for capability in self.adapter.options if data[capability.value]],
            is_active=data["is_active"],
            seconds=data["seconds"],
            default_bin=data["default_bin"] or None,
        )

    def common_fields(self) -> list[forms.BoundField]:
        """The fields before the system's own."""
        return [self[name] for name in ("name", "link")]

    def other_fields(self) -> list[forms.BoundField]:
        """The fields after them."""
        return [self[name] for name in ("default_bin", "seconds", "is_active")]

    def option_fields(self) -> list[forms.BoundField]:
        """The pass-through options."""
        return [self[capability.value] for capability in self.adapter.options]


def _initial(instance: Connection | None) -> dict[str, Any] | None:
    if instance is None:
        return None
    return {
        "version": instance.version,
        "name": instance.name,
        "link": instance.link_id,
        "default_bin": instance.default_bin.name if instance.default_bin else "",
        "seconds": instance.seconds,
        "is_active": instance.is_active,
    }


def config_form(adapter: type[Adapter], data: Any, instance: Connection | None = None) -> BaseConfigForm:
    """The system's own settings; saved secrets are never shown, and kept where nothing is entered. What says whose
    documents these are is fixed once there are some.
    """
    form = adapter.ConfigForm(data, prefix="config", initial=instance.config if instance else None)
    for name in adapter.ConfigForm.secret_fields:
        field = form.fields[name]
        field.widget.attrs["autocomplete"] = "new-password"
        if instance is not None and instance.secrets:
            field.required = False
            field.help_text = _("Leave it empty to keep the saved one. It is never shown again.")
    if instance is not None and has_exchanged(instance):
        for name in adapter.ConfigForm.identity_fields:
            form.fields[name].disabled, form.fields[name].help_text = True, OTHER_TENANT
    return form


class AskFromForm(forms.Form):
    """From which day on a connection is read again."""

    since = forms.DateField(
        label=_("From"),
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(attrs={"placeholder": _("yyyy-mm-dd"), "autocomplete": "off", "size": "10"}),
        error_messages={"invalid": _("Use the form yyyy-mm-dd.")},
        help_text=_(
            "Everything that the other side says has changed since this day is read again. What Lotline has already "
            "stays as it is; what it has not seen yet is applied."
        ),
    )


class ReasonForm(forms.Form):
    """Why a message is closed."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=400,
        validators=[validate_lines],
        help_text=_("It stays with the message and in the audit log."),
    )
