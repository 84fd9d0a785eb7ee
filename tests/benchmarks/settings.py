"""The settings of all benchmarks: one database, ours and every installed peer."""

import os
from typing import Any

from tests.benchmarks import peers
from tests.servers.mysql_driver import install_mysql_driver

install_mysql_driver()

SECRET_KEY = "only-for-benchmarks-and-long-enough-that-no-check-has-a-word-to-say"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "tests.benchmarks.urls"

INSTALLED_APPS = ["secure_dbstorage", *(peer.app for peer in peers.installed())]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]

MEDIA_ROOT = os.environ["DBSTORAGE_BENCHMARK_FILES"]
MEDIA_URL = "/media/"

_database, _, _address = os.environ["DBSTORAGE_BENCHMARK_DATABASE"].partition(":")
_SQLITE: dict[str, Any] = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": _address,
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    },
}
_POSTGRES: dict[str, Any] = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": "benchmarks",
    "HOST": _address,
    "USER": "postgres",
}
_MARIADB: dict[str, Any] = {
    "ENGINE": "django.db.backends.mysql",
    "NAME": "benchmarks",
    "HOST": _address,
    "USER": "root",
    "OPTIONS": {"charset": "utf8mb4"},
}
DATABASES = {
    "default": {
        **{"sqlite": _SQLITE, "postgres": _POSTGRES, "mariadb": _MARIADB}[_database],
        # As everybody who cares for speed: a connection for each request would cost more than it.
        "CONN_MAX_AGE": None,
    }
}

# The rows of files are read here, if there is one; whatever decides is asked of the primary.
if _replica := os.environ.get("DBSTORAGE_BENCHMARK_REPLICA"):
    DATABASES["replica"] = {**DATABASES["default"], "HOST": _replica}
    DATABASE_ROUTERS = ["tests.benchmarks.routers.ReplicaRouter"]

STORAGES = {
    "default": {"BACKEND": "secure_dbstorage.storage.DatabaseStorage"},
    "source": {
        "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
        "OPTIONS": {"namespace": "source", "base_url": "/source/"},
    },
    "encrypted": {
        "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
        "OPTIONS": {
            "namespace": "encrypted",
            "base_url": "/encrypted/",
            "encryption_keys": ["AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="],
        },
    },
    peers.DISK: {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    **{peer.name: {"BACKEND": peer.storage} for peer in peers.installed()},
}
# django-binary-database-files would keep a second copy of each file on the disk.
DB_FILES_AUTO_EXPORT_DB_TO_FS = False
DJANGO_SINGLE_TABLE_DEFAULT_PUBLIC = True

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
