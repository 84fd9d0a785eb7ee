"""The settings of a web server whose public files caches keep for a second."""

from tests.settings import *  # noqa: F403

SECURE_DBSTORAGE = {"PUBLIC_MAX_AGE": 1, "AUDIENCE": "tests"}
