"""The settings of the bench, for a web server that also answers the SQL-only view."""

import os
from importlib import import_module

_own = import_module(os.environ["LOTLINE_BENCH_SETTINGS"])
globals().update({name: getattr(_own, name) for name in dir(_own) if name.isupper()})
ROOT_URLCONF = "bench.sql_only"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = False
