"""Settings of the example: two storages in a plain, safe Django project.

Environment variables: DEBUG (1 under `manage.py demo`, else 0), SECRET_KEY, SECRET_KEY_FALLBACKS,
FILE_KEYS, DATABASE_URL, CACHE_URL, ALLOWED_HOSTS, CSRF_TRUSTED_ORIGINS, TRUSTED_PROXIES.
deploy/cloakroom.service shows them in use. With several servers, also DATABASE_POOL,
BEHIND_PGBOUNCER, OFFLOAD and STATIC_ROOT: deploy/compose.yaml and deploy/twin.py show those.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url

from .secret_key import file_keys, secret_key

BASE_DIR = Path(__file__).resolve().parent.parent


def words(variable: str) -> list[str]:
    """Split a list from the environment, such as `ALLOWED_HOSTS="a.example b.example"`."""
    return os.environ.get(variable, "").split()


DEBUG = os.environ.get("DEBUG") == "1"
SECRET_KEY = secret_key(BASE_DIR / ".secret-key")
SECRET_KEY_FALLBACKS = words("SECRET_KEY_FALLBACKS")  # while a key is replaced
ALLOWED_HOSTS = words("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = words("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "secure_dbstorage",
    "library",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
ASGI_APPLICATION = "project.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Files. Two storages share one table. Nothing is written to disk, so a backup of the database is a
# backup of everything, and files take part in transactions like any other row.

DOCUMENT_MAX_BYTES = 200 * 1024**2
PICTURE_MAX_BYTES = 20 * 1024**2
OFFLOAD = os.environ.get("OFFLOAD")  # "nginx", with deploy/nginx-offload.conf

STORAGES = {
    "default": {  # private documents, served at /files/
        "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
        "OPTIONS": {
            # Decides, each time someone opens a valid link, whether the file is for them.
            "auth_hooks": ["library.access.may_open"],
            "delete_with_instance": True,
            # A document deleted by mistake can be restored.
            "keep_deleted": timedelta(days=30),
            "max_size": DOCUMENT_MAX_BYTES,
            # Whoever gets a copy of the database reads no document without these. But a proxy that
            # sends documents from its cache keeps them as they are.
            "encryption_keys": None if OFFLOAD else file_keys(BASE_DIR / ".file-key"),
        },
    },
    "pictures": {  # public pictures, served at /pictures/
        "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
        "OPTIONS": {
            "namespace": "pictures",
            "default_public": True,
            # A picture never changes under its name, so browsers may cache it for a day.
            "public_max_age": 24 * 60 * 60,
            "delete_with_instance": True,
            "max_size": PICTURE_MAX_BYTES,
        },
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# The proxies whose X-Forwarded-For header is trusted, for the rate limits. With nginx on the same
# machine: TRUSTED_PROXIES=127.0.0.1
SECURE_DBSTORAGE: dict[str, Any] = {"TRUSTED_PROXIES": words("TRUSTED_PROXIES")}
if OFFLOAD:
    SECURE_DBSTORAGE["OFFLOAD"] = OFFLOAD

# Database. SQLite in this folder, unless DATABASE_URL names another, which then holds everything,
# including the files: postgres://... or mysql://...

DATABASES = {
    "default": dj_database_url.config(
        default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}",
        conn_max_age=60,
        conn_health_checks=True,
        # Between two transactions, PgBouncer may hand the connection to another client.
        disable_server_side_cursors="BEHIND_PGBOUNCER" in os.environ,
    )
}
if "DATABASE_POOL" in os.environ:  # PostgreSQL: the most connections of each process
    DATABASES["default"] |= {"CONN_MAX_AGE": 0}
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
        "max_size": int(os.environ["DATABASE_POOL"]),
        # How long a request waits for the database while a standby takes over.
        "timeout": 30,
    }
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # Take the write lock when a transaction begins. Otherwise, one that reads before it writes
        # fails at once, whatever the timeout, if another has written in between.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # With a write-ahead log, reading continues while a large file is being written.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }

# The rate limits count in the cache. Several processes need to share one.

if "CACHE_URL" in os.environ:  # redis://..., for Redis or Valkey; needs `pip install redis`
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ["CACHE_URL"],
            # A cache that hangs must not hold up every request.
            "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    if DEBUG:  # There is only one process.
        SILENCED_SYSTEM_CHECKS = ["secure_dbstorage.W002"]

# People

LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
RATELIMIT_IP_META_KEY = "library.throttle.address"  # whose wrong passwords are counted
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# One line for each file served or refused, without its token. The filter also removes tokens from
# the lines that runserver writes.

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"tokens": {"()": "secure_dbstorage.redaction.TokenFilter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["tokens"]}},
    "loggers": {
        "secure_dbstorage.access": {"handlers": ["console"], "level": "INFO"},
        "django.server": {"handlers": ["console"], "level": "INFO", "propagate": False},
    },
}

# HTTPS. nginx sets X-Forwarded-Proto, and discards any that a client sends (deploy/nginx.conf).

if not DEBUG:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

STATIC_URL = "static/"
STATIC_ROOT = os.environ.get("STATIC_ROOT", BASE_DIR / "static")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
