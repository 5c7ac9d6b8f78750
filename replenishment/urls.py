"""The app's pages under `/<account>/…`; `oms.urls` includes them by name."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
