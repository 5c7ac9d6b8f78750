"""The app's pages under `/<account>/…`; `oms.urls` includes them by name."""

from django.urls import URLPattern, path

from serials.views import (
    actions,
    attributes_csv,
    edit,
    find_many,
    grid,
    label_settings,
    labels,
    schemes,
    sku_numbers,
    stock,
    units,
)

urlpatterns: list[URLPattern] = [
    path("inventory/serials/", grid.serial_list, name="serials"),
    path("inventory/serials/find/", find_many.find, name="serials_find"),
    path("inventory/serials/find/<uuid:key>/", find_many.found, name="serials_found"),
    path("inventory/serials/find/<uuid:key>/<slug:group>/", find_many.group_csv, name="serials_found_file"),
    path("inventory/serials/history/", actions.history_file, name="serials_history"),
    path("inventory/serials/labels/", actions.labels, name="serials_labels"),
    path("inventory/serials/attributes/", actions.add_attributes, name="serials_attributes"),
    path("inventory/serials/attributes/csv/", attributes_csv.upload, name="serials_attributes_csv"),
    path("inventory/serials/attributes/csv/template/", attributes_csv.template, name="serials_attributes_template"),
    path("inventory/serials/attributes/csv/<uuid:key>/", attributes_csv.check, name="serials_attributes_check"),
    path(
        "inventory/serials/attributes/csv/<uuid:key>/failed/", attributes_csv.failed, name="serials_attributes_failed"
    ),
    path("inventory/skus/<int:pk>/numbers/", sku_numbers.numbers, name="sku_numbers"),
    path("inventory/skus/<int:pk>/numbers/try/", sku_numbers.try_number, name="sku_try"),
    path("settings/numbers/", schemes.scheme_list, name="schemes"),
    path("settings/numbers/new/", schemes.scheme_new, name="scheme_new"),
    path("settings/numbers/preview/", schemes.preview, name="scheme_preview"),
    path("settings/numbers/<int:pk>/", schemes.scheme, name="scheme"),
    path("settings/numbers/<int:pk>/archive/", schemes.archive, name="scheme_archive"),
    path("inventory/serials/<int:pk>/", units.unit_detail, name="serial"),
    path("inventory/serials/<int:pk>/history/", units.history, name="serial_history"),
    path("inventory/serials/<int:pk>/label/", units.label, name="serial_label"),
    path("inventory/serials/<int:pk>/notes/", edit.oms_notes, name="serial_notes"),
    path("inventory/stock/", stock.stock_list, name="stock"),
    path("inventory/stock/labels/", labels.bins, name="stock_labels"),
    path("settings/labels/", label_settings.label_sheets, name="label_sheets"),
    path("settings/labels/prints/", label_settings.label_prints, name="label_prints"),
    path("inventory/serials/<int:pk>/attributes/", edit.attributes, name="serial_attributes"),
]
