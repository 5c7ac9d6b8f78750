"""The settings of a restore that is killed in its last step; see tests/oms/test_backup.py."""

from tests.settings import *  # noqa: F403  (settings are a namespace)

AFTER_RESTORE = ["tests.oms.runners.die"]
