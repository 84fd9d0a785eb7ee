"""The settings of a project without time zones, below a path, with a language in each URL.

Each request is a transaction.
"""

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, MIDDLEWARE

USE_TZ = False
TIME_ZONE = "America/Caracas"  # Far from UTC, and without summer time.

LANGUAGE_CODE = "en"  # The code that stands in URLs.
FORCE_SCRIPT_NAME = "/site"
ROOT_URLCONF = "tests.support.translated_urls"
APPEND_SLASH = False
MIDDLEWARE = [*MIDDLEWARE, "django.middleware.locale.LocaleMiddleware"]

for _database in DATABASES.values():
    _database["ATOMIC_REQUESTS"] = True
