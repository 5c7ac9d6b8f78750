"""Secrets: sealed, rotated, never shown."""

import pytest
from cryptography.fernet import Fernet

from channels_sync.models import Connection
from channels_sync.vault import HIDDEN, NoKeys, check_keys, redacted, reseal, seal, unseal
from oms.errors import DomainError
from oms.models import AuditEntry
from oms.tenancy import account_context
from tests.channels_sync.samples import make_connection

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_keys_rotate(settings):
    settings.LOTLINE_SECRETS_KEYS = [OLD]
    sealed = seal({"token": "very-secret"})
    assert "very-secret" not in sealed
    settings.LOTLINE_SECRETS_KEYS = [NEW, OLD]
    assert unseal(sealed) == {"token": "very-secret"}
    again = reseal(sealed)
    settings.LOTLINE_SECRETS_KEYS = [NEW]
    assert unseal(again) == {"token": "very-secret"}
    with pytest.raises(DomainError, match="enter them again"):
        unseal(sealed)


def test_over_https_nothing_is_stored_without_a_key(settings):
    settings.LOTLINE_SECRETS_KEYS, settings.IS_HTTPS, settings.IS_CONFIGURED = [], True, True
    with pytest.raises(NoKeys):
        seal({"token": "x"})
    assert [found.id for found in check_keys()] == ["lotline.W010"]
    settings.LOTLINE_SECRETS_KEYS = ["not a key"]
    assert [found.id for found in check_keys()] == ["lotline.E010"]
    settings.LOTLINE_SECRETS_KEYS = [NEW]
    assert check_keys() == []


def test_what_looks_like_a_secret_is_left_out():
    raw = {"Api_Key": "s", "deep": [{"accessToken": "s", "sku": "A\0B"}]}
    assert redacted(raw) == {"Api_Key": HIDDEN, "deep": [{"accessToken": HIDDEN, "sku": "A\ufffdB"}]}


@pytest.mark.django_db
def test_a_saved_secret_is_on_no_page_and_in_no_log(account_a, ana, client_for):
    with account_context(account_a):
        made = make_connection()
        assert "very-secret" not in repr(Connection.objects.values().get(pk=made.pk))
        assert "very-secret" not in repr(list(AuditEntry.objects.values()))
    client = client_for(ana)
    for page in ("", "change/"):
        answer = client.get(f"/acme/sync/connections/{made.pk}/{page}")
        assert answer.status_code == 200
        assert "very-secret" not in answer.content.decode()
