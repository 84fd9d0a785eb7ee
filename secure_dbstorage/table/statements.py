"""The statements of the dialects: templates, and the texts that a database understands.

In a template ``{table}`` and the names of columns stand in braces, and values are ``%s``.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from secure_dbstorage.models import StoredFile

TABLE = StoredFile._meta.db_table
FIELDS: dict[str, Any] = {field.attname: field for field in StoredFile._meta.concrete_fields}

DELETE = "DELETE FROM {table} WHERE {content} = %s"
RUN = (
    "SELECT {data} FROM {table} WHERE {content} = %s AND {position} >= %s AND {position} < %s "
    "ORDER BY {position}"
)
HOLDS = (
    "SELECT EXISTS (SELECT 1 FROM {table} WHERE {namespace} = %s AND {name} = %s) "
    "OR EXISTS (SELECT 1 FROM {table} "
    "WHERE {namespace} = %s AND {name} >= %s AND {name} < %s)"
)
NAMES = (
    "SELECT {name} FROM {table} WHERE {namespace} = %s AND {name} >= %s ORDER BY {name} LIMIT %s"
)
NAMES_BELOW = (
    "SELECT {name} FROM {table} WHERE {namespace} = %s AND {name} >= %s AND {name} < %s "
    "ORDER BY {name} LIMIT %s"
)
#: Without the list of names.
LINK_STATES = (
    "SELECT {name}, {is_public}, {link_epoch} FROM {table} WHERE {namespace} = %s AND {name} IN "
)
PART = "SELECT substr({data}, %s, %s) FROM {table} WHERE {content} = %s AND {position} = %s"

#: Finished ones by vendor and template: to put one together takes longer than to run it.
_finished: dict[tuple[str, str], str] = {}


@cache
def insertion(*columns: str) -> str:
    """Return the template that inserts a row with these columns."""
    names = ", ".join(f"{{{name}}}" for name in columns)
    return f"INSERT INTO {{table}} ({names}) VALUES ({', '.join(['%s'] * len(columns))})"


@cache
def update(*columns: str) -> str:
    """Return the template that changes these columns of the row with a primary key."""
    changes = ", ".join(f"{{{name}}} = %s" for name in columns)
    return f"UPDATE {{table}} SET {changes} WHERE {{id}} = %s"


@cache
def selection(columns: Sequence[str], *, public_only: bool = False) -> str:
    """Return the template that finds these columns of a head row by namespace and name."""
    names = ", ".join(f"{{{name}}}" for name in columns)
    condition = "{namespace} = %s AND {name} = %s" + " AND {is_public} = %s" * public_only
    return f"SELECT {names} FROM {{table}} WHERE {condition}"


def statement(template: str, connection: BaseDatabaseWrapper) -> str:
    """Return a template's statement, its names quoted as this database wants them.

    Each is kept: no template may hold what differs from call to call.
    """
    key = connection.vendor, template
    finished = _finished.get(key)
    if finished is None:
        columns = {name: field.column for name, field in FIELDS.items()}
        quoted = {
            name: connection.ops.quote_name(column)
            for name, column in {"table": TABLE, **columns}.items()
        }
        finished = _finished[key] = template.format_map(quoted)
    return finished
