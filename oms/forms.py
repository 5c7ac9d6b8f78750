"""The platform's forms."""

from typing import Any

from django import forms
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

from oms.access import AccountForm
from oms.models import Account, Membership, Role, SavedView, Sku, Workflow
from oms.models.keys import validate_lines, validate_words
from oms.numbers import WholeNumberField


def workflow_choices() -> list[tuple[str, str]]:
    """The Serial choices with a sentence on each."""
    return [(workflow.value, f"{workflow.label}: {workflow.help}") for workflow in Workflow]


class SkuForm(AccountForm[Sku]):
    """Create or edit a SKU. Only an admin may set Serial; others see it."""

    version = WholeNumberField(widget=forms.HiddenInput, required=False, min_value=1)

    class Meta:
        model = Sku
        fields = ("code", "name", "product_id", "product_id_wh", "gtin", "workflow")
        widgets = {  # noqa: RUF012
            "code": forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
            "product_id": forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
            "product_id_wh": forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
            "gtin": forms.TextInput(attrs={"class": "mono", "inputmode": "numeric", "autocomplete": "off"}),
            "workflow": forms.RadioSelect,
        }

    def __init__(self, *args: Any, account: Account, may_set_serial: bool, **kwargs: Any) -> None:
        super().__init__(*args, account=account, **kwargs)
        self.fields["version"].initial = self.instance.version
        serial = self.fields["workflow"]
        serial.choices = workflow_choices()  # type: ignore[attr-defined]
        serial.help_text = _("Set it before stock is added: it can change only while the SKU has no inventory.")
        if not may_set_serial:
            serial.disabled = True
            serial.help_text = _("Only an admin of this account can set it.")

    def sku_fields(self) -> dict[str, Any]:
        """The cleaned values of the SKU's own fields."""
        return {name: self.cleaned_data[name] for name in self.Meta.fields}


class WorkflowForm(forms.Form):
    """The Serial attribute for many SKUs."""

    workflow = forms.ChoiceField(label=_("Serial"), widget=forms.RadioSelect, choices=workflow_choices)
    only_free = forms.BooleanField(required=False, widget=forms.HiddenInput)


class CatalogueUploadForm(forms.Form):
    """The SKU file."""

    file = forms.FileField(
        label=_("CSV file"),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"}),
        error_messages={"empty": _("This file is empty. Choose the file with your SKUs.")},
    )


ACCEPT_HINT = _("Why it is accepted.")
REFUSE_HINT = _("Why it is refused, and what becomes of the goods.")


class SettleForm(forms.Form):
    """Say how a discrepancy was settled."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=400,
        validators=[validate_lines],
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What was done about it."),
    )

    def __init__(self, *args: Any, hint: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if hint:
            self.fields["reason"].help_text = hint


class MemberForm(forms.Form):
    """Add a member."""

    email = forms.EmailField(label=_("Email"), max_length=254, validators=[validate_email, validate_words])
    name = forms.CharField(
        label=_("Name"), max_length=120, validators=[validate_words], help_text=_("Shown here until they have joined.")
    )
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.OPERATOR)


class RoleForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in stubs only
    """Change a member's role."""

    class Meta:
        model = Membership
        fields = ("role",)


class SavedViewForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in stubs only
    """A saved view's name, and who sees it."""

    class Meta:
        model = SavedView
        fields = ("name", "is_shared")
        labels = {"is_shared": _("Share with everybody in this account")}  # noqa: RUF012
        help_texts = {"is_shared": _("They can open it; only you and admins can change it.")}  # noqa: RUF012

    def __init__(self, *args: Any, may_share: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs |= {"autofocus": True, "autocomplete": "off"}
        self.fields["is_shared"].disabled = not may_share
