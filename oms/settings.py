"""All settings of Lotline, read from the environment; every variable is in `.env.example`.

`manage.py up` writes the values of its embedded servers to `<state>/env`, so that other management commands find them
while it runs. Importing this module needs neither a database nor Valkey.
"""

from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from oms.embedded.lock import is_held

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
STATE_DIR = Path(env.str("LOTLINE_STATE", default=str(BASE_DIR / ".lotline")))
# After a power cut it names servers that are dead: nobody holds the lock then.
if "DATABASE_URL" not in env and (STATE_DIR / "env").is_file() and is_held(STATE_DIR / "lock"):
    environ.Env.read_env(STATE_DIR / "env")

# --- the process ------------------------------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
IS_CONFIGURED = "DATABASE_URL" in env
# What this process is: the set that runs says it of each of its processes; empty is whatever else a person starts.
PROCESS = env.str("LOTLINE_PROCESS", default="")
if IS_CONFIGURED and "SECRET_KEY" not in env:
    raise ImproperlyConfigured(
        "Set SECRET_KEY to a long random text; DATABASE_URL is set, so this is a real installation."
    )
SECRET_KEY = env.str("SECRET_KEY", default="no-server-is-running-so-nothing-is-signed-with-this-text-yet")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
ROOT_URLCONF = "oms.urls"
WSGI_APPLICATION = "oms.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "oms",
    "serials",
    "replenishment",
    "channels_sync",
    "axes",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django.forms",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_filters",
    "django_htmx",
    "django_tables2",
    "csp",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",  # its files say themselves how long they are kept, and are compressed
    "oms.answers.NoStoreMiddleware",
    "oms.answers.CompressionMiddleware",
    "oms.gate.GateMiddleware",  # nothing above reads a body; what it refuses carries the headers of every answer
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "oms.access.SignInMiddleware",
    "oms.access.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "oms.nav.frame",
            ],
        },
    },
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"


# --- PostgreSQL: two roles, one database (see docs/adr/0002) ----------------------------------------------------------
def _database(variable: str, **more: object) -> dict[str, object]:
    """One entry of DATABASES from a URL in `variable`; without it an entry that says so when it is used."""
    found = env.db_url(variable) if variable in env else {"NAME": ""}
    return {**found, "ENGINE": "oms.postgresql", "CONN_HEALTH_CHECKS": True, **more}


DATABASES = {
    # A full pool, or a server that is away, must become an error page soon, not a browser that hangs for half a minute.
    "default": _database(
        "DATABASE_URL",
        OPTIONS={"connect_timeout": 3, "pool": {"min_size": 1, "max_size": 8, "timeout": 4}},
        TEST={"MIRROR": "owner"},
    ),
    "owner": _database("DATABASE_OWNER_URL", OPTIONS={"connect_timeout": 3}, TEST={"DEPENDENCIES": []}),
}

# How long a statement may take, wait for a lock, and leave its transaction open without a word: told to PostgreSQL with
# the account (oms/tenancy.py). A page says soon that something holds it up; a job may take its time. Not for what no
# process of the set does: migrations, backup and restore, bench, commands.
_QUICK = {"statement_timeout": "120s", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "60s"}
_PATIENCE: dict[str, dict[str, str]] = {
    "": {},
    "web": {"statement_timeout": "30s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "30s"},
    "worker": _QUICK,
    "sync": _QUICK,
    "jobs": {"lock_timeout": "60s"},
}
if PROCESS not in _PATIENCE:
    raise ImproperlyConfigured(f"LOTLINE_PROCESS is {PROCESS!r}. It is web, worker, sync, jobs, or not set.")
PATIENCE = _PATIENCE[PROCESS]

# --- Valkey and Celery ------------------------------------------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:9/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 2},
    },
}
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A worker that is killed leaves its message unacknowledged; these give it back after the timeout, without the default
# scan's delay of up to two minutes beyond it. The timeout must exceed the longest task: jobs renew themselves in steps.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": env.int("LOTLINE_VISIBILITY_TIMEOUT", default=900),
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
}
# With a full disk Valkey refuses to hand anything out; a worker waits for that to end, as where Valkey is away.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
# One worker for each queue: neither a few long jobs nor a few systems that do not answer keep the dispatcher from its
# two seconds. What may take minutes belongs to `jobs`. What asks other systems belongs to `sync`. Both quick ones wait
# most of the time, so threads are enough, and take half the memory of processes; a job may be stopped or grow, and has
# a process. `up` and docker-compose.yml start exactly these: name -> (queue, kind of pool, how many tasks at once).
WORKERS = {"worker": ("celery", "threads", 2), "sync": ("sync", "threads", 4), "jobs": ("jobs", "prefork", 2)}
CELERY_TASK_QUEUES = {queue: {"exchange": queue, "routing_key": queue} for queue, _pool, _count in WORKERS.values()}
CELERY_TASK_ROUTES = {
    "oms.tasks.run_jobs": {"queue": "jobs"},
    "oms.tasks.tidy": {"queue": "jobs"},
    "channels_sync.tasks.*": {"queue": "sync"},
}
# Beat keeps no file and sends only the dispatcher, by a clock that nobody sets: see STEADILY in oms/celery.py.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
# How often the dispatcher makes work of a kind due for every account, in seconds by the database's clock.
ROUNDS = {
    "outbox": 3600,
    "job": 3600,
    "waits": 3600,
    "sync.push": 900,
    "sync.pull": 900,
    "tidy": 86_400,
}

