"""The settings of a web server that tests start and ask about itself."""

from tests.worker_settings import *  # noqa: F403  (settings are a namespace)

ROOT_URLCONF = "tests.oms.probe_urls"
