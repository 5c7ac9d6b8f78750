"""Forms that make a replenishment: sent twice, they make one."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any
from uuid import uuid4

from django.utils.translation import gettext as _

from oms import jobs
from oms.access import AccountRequest
from replenishment.models import Replenishment
from replenishment.views.documents import address


def made_once(request: AccountRequest, *, key: str, title: str, make: Callable[[], Replenishment]) -> Replenishment:
    """What `make` makes, or what it made when the same was sent from the same form before.

    Args:
        request: of the person; what it posts is part of the key: who goes back and changes something makes another one.
        key: the random one of the form; without one nothing is taken for the same.
        title: what the person's list of jobs calls it.
        make: called at most once for a key; what it raises leaves nothing behind.
    """
    sent = {name: values for name, values in sorted(request.POST.lists()) if name != "csrfmiddlewaretoken"}
    same = [request.path, key or uuid4().hex, sent]
    digest = sha256(json.dumps(same).encode()).hexdigest()[:40]

    def work() -> Mapping[str, Any]:
        made = make()
        link = {"label": made.number, "url": address(request, "replenishment", pk=made.pk)}
        return {"summary": _("%(number)s is added.") % {"number": made.number}, "link": link, "id": made.pk}

    job = jobs.do_now(
        "replenishment.create",
        title,
        {},
        person=request.user,
        idempotency_key=f"replenishment.create:{request.user.pk}:{digest}",
        work=work,
    )
    made: Replenishment = Replenishment.objects.get(pk=job.result["id"])
    return made