# --- people -----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "oms.Person"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "oms.services.people.PersonBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign_in"
# Ten wrong passwords for one person from one address lock that pair for fifteen minutes; the same person from elsewhere
# is not locked out by somebody who guesses. See oms/services/guessing.py for one address that tries many people.
AXES_HANDLER = "oms.services.guessing.GuessHandler"
AXES_FAILURE_LIMIT = 10
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # what is refused unseen is no wrong password
AXES_SENSITIVE_PARAMETERS = ["username", "old_password", "new_password1", "new_password2"]  # not kept with a failure
AXES_COOLOFF_TIME = 0.25
AXES_USERNAME_FORM_FIELD = "username"
AXES_USERNAME_CALLABLE = "oms.services.people.signing_in_as"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "oms.views.frontdoor.locked_out"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# --- the browser ------------------------------------------------------------------------------------------------------
IS_HTTPS = env.bool("LOTLINE_HTTPS", default=True)
# How many proxies stand in front; oms/webserver.py believes so many of what they say of the client.
LOTLINE_PROXIES = env.int("LOTLINE_PROXIES", default=0)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = IS_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz/$"]
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if LOTLINE_PROXIES else None
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "lotline_session", "lotline_csrf"
SESSION_COOKIE_AGE = 14 * 24 * 3600
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CSRF_FAILURE_VIEW = "oms.views.errors.csrf_failure"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- files ------------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.str("LOTLINE_STATIC_ROOT", default=str(STATE_DIR / "static")))
FILES_ROOT = Path(env.str("LOTLINE_FILES", default=str(STATE_DIR / "files")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": FILES_ROOT}},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
# Of an upload. oms/webserver.py takes a little more of any request, so that what is just too large gets a page of ours.
LOTLINE_MOST_BODY = 30 * 1024 * 1024
# The widest form is that of a replenishment's 1,000 lines with six fields each; DELETE makes it seven.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 7_500
FILE_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# --- words and times --------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "oms" / "locale"]
USE_I18N = USE_TZ = True
TIME_ZONE = "UTC"

# --- Lotline ----------------------------------------------------------------------------------------------------------
# What `oms` must know of the apps above it, by dotted path. Each is called as provider(sku_ids=[...]) inside the
# account and returns oms.services.catalogue.Blocker objects: what stands in the way of another Serial attribute.
WORKFLOW_BLOCKERS = [
    "oms.queries.stock.workflow_blockers",
    "serials.queries.units.workflow_blockers",
    "replenishment.queries.workflow_blockers",
]
# Called with the ids of order lines, returns line id -> oms.queries.orders.LineUnits.
ORDER_LINE_UNITS = "serials.queries.units.units_of_lines"
# What labels may be printed of: source -> function(args) -> serials.labels.LabelRun. See serials/labels_jobs.py.
LABEL_SOURCES = {
    "units": "serials.queries.units.unit_labels",
    "selected units": "serials.labels_jobs.selected_labels",
    "selected bins": "serials.labels_jobs.selected_bins",
    "replenishment": "replenishment.label_runs.planned_labels",
}
# What a scan may name: kind -> functions(names) -> {name: [oms.queries.scans.Candidate]}, each with a constant number
# of statements. See oms/queries/scans.py.
SCAN_RESOLVERS = {
    "sku": ["oms.queries.catalogue.skus_scanned"],
    "serial": ["serials.queries.units.units_scanned"],
}
# Which lot expected units will be of: function of (SKU id, normalised serial) pairs -> {pair: (number, expiry)}.
EXPECTED_LOTS = "replenishment.planned_lots.expected_lots"
# What accepting a discrepancy means: kind -> oms.services.discrepancies.Acceptance. Other kinds are only settled.
ACCEPTANCES = {
    "unexpected_serial": "replenishment.services.accepting.UNEXPECTED",
    "serial_void": "replenishment.services.accepting.VOID",
    "not_open": "replenishment.services.accepting.LATE",
    "lot_expired": "replenishment.services.accepting.EXPIRED",
    "lot_expiry": "serials.services.lots.EXPIRY",
    "over_receipt": "replenishment.services.accepting.EXCESS",
}
# What gives numbers that are never given twice: kind -> oms.backup.counting.Numbers. A restore moves each on.
COUNTERS = {
    "replenishment": "replenishment.services.counting.REPLENISHMENTS",
    "number scheme": "replenishment.services.counting.SCHEMES",
}
# Called inside each account after a restore; each returns what it did in words, empty for nothing.
AFTER_RESTORE = ["channels_sync.services.restored.look_first"]
# Which warehouses are run by another system: function(link_ids) -> {id of the warehouse link: the system's name}.
WAREHOUSE_SYSTEMS = "channels_sync.queries.lists.systems_of"
# What changed fields are called in the audit log: kind of thing -> function() -> {name: words}. See oms/ui/audit.py.
AUDIT_FIELDS = {
    "connection": "channels_sync.registry.config_labels",
    "replenishment": "replenishment.services.heads.audit_fields",
    "number scheme": "serials.queries.schemes.audit_labels",
    "sku": "serials.queries.schemes.sku_audit_labels",
}
# What the page of a SKU shows of the apps above: function(sku, role) -> a card for components/card.html.
SKU_CARDS = ["serials.views.sku_numbers.card"]
# Kinds of due work: kind -> the Celery task that does it, called with an account's id. See oms/dispatch.py.
DUE_TASKS = {
    "outbox": "oms.tasks.drain_outbox",
    "job": "oms.tasks.run_jobs",
    "tidy": "oms.tasks.tidy",
    "waits": "oms.tasks.cut_waits",
    "sync.push": "channels_sync.tasks.push",
    "sync.pull": "channels_sync.tasks.pull",
}
# What cuts the waits that an account has stored to the longest that they can be: function() inside the account.
WAIT_CUTTERS = ["oms.waits.cut_own", "channels_sync.services.health.cut_waits"]
# Outbox topics: topic -> functions(message: OutboxMessage) -> None that hear of it, in this order. See oms/outbox.py.
OUTBOX_SUBSCRIBERS: dict[str, list[str]] = {
    "replenishment.submitted": ["channels_sync.services.outgoing.hear_replenishment"],
    "replenishment.cancelled": ["channels_sync.services.outgoing.hear_replenishment"],
    "replenishment.closed": ["channels_sync.services.outgoing.hear_replenishment"],
    "connection.serves": ["channels_sync.services.outgoing.hear_connection"],
    "discrepancy.closed": ["replenishment.services.submitting.hear_discrepancy_closed"],
}
# Keys that encrypt the secrets of connections, the newest first (cryptography.fernet); see channels_sync/vault.py.
LOTLINE_SECRETS_KEYS = env.list("LOTLINE_SECRETS_KEYS", default=[])
# The sandbox warehouse of the demonstration, where one runs.
LOTLINE_SANDBOX_URL = env.str("LOTLINE_SANDBOX_URL", default="")
LOTLINE_SANDBOX_TOKEN = env.str("LOTLINE_SANDBOX_TOKEN", default="")
# host:port of servers in private networks that connections may call; * is any. The operator's own sandbox is one.
LOTLINE_PRIVATE_HOSTS = [*env.list("LOTLINE_PRIVATE_HOSTS", default=[]), LOTLINE_SANDBOX_URL.rpartition("//")[2]]
# How long a message out stays its worker's; all requests for it fit into 60 % of that.
SYNC_LEASE_SECONDS = env.int("LOTLINE_SYNC_LEASE_SECONDS", default=60)
SYNC_FIRST_WAIT_SECONDS = env.float("LOTLINE_SYNC_FIRST_WAIT_SECONDS", default=5.0)
# What all requests of one poll may take.
SYNC_PULL_SECONDS = env.int("LOTLINE_SYNC_PULL_SECONDS", default=300)
# Result files and uploads are deleted after so many days; the jobs that made or took them stay.
LOTLINE_FILE_DAYS = env.int("LOTLINE_FILE_DAYS", default=30)
# How long a job stays its worker's without a sign of life: so late is it taken up again after the worker was killed.
JOB_LEASE_SECONDS = env.int("LOTLINE_JOB_LEASE_SECONDS", default=30)
# Kinds of background job: kind -> function(job: oms.jobs.Progress) -> None. See oms/jobs.py.
JOBS = {
    "catalogue.import": "oms.services.catalogue_csv.run_import_job",
    "serials.labels": "serials.labels_jobs.run_job",
    "serials.history": "serials.history_job.run_history_job",
    "serials.attribute": "serials.services.attributes.run_set_job",
    "serials.attributes_check": "serials.services.attributes_csv.run_check_job",
    "serials.attributes": "serials.services.attributes_csv.run_import_job",
    "replenishment.create": "",  # never queued: only done while the page waits (jobs.do_now)
    "replenishment.generate": "replenishment.services.generation_job.run_generate_job",
    "replenishment.lines_csv": "replenishment.services.upload_jobs.run_lines_job",
    "replenishment.serials_csv": "replenishment.services.upload_jobs.run_serials_job",
    "replenishment.submit": "replenishment.services.submit_job.run_submit_job",
    "ui.export": "oms.ui.exports.run_export_job",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"refusals": {"()": "oms.logs.Refusals"}},
    "formatters": {"line": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        **{name: {"level": "WARNING"} for name in ("axes", "httpx")},  # httpx would log whole addresses
        "django.request": {"filters": ["refusals"]},
        "waitress.queue": {"level": "ERROR"},  # its warning says no more than that requests came together
    },
}
