"""Marks of used one-time links: one for each, and none that a rollback takes back."""

from datetime import UTC, datetime

import pytest
from django.db import transaction

from secure_dbstorage.models import StoredFile
from secure_dbstorage.table import uses

LATER = datetime(2100, 1, 1, tzinfo=UTC)


def begin(using: str, client: bytes = b"client") -> bool:
    return uses.begin(5, client, LATER, now=1000, using=using)


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
