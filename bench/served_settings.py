"""The product's settings for a web server that also answers the SQL-only view."""

from oms.settings import *  # noqa: F403

ROOT_URLCONF = "bench.sql_only"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = False
