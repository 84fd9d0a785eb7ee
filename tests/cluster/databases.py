"""Databases that the tests' process connects to by an alias of its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

from django.db import connections

_numbers = count(1)


@contextmanager
def connected(entry: Mapping[str, Any]) -> Iterator[str]:
    """Let Django know a database, and yield its alias.

    :param entry: as DATABASES has it.
    """
    alias = f"cluster-{next(_numbers)}"
    settings = connections.settings
    complete = connections.configure_settings({"default": {}, "mine": dict(entry)})
    settings[alias] = complete["mine"]
    try:
        yield alias
    finally:
        connection = connections[alias]
        connection.close()
        if connection.vendor == "postgresql":
            connection.close_pool()
        del connections[alias]
        del settings[alias]
