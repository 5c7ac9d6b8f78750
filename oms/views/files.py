"""The way out of the private file store."""

import logging
from uuid import UUID

from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from oms.access import AccountRequest, require_role
from oms.files import open_file
from oms.models import EVERYONE
from oms.queries.jobs import readable_files

log = logging.getLogger(__name__)


@require_safe
@require_role(EVERYONE)
def download(request: AccountRequest, key: UUID) -> FileResponse:
    """A file's bytes, always as a download: nothing that a person uploaded is ever shown by the browser as a page."""
    stored = get_object_or_404(readable_files(request.membership), key=key)
    try:
        file = open_file(stored)
    except FileNotFoundError as error:
        log.exception("The bytes of file %s of account %s are gone", stored.pk, stored.account_id)
        raise Http404 from error
    response = FileResponse(file, as_attachment=True, filename=stored.name, content_type=stored.content_type)
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response
