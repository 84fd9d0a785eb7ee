"""The settings of the twin's web servers: the example's, and a storage that the tests use."""

from project.settings import *  # noqa: F403
from project.settings import CACHES, DATABASES, LOGGING, SECURE_DBSTORAGE, STORAGES

ROOT_URLCONF = "tests.cluster.urls"

#: Whose links these are, for the tests' process too.
AUDIENCE = "cluster"

STORAGES["cluster"] = {
    "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
    "OPTIONS": {"namespace": "cluster", "audience": AUDIENCE},
}

# Crowds ask more often than a budget allows.
SECURE_DBSTORAGE["RATE_LIMITS"] = dict.fromkeys(
    ("signed", "plain", "refused", "upload", "begun"), "1000000/m"
)

# What went wrong stands in the logs of the web servers.
LOGGING["loggers"] |= {"django.request": {"handlers": ["console"], "level": "ERROR"}}

# On a busy machine, even Valkey and PostgreSQL may take their time.
CACHES["default"]["OPTIONS"] = {"socket_timeout": 60, "socket_connect_timeout": 60}
DATABASES["default"]["OPTIONS"]["pool"]["timeout"] = 240
