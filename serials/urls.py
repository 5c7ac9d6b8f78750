"""The app's pages under `/<account>/…`; `oms.urls` includes them by name."""

from django.urls import URLPattern, path

from serials import views

urlpatterns: list[URLPattern] = [
    path("inventory/serials/", views.serial_list, name="serials"),
    path("inventory/serials/<int:pk>/", views.unit_detail, name="serial"),
    path("inventory/serials/<int:pk>/history/", views.history, name="serial_history"),
    path("inventory/serials/<int:pk>/label/", views.label, name="serial_label"),
]
