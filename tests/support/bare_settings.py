"""The settings of a project without sessions and users, on ``DEBUG``."""

from tests.settings import *  # noqa: F403
from tests.settings import MIDDLEWARE

DEBUG = True

_ABSENT = ("django.contrib.", "django.middleware.csrf.")
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith(_ABSENT)]
