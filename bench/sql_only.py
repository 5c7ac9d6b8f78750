"""The addresses of the product and one more, whose view runs the SQL of the grid by hand and nothing else."""

from django.db import connection
from django.http import HttpResponse, JsonResponse
from django.urls import path

from oms.access import AccountRequest, require_role
from oms.models import EVERYONE
from oms.urls import urlpatterns as product

PAGE = """
SELECT u.*, s.code, s.product_id, s.product_id_wh, b.name AS bin, l.name AS location
FROM serials_unit_v u JOIN oms_sku_v s ON s.account_id = u.account_id AND s.id = u.sku_id
LEFT JOIN oms_bin_v b ON b.account_id = u.account_id AND b.id = u.bin_id
LEFT JOIN oms_location_v l ON l.account_id = b.account_id AND l.id = b.location_id
WHERE u.account_id = %s AND NOT u.is_void ORDER BY u.updated_at DESC, u.id DESC LIMIT 51
"""
COUNT = "SELECT count(*) FROM (SELECT FROM serials_unit_v WHERE account_id = %s AND NOT is_void LIMIT 10001) m"


@require_role(EVERYONE)
def rows(request: AccountRequest) -> HttpResponse:
    """The page and the count."""
    with connection.cursor() as cursor:
        cursor.execute(PAGE, [request.account.pk])
        found = cursor.fetchall()
        cursor.execute(COUNT, [request.account.pk])
        total = cursor.fetchone()
    return JsonResponse({"total": total, "rows": [row[0] for row in found]})


urlpatterns = [path("<slug:account_slug>/bench/sql/", rows), *product]
