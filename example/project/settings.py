"""Settings of the example: two storages in a plain, safe Django project.

From the environment: DEBUG (1), SECRET_KEY, DATABASE_URL, CACHE_URL, ALLOWED_HOSTS,
CSRF_TRUSTED_ORIGINS, TRUSTED_PROXIES. deploy/cloakroom.service shows them in use.
"""

import os
from pathlib import Path

import dj_database_url

from .secret_key import secret_key

BASE_DIR = Path(__file__).resolve().parent.parent


def words(variable: str) -> list[str]:
    """Split a list in the environment: `ALLOWED_HOSTS="a.example b.example"`."""
    return os.environ.get(variable, "").split()


DEBUG = os.environ.get("DEBUG", "1") == "1"
SECRET_KEY = secret_key(BASE_DIR / ".secret-key")
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

# Files. Two storages share one table. Nothing is written to the disk, so a backup of the database
# is a backup of everything, and a file is saved or deleted with the rows that speak of it, or not
# at all.

DOCUMENT_MAX_BYTES = 200 * 1024**2
PICTURE_MAX_BYTES = 20 * 1024**2

STORAGES = {
    "default": {  # private documents, served below /files/
        "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
        "OPTIONS": {
            # Asked each time somebody comes with a good link: is it for you?
            "auth_hooks": ["library.access.may_open"],
            "max_size": DOCUMENT_MAX_BYTES,
        },
    },
    "pictures": {  # public pictures, served below /pictures/
        "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
        "OPTIONS": {
            "namespace": "pictures",
            "default_public": True,
            # A picture here never changes under its name, so a browser may keep it for a day.
            "public_max_age": 24 * 60 * 60,
            "max_size": PICTURE_MAX_BYTES,
        },
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# The proxies whose X-Forwarded-For is believed, for the rate limits. nginx on this machine:
# TRUSTED_PROXIES=127.0.0.1
SECURE_DBSTORAGE = {"TRUSTED_PROXIES": words("TRUSTED_PROXIES")}

# Database: SQLite in this folder. DATABASE_URL=postgres://... or mysql://... moves everything,
# files included.

DATABASES = {
    "default": dj_database_url.config(
        default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}", conn_max_age=60, conn_health_checks=True
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # Take the write lock when a transaction begins. One that reads first and then wants to
        # write fails at once if somebody else has written meanwhile, whatever the timeout.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # With a write-ahead log readers go on while a large file is written.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }

# The rate limits count in the cache. One process can count for itself; several need a shared one.

if "CACHE_URL" in os.environ:  # redis://..., also for Valkey: pip install redis
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ["CACHE_URL"],
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    if DEBUG:  # one process: it need not be told
        SILENCED_SYSTEM_CHECKS = ["secure_dbstorage.W002"]

# People

LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# One line for each file served or refused. No token is in it, and none stays in the line that
# runserver writes for each request.

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

# The way from the visitor to here. nginx says by X-Forwarded-Proto whether it was https, and lets
# nobody else say so (deploy/nginx.conf).

if not DEBUG:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
