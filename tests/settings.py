"""The real settings with the few lines that tests need: nothing of the stack is replaced by a fake."""

import os
import tempfile
from pathlib import Path

from oms.settings import *  # noqa: F403  (the one place: settings are a namespace)
from oms.settings import CACHES, CELERY_BROKER_TRANSPORT_OPTIONS, DATABASES, INSTALLED_APPS, STORAGES

# One name for a whole session, its xdist workers and its subprocesses, so that several sessions can run side by side.
SESSION = os.environ.setdefault("LOTLINE_TEST_SESSION", str(os.getpid()))
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
PREFIX = f"test-{SESSION}-{WORKER}:"

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 0

# A session that was started by this one (a worker, a command) gets its database by DATABASE_URL, and no suffix.
DATABASES["owner"]["TEST"] |= {"NAME": f"test_lotline_{SESSION}", "TEMPLATE": f"test_lotline_{SESSION}_template"}
CACHES["default"]["KEY_PREFIX"] = PREFIX
CELERY_BROKER_TRANSPORT_OPTIONS = {**CELERY_BROKER_TRANSPORT_OPTIONS, "global_keyprefix": PREFIX}

CELERY_IMPORTS = ["tests.meta.role_task"]  # a task that tells the worker's database role

# A table of each kind that the platform has not got itself: partitioned, colocated, append-only; see tests/wallapp.
INSTALLED_APPS = [*INSTALLED_APPS, "tests.wallapp"]

STATIC_ROOT = None  # static files as they lie, without collectstatic
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
FILES_ROOT = Path(tempfile.gettempdir()) / f"lotline-test-{SESSION}" / WORKER
STORAGES = {
    **STORAGES,
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": FILES_ROOT}},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
