"""Another connection to a test's database, or to a separate one, under a separate alias."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper


@contextmanager
def added_alias(alias: str, like: str, **changes: Any) -> Iterator[BaseDatabaseWrapper]:
    """Connect as another alias does, with changes to its settings, in this thread.

    DATABASES does not have it: Django's test cases forbid what is there and was not announced.
    """
    connection = connections[like].copy(alias)
    connection.settings_dict.update(changes)
    connections[alias] = connection
    try:
        yield connection
    finally:
        connection.close()
        if getattr(connection, "pool", None) is not None:
            connection.close_pool()
        del connections[alias]
