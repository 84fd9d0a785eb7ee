"""Settings of commands in a process of their own: a folder beside the database of the test."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import STORAGES

STORAGES["folder"] = {
    "BACKEND": "django.core.files.storage.FileSystemStorage",
    "OPTIONS": {"location": os.environ["DBSTORAGE_TEST_FOLDER"]},
}
