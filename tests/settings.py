"""Settings of the tests, of their web servers and of mypy. Reading them starts nothing."""

import os
import sys
from typing import Any

from tests.servers import places
from tests.servers.mysql_driver import install_mysql_driver

install_mysql_driver()

SECRET_KEY = "only-for-tests-and-long-enough-that-no-check-has-a-word-to-say"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
ROOT_URLCONF = "tests.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "secure_dbstorage",
    "tests.testapp",
]

# In front of the view stands all that people have there.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

_SQLITE: dict[str, Any] = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": ":memory:",  # for commands that need no data, like makemigrations --check
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    },
    # A file: threads and web servers must meet each other's locks.
    "TEST": {"NAME": str(places.SQLITE_FILE)},
}
_POSTGRES: dict[str, Any] = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": "dbstorage",
    "HOST": str(places.POSTGRES_DIRECTORY),
    "USER": "postgres",
    "TEST": {"DEPENDENCIES": []},  # Not even "default": a test may need this one alone.
}
_MARIADB: dict[str, Any] = {
    "ENGINE": "django.db.backends.mysql",
    "NAME": "dbstorage",
    "HOST": str(places.MARIADB_SOCKET),
    "USER": "root",
    "OPTIONS": {"charset": "utf8mb4"},
    # A collation that takes "A" for "a", as nearly everybody has it.
    "TEST": {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_general_ci", "DEPENDENCIES": []},
}

DATABASES = {"default": _SQLITE}
if "DBSTORAGE_TEST_SERVED" in os.environ:
    # We are inside a web server, and the database of the test that started it is our only one.
    _alias, _, _name = os.environ["DBSTORAGE_TEST_SERVED"].partition(":")
    _databases = {"default": _SQLITE, "postgres": _POSTGRES, "mariadb": _MARIADB}
    DATABASES = {"default": {**_databases[_alias], "NAME": _name}}
    # The test has another name for it, which would be signed into links.
    SECURE_DBSTORAGE = {"AUDIENCE": "tests"}
elif "pytest" in sys.modules:
    # tests/conftest.py starts their servers, and takes out again what no test needs. A mere
    # command, like makemigrations, would connect to each alias.
    DATABASES |= {"postgres": _POSTGRES, "mariadb": _MARIADB}

DATABASE_ROUTERS = ["tests.testapp.router.TestAppRouter"]

# Only our own migrations are under test; those of others would cost seconds on each database.
MIGRATION_MODULES = dict.fromkeys(("admin", "auth", "contenttypes", "sessions"))

STORAGES = {
    "default": {"BACKEND": "secure_dbstorage.storage.DatabaseStorage"},
    "invoices": {
        "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
        "OPTIONS": {
            "namespace": "invoices",
            "auth_hooks": ["secure_dbstorage.access.authenticated"],
        },
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# Shared between processes only where a test asks for Valkey.
CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
if "DBSTORAGE_TEST_CACHE" in os.environ:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ["DBSTORAGE_TEST_CACHE"],
        }
    }

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # Fast; nothing to protect.
