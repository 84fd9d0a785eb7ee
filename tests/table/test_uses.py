"""Marks of used one-time links: one for each, and none that a rollback takes back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction

from secure_dbstorage.models import StoredFile
from secure_dbstorage.table import uses

LATER = datetime(2100, 1, 1, tzinfo=UTC)


def begin(using: str, client: bytes = b"client") -> bool:
    return uses.begin(5, client, LATER, now=1000, using=using)


def begin_elsewhere(using: str) -> bool:
    try:
        return begin(using, b"other")
    finally:
        connections[using].close()


def test_a_test_case_counts_as_no_transaction(database: str) -> None:
    assert begin(database)
    assert not begin(database)
    assert uses.find(5, using=database)


@pytest.mark.django_db(transaction=True)
def test_no_use_is_marked_inside_a_transaction(database: str) -> None:
    with transaction.atomic(using=database), pytest.raises(RuntimeError, match="durable"):
        begin(database)
    assert not StoredFile.rows.using(database).exists()
    assert begin(database)
    assert not begin(database, b"other")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("is_taken", "begins"), [(False, True), (True, False)])
def test_a_commit_that_meets_another_nodes_is_tried_once_more(
    database: str, monkeypatch: pytest.MonkeyPatch, *, is_taken: bool, begins: bool
) -> None:
    """Galera says 1213 at the commit. The other one may have lost too."""
    connection: Any = connections[database]
    commit = connection._commit

    def lose() -> None:
        monkeypatch.setattr(connection, "_commit", commit)
        connection._rollback()
        if is_taken:  # On another connection, as from another node.
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(begin_elsewhere, database).result()
        raise OperationalError(1213, "Deadlock found when trying to get lock")

    monkeypatch.setattr(connection, "_commit", lose)
    assert begin(database) == begins
    assert uses.find(5, using=database).client == (b"other" if is_taken else b"client")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [1213, 2013])
def test_a_commit_that_fails_again_or_otherwise_is_an_error(
    database: str, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    connection: Any = connections[database]

    def lose() -> None:
        connection._rollback()
        raise OperationalError(number, "No")

    monkeypatch.setattr(connection, "_commit", lose)
    with pytest.raises(OperationalError):
        begin(database)
    monkeypatch.undo()
    assert uses.find(5, using=database) is None
