"""Connections: made, changed, tested and asked at once."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Value
from django.db.models.functions import Least
from django.utils import timezone
from django.utils.translation import gettext as _, gettext_lazy

from channels_sync.contract import BaseConfigForm, Capability, Support, SyncError
from channels_sync.models import Connection, Cursor, Health
from channels_sync.queries.lists import has_exchanged
from channels_sync.queries.tenants import of_same_tenant, tenant
from channels_sync.registry import adapter_class
from channels_sync.services import health, runs
from channels_sync.services.adapters import Opened, open_adapter
from channels_sync.vault import HIDDEN, seal, unseal
from oms import outbox
from oms.errors import Conflict, DomainError
from oms.models import Bin, Person, WarehouseLink
from oms.queries.people import localised
from oms.services import audit

TEST_SECONDS = 8.0
LONGEST_BACK = timedelta(days=92)
SERVES = "connection.serves"
OTHER_TENANT = gettext_lazy(
    "This connection has exchanged messages, so it cannot become another one's: documents would be mixed up. "
    "Add a new connection and switch this one off."
)
TAKEN = {
    "connection_name": gettext_lazy("There is already a connection with this name."),
    "connection_one_per_warehouse": gettext_lazy("Another active connection runs this warehouse."),
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What a person says of a connection. `config` is the adapter's cleaned form; an empty secret keeps the old one."""

    name: str
    link: WarehouseLink | None
    config: Mapping[str, Any]
    options: Sequence[str] = ()
    is_active: bool = True
    seconds: int = 60
    default_bin: Bin | None = None


@transaction.atomic
def add(*, kind: str, given: Settings, actor: Person | None) -> Connection:
    """Make a connection; it is told what its warehouse expects already.

    Raises DomainError where the name is taken, the warehouse has another one, active or for the same tenant, or without
    keys.
    """
    found = Connection(kind=kind)
    _take_over(found, given)
    _refuse_twin(found)
    _save(found)
    for flow in adapter_class(kind).streams():
        Cursor.objects.create(connection=found, stream=flow)
    audit.record(
        actor=actor,
        action="create",
        kind="connection",
        object_id=found.pk,
        label=found.name,
        changes={name: (None, value) for name, value in _said(found).items()},
    )
    if _served(found):
        outbox.publish(SERVES, found)
    health.look_again()
    return found


@transaction.atomic
def change(*, connection_id: int, version: int, given: Settings, actor: Person | None) -> Connection:
    """Change a connection; it is called again at once, with what its old settings had stopped. Where it starts to serve
    a warehouse, it is told what that expects already.

    Raises Conflict where somebody else changed it since `version`, DomainError as `add` does, or where it would become
    another tenant's connection although it has exchanged messages.
    """
    found: Connection = Connection.objects.select_for_update(of=("self",)).get(pk=connection_id)
    if found.version != version:
        raise Conflict(_("Somebody else changed this connection meanwhile. Look at it and try again."))
    before, sealed, served = _said(found), found.secrets, _served(found)
    whose, link_id = tenant(found), found.link_id
    _take_over(found, given)
    if (tenant(found), found.link_id) != (whose, link_id):
        _refuse_twin(found)
    if tenant(found) != whose:
        if has_exchanged(found):
            raise DomainError(OTHER_TENANT)
        Cursor.objects.filter(connection=found).update(at=None)  # it may have moved over pages without documents
    found.version += 1
    _save(found)
    changes = {name: (before.get(name), value) for name, value in _said(found).items() if before.get(name) != value}
    if found.secrets != sealed:
        changes["secrets"] = (HIDDEN, _("changed"))
    if changes:
        Connection.objects.filter(pk=found.pk).update(health=Health.UNTRIED)
    audit.record(actor=actor, action="change", kind="connection", object_id=found.pk, label=found.name, changes=changes)
    if _served(found) not in {None, served}:
        outbox.publish(SERVES, found)
    health.resume(found.pk)
    return found


def _refuse_twin(found: Connection) -> None:
    """Two connections of one tenant for one warehouse would bring the same documents: raise DomainError."""
    twins = Connection.objects.filter(pk__in=of_same_tenant(found), link=found.link_id).exclude(pk=found.pk)
    if found.link_id is not None and (twin := twins.first()):
        raise DomainError(_("%(name)s is a connection to just this already. Use that one instead.") % {"name": twin})


def _served(found: Connection) -> int | None:
    """The warehouse link that a connection serves, None where it serves none or is off."""
    return found.link_id if found.is_active else None


