"""The settings of a site whose forms take uploads, below the strictest Content-Security-Policy."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE

ROOT_URLCONF = "tests.forms.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "django.contrib.staticfiles"]
MIDDLEWARE = ["tests.forms.urls.strict_policy", *MIDDLEWARE]
STATIC_URL = "static/"

# A test asks more often than people do.
_RATES = {"signed": "100000/m", "upload": "100000/m", "begun": "100000/h"}
SECURE_DBSTORAGE = {"RATE_LIMITS": _RATES, "AUDIENCE": "tests"}
