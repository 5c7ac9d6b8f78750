"""Every address of Lotline. Pages of an account live under its slug; the apps above are named by string."""

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path

from oms.views import (
    catalogue,
    catalogue_csv,
    discrepancies,
    files,
    frontdoor,
    jobs,
    layouts,
    orders,
    settings,
    styles,
)

handler400 = "oms.views.errors.bad_request"
handler403 = "oms.views.errors.forbidden"
handler404 = "oms.views.errors.not_found"
handler500 = "oms.views.errors.server_error"

account_patterns: list[URLPattern | URLResolver] = [
    path("", frontdoor.account_home, name="account_home"),
    path("inventory/skus/", catalogue.sku_list, name="skus"),
    path("inventory/skus/new/", catalogue.sku_new, name="sku_new"),
    path("inventory/skus/serial/", catalogue.sku_serial, name="sku_serial"),
    path("inventory/skus/template/", catalogue_csv.template, name="sku_template"),
    path("inventory/skus/upload/", catalogue_csv.upload, name="sku_upload"),
    path("inventory/skus/upload/<uuid:key>/", catalogue_csv.check, name="sku_check"),
    path("inventory/skus/upload/<uuid:key>/errors/", catalogue_csv.errors, name="sku_check_errors"),
    path("inventory/skus/<int:pk>/", catalogue.sku_detail, name="sku"),
    path("orders/", orders.order_list, name="orders"),
    path("orders/find/", orders.order_find, name="order_find"),
    path("orders/<int:pk>/", orders.order_detail, name="order"),
    path("discrepancies/", discrepancies.discrepancy_list, name="discrepancies"),
    path("discrepancies/<int:pk>/", discrepancies.detail, name="discrepancy"),
    path("discrepancies/<int:pk>/close/", discrepancies.close, name="discrepancy_close"),
    path("discrepancies/<int:pk>/accept/", discrepancies.accept, name="discrepancy_accept"),
    path("settings/members/", settings.member_list, name="members"),
    path("settings/members/new/", settings.member_new, name="member_new"),
    path("settings/members/<int:pk>/", settings.member, name="member"),
    path("settings/members/<int:pk>/remove/", settings.member_remove, name="member_remove"),
    path("settings/members/<int:pk>/invite/", settings.member_invite, name="member_invite"),
    path("settings/audit/", settings.audit_log, name="audit"),
    path("views/columns/", layouts.columns, name="columns"),
    path("views/new/", layouts.view_new, name="view_new"),
    path("views/<int:pk>/", layouts.view, name="view"),
    path("views/<int:pk>/update/", layouts.view_update, name="view_update"),
    path("views/<int:pk>/delete/", layouts.view_delete, name="view_delete"),
    path("jobs/", jobs.job_list, name="jobs"),
    path("jobs/tray/", jobs.tray, name="job_tray"),
    path("jobs/dismiss/", jobs.dismiss_all, name="job_dismiss_all"),
    path("jobs/<int:pk>/", jobs.detail, name="job"),
    path("jobs/<int:pk>/cancel/", jobs.cancel, name="job_cancel"),
    path("jobs/<int:pk>/dismiss/", jobs.dismiss, name="job_dismiss"),
    path("files/<uuid:key>/", files.download, name="file"),
    path("", include("serials.urls")),
    path("", include("replenishment.urls")),
    path("", include("channels_sync.urls")),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", frontdoor.home, name="home"),
    path("healthz/", frontdoor.healthz, name="healthz"),
    path("appearance/cards.css", styles.cards, name="cards"),
    path("sign-in/", frontdoor.SignIn.as_view(), name="sign_in"),
    path("sign-out/", LogoutView.as_view(), name="sign_out"),
    path("password/", frontdoor.Password.as_view(), name="password"),
    path("welcome/<str:uidb64>/<token>/", frontdoor.Welcome.as_view(), name="welcome"),
    path("accounts/", frontdoor.choose_account, name="accounts"),
    path("accounts/join/<token>/", frontdoor.join, name="join"),
    path("appearance/", frontdoor.appearance, name="appearance"),
    path("<slug:account_slug>/", include(account_patterns)),
]
