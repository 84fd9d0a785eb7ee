"""Tenants: which schema a connection reaches, where each tenant has one."""

from functools import lru_cache

from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.asyncio import async_unsafe

_SYNC_ONLY = (
    "The schema of this connection belongs to a thread, which an event loop doesn't share: in "
    "async code write `await storage.aurl(...)`, `await storage.aurls(...)`, or "
    "`await sync_to_async(storage.folder_url)(...)`."
)


def schema_of(connection: BaseDatabaseWrapper) -> str:
    """Return the name of the schema that a connection reaches now; "" for no tenants.

    Knows django-tenants, which notes it on the connection, as django-tenant-schemas did, and
    django-pgschemas, which notes it in the context.

    :raises SynchronousOnlyOperation: in an event loop, for a note on the connection.
    """
    noted = getattr(connection, "schema_name", None)
    if noted is not None:
        return _checked(noted)
    wrapper: type = type(connection)
    return _context_schema() if _is_of_pgschemas(wrapper) else ""


@async_unsafe(_SYNC_ONLY)
def _checked(noted: object) -> str:
    return str(noted)


def _context_schema() -> str:
    from django_pgschemas.schema import get_current_schema  # noqa: PLC0415 -- if it is in use

    return str(get_current_schema().schema_name)


@lru_cache(maxsize=32)
def _is_of_pgschemas(wrapper: type) -> bool:
    return any(base.__module__.startswith("django_pgschemas.") for base in wrapper.__mro__)
