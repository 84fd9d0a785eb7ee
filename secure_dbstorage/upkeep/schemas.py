"""Schemas: where a PostgreSQL database has tables of one name. A search path reaches only one."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connections

from secure_dbstorage.models import StoredFile

_TABLES = """
    SELECT current_database() || ' since ' || pg_postmaster_start_time(), space.nspname,
        found.oid IS NOT DISTINCT FROM CAST(to_regclass(%s) AS oid),
        EXISTS (
            SELECT FROM pg_class AS files
            WHERE files.relnamespace = space.oid AND files.relname = %s
        )
    FROM pg_class AS found JOIN pg_namespace AS space ON space.oid = found.relnamespace
    WHERE found.relname = %s AND found.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND NOT starts_with(CAST(space.nspname AS text), 'pg_')
"""


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema of one database."""

    #: The same text for two aliases of one database, and for no other database.
    database: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table, or a view, in one of the schemas."""

    schema: Schema
    #: Whether this is the one that a query would read.
    is_reached: bool
    #: Whether its schema has a table of files as well.
    is_beside_files: bool


def is_reached(name: str, *, using: str) -> bool:
    """Tell whether a query reads a table of this name, on PostgreSQL.

    :param name: as a model has it. ``archive"."letters`` names a schema as well.
    """
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [connection.ops.quote_name(name)])
        return bool(cursor.fetchone()[0])


def tables_of(name: str, *, using: str) -> Iterator[Table]:
    """Yield the tables of this name in all schemas; none on other databases than PostgreSQL."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return
    parameters = (connection.ops.quote_name(name), StoredFile._meta.db_table, name)
    with connection.cursor() as cursor:
        cursor.execute(_TABLES, parameters)
        found = cursor.fetchall()
    for database, schema, is_reached, is_beside_files in found:
        yield Table(
            schema=Schema(database, schema),
            is_reached=is_reached,
            is_beside_files=is_beside_files,
        )
