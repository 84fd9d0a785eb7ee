"""The schemas of PostgreSQL that have a table of some name, and which one a query reads."""

import pytest
from django.db import connections

from secure_dbstorage.models import StoredFile
from secure_dbstorage.upkeep.schemas import tables_of

FILES = StoredFile._meta.db_table


@pytest.mark.django_db(databases=["postgres"])
def test_each_schema_with_a_table_of_this_name_is_found() -> None:
    with connections["postgres"].cursor() as cursor:
        cursor.execute("CREATE SCHEMA a CREATE TABLE thing (id int)")
        cursor.execute("CREATE SCHEMA b CREATE VIEW thing AS SELECT 1")
        cursor.execute(f"CREATE TABLE b.{FILES} (id int)")
        cursor.execute("CREATE SCHEMA c CREATE TABLE index_of (thing int)")
        cursor.execute("CREATE INDEX thing ON c.index_of (thing)")
        cursor.execute("CREATE TEMPORARY TABLE mine (id int)")

        def found(name: str = "thing") -> dict[str, tuple[bool, bool]]:
            tables = tables_of(name, using="postgres")
            return {one.schema.name: (one.is_reached, one.is_beside_files) for one in tables}

        assert found() == {"a": (False, False), "b": (False, True)}
        cursor.execute("SET LOCAL search_path TO b, a, public")
        assert found() == {"a": (False, False), "b": (True, True)}
        assert found('b"."thing') == found("mine") == found("none") == {}


@pytest.mark.django_db
def test_other_databases_have_no_schemas() -> None:
    assert list(tables_of(FILES, using="default")) == []
