"""The table as example/deploy/partitions.sql partitions it, for files in billions of rows."""

import re
import subprocess
from collections.abc import Iterator
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.files.storage import Storage
from django.core.management import call_command
from django.db import IntegrityError, connections
from pytest_django import DjangoDbBlocker

from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import chunks, streams
from secure_dbstorage.upkeep.pruning import prune_rows
from secure_dbstorage.upkeep.verification import verify
from tests.cluster.databases import connected
from tests.servers import postgres
from tests.servers.postgres import PostgresServer
from tests.support.example import EXAMPLE
from tests.support.files import CHUNK_SIZE, LARGE, captured, read
from tests.support.storage_contract import OverwritingContract, StorageContract

SCRIPT = EXAMPLE / "deploy/partitions.sql"

#: What is in the table before it is partitioned.
BEFORE = {"old/small.txt": b"small", "old/large.bin": LARGE}

_numbers = count(1)

HEADS, USES = "secure_dbstorage_heads", "secure_dbstorage_uses"


@pytest.fixture(scope="module")
def partitioned(own_directory: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """Return the alias of a database with files, whose table was partitioned by the script."""
    # A worker that takes other tests in between makes it once more.
    directory = own_directory / f"partitions-{next(_numbers)}"
    with PostgresServer(directory) as server, django_db_blocker.unblock():
        with psycopg.connect(
            host=server.host, user=postgres.USER, dbname="postgres", autocommit=True
        ) as administrator:
            administrator.execute("CREATE DATABASE partitions")
        entry = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "partitions",
            "HOST": server.host,
            "USER": postgres.USER,
        }
        with connected(entry) as alias:
            call_command("migrate", database=alias, run_syncdb=True, verbosity=0)
            storage = _storage(alias)
            for name, content in BEFORE.items():
                storage.save(name, BytesIO(content))
            assert storage.catalog.begin_use(7, b"", now=1000, needed_until=2000)
            _run_script(server)
            yield alias


@pytest.fixture
def using(partitioned: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """Return the alias, and empty the table afterwards but for what was there before."""
    with django_db_blocker.unblock():
        first = max(StoredFile.rows.using(partitioned).values_list("pk", flat=True))
        yield partitioned
        StoredFile.rows.using(partitioned).filter(pk__gt=first).delete()


def _run_script(server: PostgresServer) -> None:
    address = f"host={server.host} user={postgres.USER} dbname=partitions"
    subprocess.run(
        [server.program("psql"), "--set", "ON_ERROR_STOP=1", "--file", SCRIPT, address],
        check=True,
        capture_output=True,
    )


def _storage(using: str, **options: Any) -> DatabaseStorage:
    return DatabaseStorage(using=using, chunk_size=CHUNK_SIZE, **options)


class TestPartitionedStorage(StorageContract, OverwritingContract):
    """The contract of every storage."""

    @pytest.fixture
    def storage(self, using: str) -> Storage:
        return _storage(using, namespace="contract")

    @pytest.fixture
    def overwriting(self, using: str) -> Storage:
        return _storage(using, namespace="contract", allow_overwrite=True)


def test_what_was_there_is_there(using: str) -> None:
    storage = _storage(using)
    assert {name: read(storage, name) for name in BEFORE} == BEFORE
    assert [each.problems for each in verify(storage)] == [()] * len(BEFORE)
    assert storage.catalog.use_of(7)
    assert not storage.catalog.begin_use(7, b"", now=1000, needed_until=2000)


def test_each_row_is_where_it_belongs(using: str) -> None:
    _storage(using).save("new.bin", BytesIO(LARGE))
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT tableoid::regclass::text, position = 0, position = 2147483647"
            " FROM secure_dbstorage_storedfile"
        )
        places = cursor.fetchall()
        cursor.execute(
            "SELECT attstorage FROM pg_attribute"
            " WHERE attrelid = 'secure_dbstorage_chunks_0'::regclass AND attname = 'data'"
        )
        assert cursor.fetchone() == ("e",)  # external: not compressed
    assert (HEADS, True, False) in places
    assert (USES, False, True) in places
    for table, is_head, is_use in places:
        assert is_head == (table == HEADS)
        assert is_use == (table == USES)


def test_a_name_that_is_taken_is_no_error_and_a_content_key_is(
    using: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = _storage(using)
    key = storage.catalog.get("old/small.txt").content.key
    with pytest.raises(FileExistsError):
        storage.saves.add("old/small.txt", [b"other"])
    monkeypatch.setattr(chunks, "new_key", lambda: key)
    with pytest.raises(IntegrityError):
        storage.saves.add("another.txt", [b"other"])
    assert read(storage, "old/small.txt") == b"small"


@pytest.mark.parametrize(
    "act",
    [
        lambda storage: storage.catalog.find("old/large.bin"),
        lambda storage: storage.url("old/large.bin"),
        lambda storage: storage.exists("old"),
        lambda storage: storage.exists("nothing"),
        lambda storage: storage.listdir(""),
        lambda storage: storage.set_public("old/large.bin", False),
        lambda storage: storage.revoke_urls("old/small.txt"),
        lambda storage: storage.rename("old/large.bin", "old/large.bin"),
        lambda storage: storage.catalog.heads_below("old", latest_epoch=2**62, now=0, limit=9),
        lambda storage: list(storage.catalog.files()[:5]),
        lambda storage: storage.catalog.files().count(),
    ],
)
def test_a_name_is_looked_for_among_the_heads_alone(using: str, act: Any) -> None:
    assert _tables_of(using, lambda: act(_storage(using))) == {HEADS}


def test_a_run_of_rows_is_in_one_table_of_chunks(using: str) -> None:
    storage = _storage(using)
    content = storage.catalog.get("old/large.bin").content
    tables = _tables_of(using, lambda: b"".join(streams.read(content, start=CHUNK_SIZE)))
    assert len(tables) == 1
    assert tables < {f"secure_dbstorage_chunks_{number}" for number in range(8)}


def test_an_overwrite_changes_the_head_alone_and_deletes_from_one_table_of_chunks(
    using: str,
) -> None:
    storage = _storage(using, allow_overwrite=True)
    storage.save("new.bin", BytesIO(LARGE))
    tables = _tables_of(using, lambda: storage.save("new.bin", BytesIO(b"short")))
    assert len(tables - {HEADS, USES}) == 1


def test_rows_without_a_file_are_pruned(using: str) -> None:
    StoredFile.rows.using(using).create(content=99, position=1, data=b"stray")
    assert [each.kind for each in prune_rows(using, dry_run=False) if each.name == "99"] == [
        "stray"
    ]
    assert not StoredFile.rows.using(using).of(99).exists()


def _tables_of(using: str, act: Any) -> set[str]:
    """Return the partitions that the statements of an act look into, by PostgreSQL's plans."""
    with captured(using) as seen:
        act()
    tables: set[str] = set()
    with connections[using].cursor() as cursor:
        for statement in seen.text.splitlines():
            if statement.startswith(("SELECT", "UPDATE", "DELETE")):
                cursor.execute(f"EXPLAIN {_with_values(statement)}".replace("%", "%%"))
                plan = "\n".join(line for (line,) in cursor.fetchall())
                tables.update(re.findall(r" on (secure_dbstorage_\w+)", plan))
    return tables - {"secure_dbstorage_storedfile"}


def _with_values(statement: str) -> str:
    """Return a statement with other values where the log shows none that SQL can read."""
    without_bytes = re.sub(r"<\d+ bytes>", "''", statement).replace(" = None", " = NULL")
    return re.sub(r"datetime\.datetime\([^()]*\)", "now()", without_bytes)
