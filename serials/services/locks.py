"""A lock that several services of this app take."""

from oms.models import Account
from oms.tenancy import current_account_id


def lock_account() -> None:
    """One change at a time of what an account sets once: it is held against all that the account has, or has not yet.

    Not the whole lock: whoever writes a row of the account refers to it when they commit, and must not wait.
    """
    Account.objects.select_for_update(no_key=True).get(pk=current_account_id())
