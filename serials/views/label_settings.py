"""Settings of labels, and the ledger of what was printed."""

from base64 import b64encode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _, gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from oms import files
from oms.access import AccountRequest, require_role
from oms.models import ADMINS, EVERYONE
from oms.ui.views import Empty, TableView
from serials.filters import LabelPrintFilter
from serials.forms.labels import LabelSettingForm
from serials.labels import Symbology
from serials.models import LabelSetting
from serials.queries import prints as queries
from serials.services import prints as services
from serials.tables import LabelPrintTable


class LabelPrintList(TableView):
    """Settings → Label prints."""

    queryset = staticmethod(queries.print_rows)
    table_class = LabelPrintTable
    filterset_class = LabelPrintFilter
    title, section, icon = gettext_lazy("Label prints"), gettext_lazy("Settings"), "printer"
    noun = staticmethod(lambda count: ngettext("print", "prints", count))
    empty = Empty(
        "printer",
        gettext_lazy("No labels printed yet"),
        gettext_lazy("Every file of labels is listed here: what, when, by whom, and how many were printed before."),
    )


label_prints = LabelPrintList.page(EVERYONE)


def _logo(setting: LabelSetting) -> str:
    """The stored logo as an address of its own, because the addresses of files are downloads."""
    if not setting.logo:
        return ""
    with files.open_file(setting.logo) as file:
        return f"data:image/png;base64,{b64encode(file.read()).decode()}"


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(ADMINS)
def label_sheets(request: AccountRequest) -> HttpResponse:
    """Settings → Label sheets: what is usual, the logo, and what printers are off by."""
    setting = queries.label_setting()
    form = LabelSettingForm(request.POST or None, request.FILES or None, setting=setting, shifts=queries.shifts())
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        services.save_label_setting(
            sheet=data["sheet"],
            symbology=Symbology(data["symbology"]),
            resolver=data["resolver"],
            offsets=form.offsets,
            logo=form.new_logo,
            is_logo_removed=data.get("remove_logo", False),
            actor=request.user,
        )
        messages.success(request, _("Label sheets are saved."))
        return redirect("label_sheets", account_slug=request.account.slug)
    context = {"form": form, "logo": _logo(setting), "page_title": _("Label sheets"), "page_icon": "printer"}
    context |= {"section_label": _("Settings"), "submit_label": _("Save"), "multipart": True}
    return render(request, "serials/label_sheets.html", context, status=422 if form.errors else 200)
