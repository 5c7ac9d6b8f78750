"""Who looks at the pages of replenishments."""

import pytest


@pytest.fixture
def web(client_for, olga):
    """A browser of the office."""
    return client_for(olga)
