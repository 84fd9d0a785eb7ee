"""The settings of a site whose files the pages of another site show and read."""

import os

from tests.support.serving_settings import *  # noqa: F403
from tests.support.serving_settings import INSTALLED_APPS, MIDDLEWARE, SECURE_DBSTORAGE

#: The environment variable with the directory of the packages that pages load scripts from.
LIBRARIES = "DBSTORAGE_TEST_LIBRARIES"

ROOT_URLCONF = "tests.clients.urls"
LIBRARIES_ROOT = os.environ.get(LIBRARIES, "")

SECURE_DBSTORAGE = {**SECURE_DBSTORAGE, "CROSS_ORIGIN": "cross-origin"}

INSTALLED_APPS = [*INSTALLED_APPS, "corsheaders"]
MIDDLEWARE = ["corsheaders.middleware.CorsMiddleware", *MIDDLEWARE]
CORS_ALLOWED_ORIGIN_REGEXES = [r"http://localhost:\d+"]
CORS_EXPOSE_HEADERS = ["Accept-Ranges", "Content-Length", "Content-Range"]
