"""The site with one more page, which says how patient its process is; tests/probe_settings.py serves it."""

from django.contrib.auth.decorators import login_not_required
from django.http import JsonResponse
from django.urls import path

from oms import urls as real
from tests.meta.role_task import patience


@login_not_required
def patience_view(request, account_id):
    return JsonResponse(patience(account_id), safe=False)


urlpatterns = [path("t/patience/<int:account_id>/", patience_view), *real.urlpatterns]
handler404, handler500 = real.handler404, real.handler500
