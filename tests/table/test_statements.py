"""Statements: names quoted as each database wants them, and each kept once."""

import pytest
from django.db import connections
from django.utils import timezone

from secure_dbstorage.table import statements
from secure_dbstorage.table.dialects import rows


@pytest.mark.parametrize(
    ("database", "quote"),
    [("sqlite", '"'), ("postgres", '"'), ("mariadb", "`")],
    indirect=["database"],
)
def test_names_are_quoted_as_the_database_wants_them(database: str, quote: str) -> None:
    template = "DELETE FROM {table} WHERE {content} = %s"
    text = statements.statement(template, connections[database])
    table, column = f"{quote}{statements.TABLE}{quote}", f"{quote}content{quote}"
    assert text == f"DELETE FROM {table} WHERE {column} = %s"


def test_only_reusable_statements_are_kept(database: str) -> None:
    stored = rows(database)

    def ask(number: int) -> None:
        stored.link_states("", [f"{each}.txt" for each in range(number)])
        stored.names("", ("a", "b"), number)
        stored.run(number, number, number)
        stored.update(number, {"size": number})
        stored.insert_chunks(number, 1, [b""] * number)
        stored.delete(number)
        stored.delete_unfinished(number, timezone.now())

    ask(1)
    kept = len(statements._finished)
    for number in range(2, 20):
        ask(number)
    assert len(statements._finished) == kept
