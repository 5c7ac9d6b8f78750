"""The app's pages under `/<account>/…`; `oms.urls` includes them by name."""

from django.urls import URLPattern, path

from replenishment.views import documents, drafts, heads, lists, lots, planning, receipts, receiving, uploads

urlpatterns: list[URLPattern] = [
    path("replenishments/", lists.replenishment_list, name="replenishments"),
    path("replenishments/new/", drafts.new, name="replenishment_new"),
    path("replenishments/find/", lists.find, name="replenishment_find"),
    path("replenishments/skus/", lists.suggest, name="replenishment_skus"),
    path("replenishments/<int:pk>/", documents.detail, name="replenishment"),
    path("replenishments/<int:pk>/at-work/", documents.at_work, name="replenishment_at_work"),
    path("replenishments/<int:pk>/lines/", drafts.lines, name="replenishment_lines"),
    path("replenishments/<int:pk>/edit/", heads.edit, name="replenishment_edit"),
    path("replenishments/<int:pk>/duplicate/", heads.duplicate, name="replenishment_duplicate"),
    path("replenishments/<int:pk>/lines/csv/", uploads.lines, name="replenishment_lines_csv"),
    path("replenishments/<int:pk>/lines/csv/<uuid:key>/", uploads.check_lines, name="replenishment_lines_check"),
    path("replenishments/<int:pk>/serials/csv/", uploads.serials, name="replenishment_serials_csv"),
    path("replenishments/<int:pk>/serials/csv/<uuid:key>/", uploads.check_serials, name="replenishment_serials_check"),
    path("replenishments/lines/<int:pk>/lots/", lots.line_lots, name="replenishment_line_lots"),
    path("replenishments/lines/<int:pk>/serials/", planning.line_serials, name="replenishment_line_serials"),
    path("replenishments/<int:pk>/generate/", planning.generate, name="replenishment_generate"),
    path("replenishments/<int:pk>/serials/", planning.generated, name="replenishment_generated"),
    path("replenishments/<int:pk>/serials/download/", planning.download, name="replenishment_download"),
    path("replenishments/<int:pk>/serials/labels/", planning.labels, name="replenishment_labels"),
    path("replenishments/<int:pk>/serials/labels/options/", planning.label_options, name="replenishment_label_options"),
    path("replenishments/serials/", lists.expected_serials, name="replenishment_serials"),
    path("replenishments/<int:pk>/receive/", receiving.receive, name="replenishment_receive"),
    path("replenishments/<int:pk>/receive/all/", receiving.receive_all, name="replenishment_receive_all"),
    path("replenishments/lines/<int:pk>/check/", receiving.check, name="replenishment_check"),
    path("replenishments/<int:pk>/accept/", receipts.accept_all, name="replenishment_accept"),
    path("replenishments/<int:pk>/refuse/", receipts.refuse_all, name="replenishment_refuse"),
    path("replenishments/<int:pk>/submit/", documents.submit, name="replenishment_submit"),
    path("replenishments/<int:pk>/cancel/", documents.cancel, name="replenishment_cancel"),
    path("replenishments/<int:pk>/close/", documents.close_short, name="replenishment_close"),
    path("replenishments/<int:pk>/archive/", documents.archive, name="replenishment_archive"),
    path("replenishments/receipts/<int:pk>/", receipts.receipt, name="replenishment_receipt"),
    path("replenishments/receipts/<int:pk>/serials/", receipts.receipt_serials, name="replenishment_receipt_serials"),
    path("replenishments/receipts/<int:pk>/undo/", receipts.undo, name="replenishment_receipt_undo"),
]
