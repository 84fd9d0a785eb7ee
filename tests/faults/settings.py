"""The settings of the savers and web servers that meet a fault."""

import json
import os

from tests.settings import *  # noqa: F403
from tests.settings import STORAGES

ROOT_URLCONF = "tests.faults.urls"

#: The environment variable with the database, as DATABASES has it.
DATABASE_VARIABLE = "DBSTORAGE_FAULTS_DATABASE"

DATABASES = {"default": json.loads(os.environ.get(DATABASE_VARIABLE, "{}"))}

# Only what serves: each app costs time when a process starts, each middleware when it is asked.
# Crowds ask more often than a budget allows.
INSTALLED_APPS = ["secure_dbstorage"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
_RATES = {"signed": "1000000/m", "plain": "1000000/m", "refused": "1000000/m"}
SECURE_DBSTORAGE = {"RATE_LIMITS": _RATES, "AUDIENCE": "tests"}

STORAGES = {
    "default": STORAGES["default"],
    "open": {
        "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
        "OPTIONS": {"namespace": "open", "rate_limit_fail_open": True},
    },
}

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
if "DBSTORAGE_TEST_CACHE" in os.environ:
    CACHES["default"] = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": os.environ["DBSTORAGE_TEST_CACHE"],
        # Without these, a frozen cache freezes its clients.
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
