"""Statements: names quoted as each database wants them, and each kept once."""

import pytest
from django.db import connections

from secure_dbstorage.table import statements
from secure_dbstorage.table.dialects import dialect_of


@pytest.mark.parametrize(
    ("database", "quote"),
    [("sqlite", '"'), ("postgres", '"'), ("mariadb", "`")],
    indirect=["database"],
)
def test_names_are_quoted_as_the_database_wants_them(database: str, quote: str) -> None:
    text = statements.statement(statements.DELETE, connections[database])
    table, column = f"{quote}{statements.TABLE}{quote}", f"{quote}content{quote}"
    assert text == f"DELETE FROM {table} WHERE {column} = %s"


def test_what_differs_from_call_to_call_is_not_kept(database: str) -> None:
    connection = connections[database]
    dialect = dialect_of(connection)

    def ask(number: int) -> None:
        dialect.fetch_link_states(connection, "", [f"{each}.txt" for each in range(number)])
        dialect.fetch_names(connection, "", ("a", "b"), number)
        dialect.fetch_run(connection, number, number, number)
        dialect.update(connection, number, {"size": number})
        dialect.delete(connection, number)

    ask(1)
    kept = len(statements._finished)
    for number in range(2, 20):
        ask(number)
    assert len(statements._finished) == kept
