"""The settings of a project without time zones, whose every request is a transaction."""

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES

USE_TZ = False
TIME_ZONE = "America/Caracas"  # Far from UTC, and without summer time.

for _database in DATABASES.values():
    _database["ATOMIC_REQUESTS"] = True
