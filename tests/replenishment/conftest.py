"""Who looks at the pages of replenishments, and what lies before them unless a module says otherwise."""

import pytest

from oms.tenancy import account_context
from tests.factories import make_serialized_sku
from tests.replenishment.factories import GTIN, make_submitted


@pytest.fixture
def web(client_for, olga):
    """A browser of the office."""
    return client_for(olga)


@pytest.fixture
def floor(client_for, wes):
    """A browser of the warehouse."""
    return client_for(wes)


@pytest.fixture
def sku(account_a):
    """Controlled by serials, with a GTIN."""
    with account_context(account_a):
        return make_serialized_sku(code="L2201316", gtin=GTIN)


@pytest.fixture
def made(account_a, sku):
    """Submitted, and nothing is planned: the warehouse's own serials are taken."""
    with account_context(account_a):
        return make_submitted((sku, 9), planned=False)
