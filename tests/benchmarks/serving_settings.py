"""The settings of the web servers that are measured: more views, and limits that nobody meets."""

import os
from importlib.util import find_spec
from typing import Any

from tests.benchmarks.settings import *  # noqa: F403
from tests.benchmarks.settings import DATABASES, INSTALLED_APPS, MEDIA_ROOT, MIDDLEWARE

#: Counted all the same.
_RATE = "999999999/m"

SECURE_DBSTORAGE: dict[str, Any] = {
    "RATE_LIMITS": dict.fromkeys(("signed", "plain", "refused", "upload", "begun"), _RATE)
}

# Without the header X-Offload, which one nginx alone sends, nothing changes.
SECURE_DBSTORAGE |= {"OFFLOAD": "nginx", "TRUSTED_PROXIES": ["127.0.0.0/8"]}

DATABASE_FILES_URL_METHOD = "URL_METHOD_2"  # django-binary-database-files: as its URLconf says

if find_spec("private_storage"):
    INSTALLED_APPS += ["private_storage"]
    PRIVATE_STORAGE_ROOT = MEDIA_ROOT
    PRIVATE_STORAGE_SERVER = "django"
    PRIVATE_STORAGE_AUTH_FUNCTION = "tests.benchmarks.views.allow"

# What it does for a private file: by default, it looks whether the visitor is a superuser.
if os.environ.get("DBSTORAGE_BENCHMARK_SIGNED_IN"):
    INSTALLED_APPS += ["django.contrib.auth", "django.contrib.contenttypes"]
    INSTALLED_APPS += ["django.contrib.sessions"]
    MIDDLEWARE += [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    PRIVATE_STORAGE_AUTH_FUNCTION = "private_storage.permissions.allow_authenticated"

# It lists all files at its start and runs before all views, so only in a separate server.
if os.environ.get("DBSTORAGE_BENCHMARK_WHITENOISE"):
    MIDDLEWARE += ["whitenoise.middleware.WhiteNoiseMiddleware"]
    WHITENOISE_ROOT = MEDIA_ROOT

# Under ASGI each request of Django has its own thread: a connection that outlives it is of no
# use to anybody, and open until the garbage collector comes.
if os.environ.get("DBSTORAGE_BENCHMARK_ASGI"):
    DATABASES["default"]["CONN_MAX_AGE"] = 0

if threshold := os.environ.get("DBSTORAGE_BENCHMARK_PREPARE"):
    DATABASES["default"]["OPTIONS"] = {"prepare_threshold": int(threshold)}

if size := os.environ.get("DBSTORAGE_BENCHMARK_POOL"):
    DATABASES["default"] |= {
        "CONN_MAX_AGE": 0,  # Django refuses both.
        "OPTIONS": {"pool": {"min_size": 1, "max_size": int(size), "timeout": 60}},
    }
