"""Where the servers of a test session are found, known before any of them runs.

Django's settings need the addresses of databases that start later, and only if a test asks for
them. Socket files in one directory have addresses without a race for free ports. The environment
carries the directory's name to pytest-xdist's workers and to web servers.
Importing this creates nothing: mypy reads the settings too.
"""

import os
import secrets
import tempfile
from itertools import count
from pathlib import Path

DIRECTORY = Path(
    os.environ.setdefault(
        "DBSTORAGE_TEST_DIRECTORY",
        f"{tempfile.gettempdir()}/dbstorage-{os.getpid()}-{secrets.token_hex(4)}",
    )
)
SQLITE_FILE = DIRECTORY / "test.sqlite3"
POSTGRES_DIRECTORY = DIRECTORY / "postgres"
MARIADB_DIRECTORY = DIRECTORY / "mariadb"
MARIADB_SOCKET = MARIADB_DIRECTORY / "socket"
VALKEY_DIRECTORY = DIRECTORY / "valkey"
#: Here the session's owner answers its workers.
OWNER_SOCKET = DIRECTORY / "owner"

_numbers = count(1)


def unused(name: str) -> Path:
    """Return a path for a server that one test starts. No other test or worker gets it."""
    return DIRECTORY / f"{name}-{os.getpid()}-{next(_numbers)}"
