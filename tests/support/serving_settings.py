"""The settings of web servers that are asked more often than a budget allows."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, MIDDLEWARE

_RATES = {"signed": "100000/m", "plain": "100000/m", "refused": "100000/m"}

SECURE_DBSTORAGE = {"RATE_LIMITS": _RATES, "AUDIENCE": "tests"}

MIDDLEWARE = ["tests.support.observer.Observer", *MIDDLEWARE]


if size := os.environ.get("DBSTORAGE_TEST_POOL"):
    _pool = {"min_size": 1, "max_size": int(size), "timeout": 5}
    DATABASES["default"]["OPTIONS"] = {"pool": _pool}