def _take_over(found: Connection, given: Settings) -> None:
    cls = adapter_class(found.kind)
    secret_names = cls.ConfigForm.secret_fields
    kept = unseal(found.secrets) if secret_names and not _is_complete(given.config, secret_names) else {}
    asked = {name: value for name, value in given.config.items() if name not in secret_names}
    if kept and asked != found.config:
        raise DomainError(_("Enter the secrets again: they are not sent to another address without you."))
    entered = {name: str(given.config[name]) for name in secret_names if given.config.get(name)}
    if entered:
        found.secrets = seal({**kept, **entered})
    found.config = asked
    found.name, found.link, found.default_bin = given.name, given.link, given.default_bin
    found.is_active, found.seconds = given.is_active, given.seconds
    found.options = sorted(option for option in given.options if cls.support(Capability(option)) != Support.NONE)


def _is_complete(config: Mapping[str, Any], names: frozenset[str]) -> bool:
    return all(config.get(name) for name in names)


def _save(found: Connection) -> None:
    try:
        with transaction.atomic():
            found.save()
    except IntegrityError as error:
        for name, words in TAKEN.items():
            if name in str(error):
                raise DomainError(words) from error
        raise


def _said(found: Connection) -> dict[str, Any]:
    """What the audit log may hold of a connection: no secret."""
    return {
        "name": found.name,
        "system": found.kind,
        "warehouse": str(found.link) if found.link else "",
        **{name: str(value) for name, value in found.config.items()},
        "options": ", ".join(found.options),
        "active": found.is_active,
        "seconds": found.seconds,
        "default bin": str(found.default_bin) if found.default_bin else "",
    }


@dataclass(frozen=True)
class Tested:
    """What a test of a connection said."""

    is_good: bool
    words: str


def test(found: Opened) -> Tested:
    """Call the other side now, for TEST_SECONDS at most: a person waits for it. Notes nothing, needs no database."""
    try:
        with open_adapter(found, seconds=TEST_SECONDS) as adapter:
            return Tested(is_good=True, words=adapter.check())
    except SyncError as error:
        return Tested(is_good=False, words=str(error))
    except Exception:  # its answer may be anything
        log.exception("Connection %s could not be tested", found.pk)
        return Tested(is_good=False, words=str(runs.OUR_FAULT))


@transaction.atomic
def ask_now(*, connection_id: int) -> None:
    """Send and ask at once, also where the connection rests. Raises DomainError where it is not active."""
    found: Connection = Connection.objects.select_for_update(of=("self",)).get(pk=connection_id)
    if not found.is_active:
        raise DomainError(_("This connection is not active."))
    health.resume(found.pk)


@transaction.atomic
def ask_from(*, connection_id: int, since: date, actor: Person | None) -> None:
    """Ask at once, and for all that changed since a day began on the account's calendar; what is known stays as it is.

    Raises DomainError for a day to come or more than LONGEST_BACK ago, or where the connection is not active.
    """
    today = localised(timezone.now())
    if not today.date() - LONGEST_BACK <= since <= today.date():
        words = {"first": f"{today.date() - LONGEST_BACK}", "last": f"{today.date()}"}
        raise DomainError(_("Choose a day from %(first)s to %(last)s.") % words)
    ask_now(connection_id=connection_id)
    start = datetime.combine(since, time(), tzinfo=today.tzinfo)
    Cursor.objects.filter(connection=connection_id).update(sweep_from=Least("sweep_from", Value(start)))
    audit.record(
        actor=actor,
        action="read again",
        kind="connection",
        object_id=connection_id,
        label=Connection.objects.get(pk=connection_id).name,
        changes={"since": (None, f"{since}")},
    )


def connect_sandbox(
    *, link: WarehouseLink, client: str, url: str = "", token: str = "", name: str = "", actor: Person | None = None
) -> Connection:
    """Connect a warehouse of the current account to the sandbox, everything passed through; twice is once.

    `client` is the name under which the sandbox keeps this account's goods: use one of the account's own, its slug.
    `url` and `token` are settings.LOTLINE_SANDBOX_URL and …_TOKEN unless given.
    """
    config = {
        "url": url or settings.LOTLINE_SANDBOX_URL,
        "token": token or settings.LOTLINE_SANDBOX_TOKEN,
        "client": client,
    }
    form: BaseConfigForm = adapter_class("sandbox_wms").ConfigForm(config)
    if not form.is_valid():
        raise DomainError(f"{form.errors.as_json()}")
    given = Settings(
        name=name or _("Sandbox of %(warehouse)s") % {"warehouse": link},
        link=link,
        config=form.cleaned_data,
        options=[option.value for option in adapter_class("sandbox_wms").options],
        seconds=2,
    )
    known = Connection.objects.filter(kind="sandbox_wms", link=link).order_by("-is_active", "pk").first()
    if known is not None:  # the sandbox may have moved to another port since
        return change(connection_id=known.pk, version=known.version, given=given, actor=actor)
    return add(kind="sandbox_wms", given=given, actor=actor)
