"""The settings of a web server behind a CDN, with a pair of times for public files."""

import json
import os

from tests.settings import *  # noqa: F403

#: The environment variable with the pair.
AGES_VARIABLE = "DBSTORAGE_TEST_AGES"

ALLOWED_HOSTS = ["127.0.0.1", "cloakroom.example.com"]

SECURE_DBSTORAGE = {
    "PUBLIC_MAX_AGE": json.loads(os.environ.get(AGES_VARIABLE, "[0, 0]")),
    "TRUSTED_PROXIES": ["127.0.0.0/8"],
    "AUDIENCE": "tests",
}
