"""Django's settings. Every value that differs between machines comes from `loom.environment`."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.http.request import split_domain_port

from loom.environment import BASE_DIR, load

ENVIRONMENT = load()

LOOM_AWS = ENVIRONMENT.loom_aws
LOOM_DATA_PLANE = ENVIRONMENT.loom_data_plane
AWS_REGION = ENVIRONMENT.aws_region
AWS_PROFILE = ENVIRONMENT.aws_profile
CLOUDWATCH_METRICS = ENVIRONMENT.cloudwatch_metrics
OTEL_EXPORTER_OTLP_ENDPOINT = ENVIRONMENT.otel_exporter_otlp_endpoint.rstrip("/")
EMULATOR_URL = ENVIRONMENT.emulator_url
REDIS_URL = ENVIRONMENT.redis_url
AUTH_DISABLED = ENVIRONMENT.auth_disabled
CONTENT_RETENTION_DAYS = ENVIRONMENT.content_retention_days
AGENTCORE_VCPU_HOUR_USD = ENVIRONMENT.agentcore_vcpu_hour_usd
AGENTCORE_GB_HOUR_USD = ENVIRONMENT.agentcore_gb_hour_usd
MAX_REQUESTS = ENVIRONMENT.max_requests
MAX_CONNECTIONS = ENVIRONMENT.max_connections
MAX_QUEUED_RUNS = ENVIRONMENT.max_queued_runs
LOOM_SERVER = ENVIRONMENT.loom_server
WEB_PROCESSES = ENVIRONMENT.web_processes
RUNNERS = ENVIRONMENT.runners
DEMO_HISTORY = ENVIRONMENT.demo_history
BACKEND_HOST = ENVIRONMENT.backend_host
BACKEND_PORT = ENVIRONMENT.backend_port

SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = ENVIRONMENT.debug
# The address that people open. From it follow the names that Loom answers to and what browsers may do with its cookies.
PUBLIC_URL = ENVIRONMENT.public_url
_PUBLIC = urlsplit(PUBLIC_URL)
_IS_PUBLIC_BY_TLS = _PUBLIC.scheme == "https"
ALLOWED_HOSTS = [
    *ENVIRONMENT.allowed_hosts,
    *([split_domain_port(_PUBLIC.netloc)[0]] if PUBLIC_URL else []),
    "localhost",
    "127.0.0.1",
    "[::1]",
]
# Where addresses that users have typed may lead beside the public internet.
ALLOWED_NETWORKS = ENVIRONMENT.allowed_networks
SECRET_ENCRYPTION_KEYS = ENVIRONMENT.secret_encryption_keys
ROOT_URLCONF = "loom.urls"
ASGI_APPLICATION = "loom.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    *(["daphne"] if sys.argv[1:2] == ["runserver"] else []),  # first: it replaces runserver; 0.4 s to import elsewhere
    "loom",
    "apps.core",
    "apps.accounts",
    "apps.vault",
    "apps.costs",
    "apps.agents",
    "apps.agentcore",
    "apps.sessions",
    "apps.metrics",
    "apps.takeout",
    "apps.awsverify",
    "apps.overview",
    "channels",
    "corsheaders",
    "django_cotton.apps.SimpleAppConfig",  # the loaders below are ours; the default config would replace them
    "django_htmx",
    "django_q",
    "lucide",
    "template_partials.apps.SimpleAppConfig",
    "loom.administration.AdministrationConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "loom.web.compression.compression_middleware",
    "apps.core.requests.on_loop.Security",
    "apps.core.requests.on_loop.ContentPolicy",
    "corsheaders.middleware.CorsMiddleware",
    "apps.core.requests.unavailability.unavailability_middleware",
    "apps.core.requests.middleware.foreign_request_middleware",
    "apps.core.requests.on_loop.WebSession",
    "apps.core.requests.on_loop.Common",
    "apps.core.requests.on_loop.Csrf",
    "apps.accounts.middleware.Authentication",
    "apps.accounts.middleware.development_sign_in_middleware",
    "apps.accounts.middleware.SignedInMiddleware",
    "apps.core.requests.on_loop.Messages",
    "apps.core.requests.on_loop.FrameOptions",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.core.requests.not_found.own_not_found_middleware",
    "loom.web.middleware.json_refusal_middleware",
]

# In development a page shows what was changed in its template without a restart.
_TEMPLATE_CACHE = "loom.web.fresh_templates.FreshLoader" if DEBUG else "django.template.loaders.cached.Loader"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "loom.web.page_frame.shell",
            ],
            "builtins": [
                "apps.core.templatetags.loom",
                "django.templatetags.i18n",
                "django.templatetags.static",
                "django_cotton.templatetags.cotton",
                "lucide.templatetags.lucide",
                "template_partials.templatetags.partials",
            ],
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            _TEMPLATE_CACHE,
                            [
                                "django_cotton.cotton_loader.Loader",
                                "django.template.loaders.filesystem.Loader",
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
        },
    }
]
COTTON_DIR = "components"
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"

# --- data ------------------------------------------------------------------------------------------------------------

# Measured with web and worker writing at 200 rows/s: Django's defaults lose 2 % to "database is locked", these lose
# none.
_SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA busy_timeout=20000;",
}
# A server that is gone without a word is noticed within seconds: a heartbeat that waits for it for minutes is none.
_POSTGRES_OPTIONS = {
    "connect_timeout": 5,  # seconds, as are the next three
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
    # Pages read some rows out of many: to compile such a statement takes longer than to run it.
    "options": "-c jit=off",
}


def _database() -> dict[str, Any]:
    database: dict[str, Any] = dict(dj_database_url.parse(ENVIRONMENT.database, conn_max_age=60))
    if database["ENGINE"] == "django.db.backends.sqlite3":
        database["ENGINE"] = "apps.core.sqlite"
        database["NAME"] = str(BASE_DIR / database["NAME"])
        database["OPTIONS"] = _SQLITE_OPTIONS
        # A file, because an in-memory database has one connection and Loom's threads have one each; the process id
        # keeps two test runs at once apart.
        database["TEST"] = {"NAME": str(BASE_DIR / "build" / f"test-{os.getpid()}.db")}
    else:
        database["CONN_HEALTH_CHECKS"] = True  # its server may have been restarted since the last query
        database["OPTIONS"] = {**_POSTGRES_OPTIONS, **database.get("OPTIONS", {})}
    return database


DATABASES = {"default": _database()}


def _redis_host() -> dict[str, Any]:
    from redis.asyncio.retry import Retry  # noqa: PLC0415 -- only where it is used
    from redis.backoff import NoBackoff  # noqa: PLC0415

    return {
        "address": REDIS_URL,
        # redis-py 8 sets a 5 s socket timeout that kills a waiting consumer.
        "socket_timeout": None,
        # A connection that Redis has cut meanwhile shows it at its next use only: that is then done by a new one.
        "retry": Retry(NoBackoff(), 1),
    }


CHANNEL_LAYERS: dict[str, Any] = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [_redis_host()], "capacity": 1000},
    }
    if REDIS_URL
    else {
        "BACKEND": "apps.core.notices.layer.NoticeLayer",
        # A page may stay open for longer than the day after which channels would forget it.
        "CONFIG": {"capacity": 1000, "group_expiry": 10 * 365 * 86_400},
    }
}
# So long a session that somebody deleted can be brought back; then the worker really deletes it.
DELETED_SESSIONS_KEPT = timedelta(hours=1)
Q_CLUSTER = {
    "name": "loom",
    "label": "Background tasks",
    "orm": "default",  # its Redis broker loses tasks on a kill
    "workers": 2,
    "timeout": 90,
    "retry": 300,  # at least timeout * (1 + ceil((queue_limit + 1) / workers)) + 3, or a slow task runs twice
    "queue_limit": 1,
    "bulk": 1,
    "poll": 0.2,
    "max_attempts": 3,
    "catch_up": False,
    "save_limit": 100,
    "recycle": 500,
    "guard_cycle": 0.5,
    "max_rss": 300_000,
    "time_zone": "UTC",
}

# --- mail ------------------------------------------------------------------------------------------------------------

# Without EMAIL_URL there is no host, and nothing is sent.
_MAIL = ENVIRONMENT.email_url
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if _MAIL else 'dummy'}.EmailBackend"
EMAIL_HOST = _MAIL.host if _MAIL else ""
EMAIL_PORT = _MAIL.port if _MAIL else 0
EMAIL_HOST_USER = _MAIL.user if _MAIL else ""
EMAIL_HOST_PASSWORD = _MAIL.password if _MAIL else ""
EMAIL_USE_SSL = _MAIL is not None and _MAIL.is_tls
EMAIL_USE_TLS = _MAIL is not None and _MAIL.is_starttls
EMAIL_TIMEOUT = 15  # seconds for each answer of the server
DEFAULT_FROM_EMAIL = SERVER_EMAIL = _MAIL.sender if _MAIL else "loom@localhost"

# --- who may do what -------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
SESSION_ENGINE = "apps.accounts.sign_in.web_sessions"
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "agents:list"
LOGOUT_REDIRECT_URL = "accounts:login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# A separate front end may call the API in development only.
CORS_ALLOWED_ORIGINS = [f"http://localhost:{ENVIRONMENT.frontend_port}"] if DEBUG else []
CORS_URLS_REGEX = r"^/api/"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "apps.core.requests.refusals.csrf_failure"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _IS_PUBLIC_BY_TLS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _IS_PUBLIC_BY_TLS else 0
# The longest prompt as a form sends it, in a script that takes nine characters for each of its own; or a raw payload.
DATA_UPLOAD_MAX_MEMORY_SIZE = 3_000_000
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"

# --- files, time, logs -----------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
# Ninja is no app of Django's here, for every command would import it. All that it would bring are these files of the
# page that describes the API.
_NINJA = find_spec("ninja")
assert _NINJA is not None
assert _NINJA.origin is not None
STATICFILES_DIRS = [BASE_DIR / "static", Path(_NINJA.origin).parent / "static"]
STATIC_ROOT = ENVIRONMENT.static_root or BASE_DIR / "build" / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    },
}
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
USE_THOUSAND_SEPARATOR = False

# Only the chosen one is made: the other's library stays out.
LOG_FORMATTERS: dict[str, dict[str, Any]] = {
    "pretty": {
        "()": "apps.core.log_context.PrettyFormatter",
        "format": "{asctime} {levelname:<7} {name} {message}",
        "style": "{",
    },
    "json": {
        "()": "pythonjsonlogger.json.JsonFormatter",
        "format": "{created} {levelname} {name} {message}",
        "style": "{",
        "rename_fields": {"created": "at", "levelname": "level", "name": "logger"},
    },
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"chosen": LOG_FORMATTERS[ENVIRONMENT.log_format]},
    "filters": {
        "once_an_outage": {"()": "apps.core.requests.unavailability.OnceAnOutage"},
        "fields": {"()": "apps.core.log_context.AddFields"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "chosen",
            "filters": ["once_an_outage", "fields"],
        }
    },
    "root": {"handlers": ["console"], "level": ENVIRONMENT.log_level.upper()},
    "loggers": {
        "django": {"level": "INFO"},  # Django's own handler, with DEBUG, would say everything once more
        "django.db.backends": {"level": "INFO"},
        "botocore": {"level": "WARNING"},  # at debug level it writes request bodies, which are prompts
        "boto3": {"level": "WARNING"},
        "aiobotocore": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
        "asyncio": {"level": "INFO"},
        "django-q": {"level": "WARNING"},  # it writes a line per task
    },
}
# They look for Django's middleware by its own path, and not for classes of it.
SILENCED_SYSTEM_CHECKS = ["security.W001", "security.W002", "security.W003"]
