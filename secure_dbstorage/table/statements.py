"""Statements: templates, and the SQL that is made of them for each database.

A template names the table and the columns in braces, and has ``%s`` for values.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from secure_dbstorage.models import StoredFile

TABLE = StoredFile._meta.db_table
FIELDS: dict[str, Any] = {field.attname: field for field in StoredFile._meta.concrete_fields}

#: Without the rows.
INSERT_CHUNKS = "INSERT INTO {table} ({content}, {position}, {data}) "
#: Conditions of rows to delete.
OF_CONTENT = "{content} = %s"
IS_UPLOAD = "{content} = %s AND {position} = 0 AND {name} IS NULL"
IS_EMPTY_UPLOAD = f"{IS_UPLOAD} AND length({{data}}) = 0"
IS_EXPIRED_UPLOAD = f"{IS_UPLOAD} AND {{expires}} <= %s"
#: Behind a condition: that nobody has wrapped its key anew.
AND_HAS_WRAPPING = " AND substr({sealed_key}, 1, %s) = %s"
#: The condition of a first row whose sealed key nobody has changed. By its primary key, as an
#: overwrite changes it: MySQL locks the index first that it reads.
HAS_KEY = "{id} = %s AND {position} = 0 AND {sealed_key} = %s"
#: The condition of a row of an upload that is still as long as a writer saw it.
IS_UNCHANGED = "{content} = %s AND {position} = %s AND {name} IS NULL AND length({data}) = %s"
#: The first row of an upload, and how far its last row goes.
UPLOAD = (
    "SELECT one.{name}, one.{size}, one.{chunk_size}, one.{sha256}, one.{expires}, "
    "one.{sealed_key}, other.{position}, length(other.{data}) FROM {table} one "
    "JOIN {table} other ON other.{content} = one.{content} "
    "WHERE one.{content} = %s AND one.{position} = 0 AND one.{namespace} = %s "
    "ORDER BY other.{position} DESC LIMIT 1"
)
RUN = (
    "SELECT {data} FROM {table} WHERE {content} = %s AND {position} >= %s AND {position} < %s "
    "ORDER BY {position}"
)
#: The first chunk of a content as it is now, whenever the transaction began.
LOCKED_CHUNK = "SELECT {data} FROM {table} WHERE {content} = %s AND {position} = 0 FOR UPDATE"
#: Without the list of content keys.
FIRST_CHUNKS = "SELECT {content}, {data} FROM {table} WHERE {position} = 0 AND {content} IN "
#: What stands at a name and below it.
ROOM = (
    "SELECT EXISTS (SELECT 1 FROM {table} WHERE {namespace} = %s AND {name} = %s{among_heads}), "
    "EXISTS (SELECT 1 FROM {table} "
    "WHERE {namespace} = %s AND {name} >= %s AND {name} < %s{among_heads})"
)
#: Whether there are files below a directory.
HOLDS_BELOW = (
    "EXISTS (SELECT 1 FROM {table} "
    "WHERE {namespace} = %s AND {name} >= %s AND {name} < %s{among_heads})"
)
#: And above it. Without the list of names and the bracket that closes.
ROOM_BELOW = (
    f"{ROOM}, EXISTS (SELECT 1 FROM {{table}} "
    "WHERE {namespace} = %s{among_heads} AND {name} IN "
)
NAMES = (
    "SELECT {name} FROM {table} WHERE {namespace} = %s AND {name} >= %s{among_heads} "
    "ORDER BY {name} LIMIT %s"
)
NAMES_BELOW = (
    "SELECT {name} FROM {table} WHERE {namespace} = %s AND {name} >= %s AND {name} < %s"
    "{among_heads} ORDER BY {name} LIMIT %s"
)
#: Without the columns.
_HEADS_BELOW = (
    " FROM {table} WHERE {namespace} = %s AND {name} > %s AND {name} < %s{among_heads} "
    "AND {link_epoch} <= %s ORDER BY {name} LIMIT %s"
)
#: Without the list of names.
LINK_STATES = (
    "SELECT {name}, {is_public}, {link_epoch} FROM {table} "
    "WHERE {namespace} = %s AND {position} = 0 AND {name} IN "
)
#: Whether a content key is taken.
HAS_FIRST_ROW = "SELECT {position} FROM {table} WHERE {content} = %s AND {position} = 0"
#: A part of a chunk that has a length. None of the databases reads all of it for that.
PART = (
    "SELECT substr({data}, %s, %s) FROM {table} "
    "WHERE {content} = %s AND {position} = %s AND length({data}) = %s"
)

#: The bytes of a file of one row; NULL for a larger file.
_WHOLE = "CASE WHEN {size} <= {chunk_size} THEN {data} END"

#: SQL by vendor and template. Formatting a statement takes longer than running it.
_finished: dict[tuple[str, str], str] = {}

# Note [Names are at position 0]
# A table of PostgreSQL may be partitioned by position (example/deploy/partitions.sql). A statement
# that looks for names then has to say that they are at position 0, or it searches every partition.
# Elsewhere it would only cost something, where a statement finds all it wants in an index.
_AMONG_HEADS = {"postgresql": " AND {position} = 0"}


@cache
def insertion(*columns: str) -> str:
    """Return the template that inserts a row with these columns."""
    names = ", ".join(f"{{{name}}}" for name in columns)
    return f"INSERT INTO {{table}} ({names}) VALUES ({', '.join(['%s'] * len(columns))})"


@cache
def insertion_of_many(*columns: str) -> str:
    """Return the template that inserts rows with these columns, without the rows."""
    return f"INSERT INTO {{table}} ({', '.join(f'{{{name}}}' for name in columns)})"


@cache
def update(*columns: str) -> str:
    """Return the template that changes these columns of the head row with a primary key."""
    return update_where("{id} = %s AND {position} = 0", *columns)


@cache
def update_where(condition: str, *columns: str) -> str:
    """Return the template that changes these columns of the rows that meet a condition."""
    changes = ", ".join(f"{{{name}}} = %s" for name in columns)
    return f"UPDATE {{table}} SET {changes} WHERE {condition}"


@cache
def selection_by_key(columns: Sequence[str]) -> str:
    """Return the template that finds these columns of a head row by namespace and content key."""
    names = ", ".join(f"{{{name}}}" for name in columns)
    condition = "{content} = %s AND {position} = 0 AND {namespace} = %s AND {name} IS NOT NULL"
    return f"SELECT {names} FROM {{table}} WHERE {condition}"


@cache
def selection(
    columns: Sequence[str], *, public_only: bool = False, whole_only: bool = False
) -> str:
    """Return the template that finds these columns of a head row by namespace and name.

    :param whole_only: find bytes only if they are the whole file.
    """
    names = ", ".join(f"{{{name}}}" for name in columns)
    if whole_only:
        names = names.replace("{data}", _WHOLE)
    condition = "{namespace} = %s AND {name} = %s AND {position} = 0"
    condition += " AND {is_public} = %s" * public_only
    return f"SELECT {names} FROM {{table}} WHERE {condition}"


@cache
def selection_of_many(columns: Sequence[str]) -> str:
    """Return the template that finds these columns of head rows, without the list of names."""
    names = ", ".join(f"{{{name}}}" for name in columns)
    condition = "{namespace} = %s AND {position} = 0 AND {name} IN "
    return f"SELECT {names} FROM {{table}} WHERE {condition}"


@cache
def selection_below(columns: Sequence[str]) -> str:
    """Return the template that finds these columns of head rows between two names, in order."""
    return f"SELECT {', '.join(f'{{{name}}}' for name in columns)}{_HEADS_BELOW}"


def statement(template: str, connection: BaseDatabaseWrapper) -> str:
    """Return the SQL of a template, with names quoted for this database.

    Each is kept for good, so a template must not hold values that differ from call to call.
    """
    key = connection.vendor, template
    finished = _finished.get(key)
    if finished is None:
        columns = {name: field.column for name, field in FIELDS.items()}
        quoted = {
            name: connection.ops.quote_name(column)
            for name, column in {"table": TABLE, **columns}.items()
        }
        quoted["among_heads"] = _AMONG_HEADS.get(connection.vendor, "").format_map(quoted)
        finished = _finished[key] = template.format_map(quoted)
    return finished


def placeholders(count: int) -> str:
    """Return the list of so many parameters, in brackets."""
    return f"({', '.join(['%s'] * count)})"
