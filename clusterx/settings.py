"""Settings of every process, read from the environment.

What the server can do is set here; what people decide is a row in the database. Outside development no secret has a
default: production refuses to start without them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from clusterx import keypair
from clusterx.embedded.layout import Layout
from clusterx.processes import FEEDS

BASE_DIR = Path(__file__).resolve().parents[1]
DATA = Layout.from_environment()


def flag(name: str, *, default: bool) -> bool:
    value = os.environ.get(name, "").strip().lower()
    if value not in {"", "0", "1", "true", "false"}:
        raise ImproperlyConfigured(f"{name} must be 0, 1, true or false, was {value!r}")
    return value in {"1", "true"} if value else default


def secret(name: str, *, development: str) -> str:
    value = os.environ.get(name, "")
    if value:
        return value
    if PRODUCTION:
        raise ImproperlyConfigured(f"{name} must be set in production")
    return development


# -- where we run ---------------------------------------------------------------------------------------------
ENVIRONMENT = os.environ.get("CLUSTERX_ENV", "development")
if ENVIRONMENT not in {"development", "production"}:
    raise ImproperlyConfigured(f"CLUSTERX_ENV must be development or production, was {ENVIRONMENT!r}")
PRODUCTION = ENVIRONMENT == "production"
DEBUG = flag("DEBUG", default=False)
if PRODUCTION and DEBUG:
    raise ImproperlyConfigured("DEBUG must be off in production")
PORT = int(os.environ.get("PORT", "8000"))
SITE_URL = os.environ.get("SITE_URL", f"http://127.0.0.1:{PORT}").rstrip("/")
_site = urlsplit(SITE_URL)
SECRET_KEY = secret("SECRET_KEY", development="development-only-never-in-production-0123456789abcdef")
SECRET_KEY_FALLBACKS = [key for key in os.environ.get("SECRET_KEY_FALLBACKS", "").split(",") if key]
ALLOWED_HOSTS = [host for host in os.environ.get("ALLOWED_HOSTS", "").split(",") if host] or (
    [_site.hostname or ""] if PRODUCTION else ["127.0.0.1", "localhost", "[::1]", "testserver"]
)
CSRF_TRUSTED_ORIGINS = [f"{_site.scheme}://{_site.netloc}"]

# -- the apps -------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "clusterx.apps.PlatformAdminConfig",
    "django.forms",  # its templates, which FORM_RENDERER finds like any other app's
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "axes",
    "channels",
    "csp",
    "django_celery_beat",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "timescale",
    "clusterx",
    "clusterx.accounts",
    "clusterx.events",
    "clusterx.observability",
    "marketdata",
    "strategies",
    "trading",
    "social",
    "marketplace",
]
MIDDLEWARE = [
    "clusterx.observability.requests.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "clusterx.accounts.middleware.SessionActivityMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "clusterx.accounts.middleware.DisplaySettingsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "clusterx.urls"
ASGI_APPLICATION = "clusterx.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "clusterx.context.platform",
            ],
        },
    },
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# -- servers --------------------------------------------------------------------------------------------------
DATABASES = {
    "default": dj_database_url.parse(
        os.environ.get("DATABASE_URL") or DATA.database_url,
        engine="clusterx.db",
        conn_max_age=60,
        conn_health_checks=True,
    )
}
# A socket folder in the address belongs where Django and its tools look for it.
DATABASES["default"]["HOST"] = DATABASES["default"].get("OPTIONS", {}).pop("host", "") or DATABASES["default"]["HOST"]
# A request of the web process has threads, and so connections, of its own: a pool keeps them from one request to the next.
if DATABASE_POOL := int(os.environ.get("DATABASE_POOL", "0")):
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {"min_size": 1, "max_size": DATABASE_POOL, "timeout": 3}
REDIS_URL = (os.environ.get("REDIS_URL") or DATA.redis_url).rstrip("/")
# Test processes that share one server each take their own four databases of it.
REDIS_FIRST_DATABASE = int(os.environ.get("REDIS_FIRST_DATABASE", "0"))


def redis_url(database: int) -> str:
    """The address of Redis database ``database`` as redis-py and channels-redis write it."""
    number = REDIS_FIRST_DATABASE + database
    return f"{REDIS_URL}?db={number}" if REDIS_URL.startswith("unix://") else f"{REDIS_URL}/{number}"


def celery_url(database: int) -> str:
    """The same address as kombu writes it."""
    if not REDIS_URL.startswith("unix://"):
        return redis_url(database)
    return f"redis+socket://{REDIS_URL.removeprefix('unix://')}?virtual_host={REDIS_FIRST_DATABASE + database}"


CACHES = {
    "default": {
        "BACKEND": "clusterx.cache.ForgivingRedisCache",
        "LOCATION": redis_url(0),
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [redis_url(2)]},
    }
}
LIVE_REDIS_URL = redis_url(3)
LIVE_CONNECTIONS_EACH = int(os.environ.get("LIVE_CONNECTIONS_EACH", "20"))  # for one person or address
REDIS_ADDRESSES = [redis_url(database) for database in range(4)]

# -- work in the background -----------------------------------------------------------------------------------
CELERY_BROKER_URL = celery_url(1)
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_DB_REUSE_MAX = 500  # tasks of a process that share one connection to the database
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "marketdata.*": {"queue": "market"},
    "trading.*": {"queue": "trading"},
    "strategies.run_backtest": {"queue": "backtests"},
    "strategies.sweep_runs": {"queue": "default"},
    "strategies.sweep_inspections": {"queue": "default"},
    # Proofs before searches, which are many small tasks; tests of reports that can be read already come last.
    "strategies.do_study_chunk": {"queue": "research", "priority": 6},
    "strategies.appraise_run": {"queue": "research", "priority": 9},
    "strategies.*": {"queue": "research"},
}
CELERY_TASK_TIME_LIMIT = 900
CELERY_TASK_SOFT_TIME_LIMIT = 840
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 1200}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {
    "find-gaps": {"task": "marketdata.find_gaps", "schedule": 60.0},
    "roll-up-candles": {"task": "marketdata.roll_up_candles", "schedule": 300.0},
    "prune-market-data": {"task": "marketdata.prune", "schedule": crontab(minute=17)},
    "detect-missed-signals": {"task": "marketdata.detect_missed_signals", "schedule": 30.0},
    "sweep-evaluations": {"task": "trading.sweep_evaluations", "schedule": 5.0},
    "reconcile-accounts": {"task": "trading.reconcile_accounts", "schedule": 60.0},
    "mark-equity": {"task": "trading.mark_equity", "schedule": 15.0},
    "sweep-runs": {"task": "strategies.sweep_runs", "schedule": 60.0},
    "sweep-inspections": {"task": "strategies.sweep_inspections", "schedule": 300.0},
    "thin-equity": {"task": "trading.thin_equity", "schedule": crontab(minute=41)},
}

# -- market data ----------------------------------------------------------------------------------------------
FEED = os.environ.get("FEED", "auto")
if FEED not in FEEDS:
    raise ImproperlyConfigured(f"FEED must be auto, recorded, simulated, binance or off, was {FEED!r}")
RECORDED_DATA = Path(os.environ.get("RECORDED_DATA") or BASE_DIR.parent / "shared" / "data")
LOCAL_VENUE_URL = os.environ.get("LOCAL_VENUE_URL", "http://127.0.0.1:8765").rstrip("/")
# Other addresses for brokers than their own, as {"alpaca": "http://127.0.0.1:9000"}: a test environment, a proxy.
BROKER_URLS: dict[str, str] = json.loads(os.environ.get("BROKER_URLS") or "{}")
# Where this server's requests to brokers come from: people restrict their keys to them.
TRADING_ADDRESSES = [one.strip() for one in os.environ.get("TRADING_ADDRESSES", "").split(",") if one.strip()]
os.environ["NUMBA_CACHE_DIR"] = str(DATA.machine_code)

# -- people ---------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "trading:dashboard"
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
ACCOUNT_EMAIL_NOTIFICATIONS = True  # of changes to passwords, addresses and second factors
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_ADAPTER = "clusterx.accounts.adapters.AccountAdapter"
MFA_ADAPTER = "clusterx.accounts.adapters.SecondFactorAdapter"
MFA_TOTP_ISSUER = "ClusterX"
MFA_TOTP_TOLERANCE = 1  # half a minute, for clocks that differ
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not PRODUCTION
USERSESSIONS_TRACK_ACTIVITY = True
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["ip_address", "username"]]
AXES_USERNAME_FORM_FIELD = "email"  # what allauth calls it when it asks the backends
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True  # the event log has sign-ins, the list of sessions has addresses
AXES_LOCKOUT_TEMPLATE = "429.html"
EMAIL_BACKEND = os.environ.get(
    "EMAIL_BACKEND",
    "django.core.mail.backends.smtp.EmailBackend" if PRODUCTION else "django.core.mail.backends.filebased.EmailBackend",
)
EMAIL_FILE_PATH = DATA.root / "mail"
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "ClusterX <no-reply@localhost>")

# -- security -------------------------------------------------------------------------------------------------
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if PRODUCTION:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = True
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
    SECURE_SSL_REDIRECT = flag("SECURE_SSL_REDIRECT", default=True)
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
_sockets = f"{'wss' if _site.scheme == 'https' else 'ws'}://{_site.netloc}"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'", _sockets],
        "manifest-src": ["'self'"],
        "worker-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}
PERMISSIONS_POLICY: dict[str, list[str]] = {
    feature: []
    for feature in (
        "accelerometer",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "microphone",
        "payment",
        "usb",
    )
}

# -- credentials of brokers: everybody seals them; the trading worker and the accounts process open them ------
try:
    CREDENTIALS_PUBLIC_KEY = keypair.public_key(secret(keypair.PUBLIC_SETTING, development=""))
    CREDENTIALS_PRIVATE_KEYS = keypair.private_keys(os.environ.get(keypair.PRIVATE_SETTING, ""))
except keypair.InvalidKey as error:
    raise ImproperlyConfigured(str(error)) from None
if CREDENTIALS_PRIVATE_KEYS and (
    CREDENTIALS_PUBLIC_KEY is None or CREDENTIALS_PUBLIC_KEY.id not in {key.id for key in CREDENTIALS_PRIVATE_KEYS}
):
    raise ImproperlyConfigured("CREDENTIALS_PUBLIC_KEY belongs to none of CREDENTIALS_PRIVATE_KEYS, and would seal for nobody")
# Programs that this process starts inherit no key. Not before all is well: Django reads settings that fail a second time.
os.environ.pop(keypair.PRIVATE_SETTING, None)

# -- API ------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "clusterx.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["clusterx.api.renderers.FastJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["clusterx.api.parsers.FastJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "clusterx.api.pagination.NewestFirst",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.AnonRateThrottle",
        "rest_framework.throttling.UserRateThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {"anon": "240/min", "user": "1200/min"},
    "NUM_PROXIES": 0,  # REMOTE_ADDR counts; what a client writes into X-Forwarded-For does not
    "EXCEPTION_HANDLER": "clusterx.api.problems.exception_handler",
    "PAGE_SIZE": 50,
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "ClusterX API",
    "DESCRIPTION": "Live markets, strategies, trading and the marketplace. See docs/api.md for the WebSocket stream.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "clusterx.api.schema.add_problems"],
}

# -- languages, time, files -----------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("fr", _("French"))]
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale" / "libraries"]
USE_TZ = True
FORMAT_MODULE_PATH = ["clusterx.formats"]
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = DATA.root / "static" if not PRODUCTION else Path(os.environ.get("STATIC_ROOT", BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_AUTOREFRESH = not PRODUCTION
MEDIA_ROOT = DATA.root / "media"
DEFAULT_EXCEPTION_REPORTER_FILTER = "clusterx.observability.reports.NoValues"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SILENCED_SYSTEM_CHECKS: list[str] = []

# -- what we see of it ----------------------------------------------------------------------------------------
METRICS_TOKEN = os.environ.get("METRICS_TOKEN", "")  # for a scraper on another machine; empty: none may
METRICS_LISTEN = os.environ.get("METRICS_LISTEN", "")  # host:port where every process answers scrapes, too
if METRICS_LISTEN and not METRICS_LISTEN.rpartition(":")[2].isdigit():
    raise ImproperlyConfigured(f"METRICS_LISTEN must be host:port, was {METRICS_LISTEN!r}")
if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    # prometheus_client opens its files there as soon as a metric is defined, and makes no folder.
    Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(parents=True, exist_ok=True)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "clusterx.observability.logs.line_formatter"},
        "json": {"()": "clusterx.observability.logs.json_formatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json" if PRODUCTION else "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.server": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},  # what people get wrong is no news
        "django.security.DisallowedHost": {"level": "CRITICAL"},  # strangers' scanners; answered with 400
        "daphne": {"level": "WARNING"},
        "ccxt": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "clusterx.requests": {"level": "DEBUG" if PRODUCTION else "WARNING"},
    },
}
