"""A replica gives bytes and listings; the primary decides, and gives what the replica can't."""

import io
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol
from zipfile import ZipFile

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.core.files.storage import storages
from django.db import OperationalError, connections, router, transaction
from django.test import AsyncClient, Client
from pytest_django import Settings

from secure_dbstorage.files.heads import LinkState
from secure_dbstorage.links.paths import spelled_content
from secure_dbstorage.models import StoredFile
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import replicas
from secure_dbstorage.table.catalog import Catalog
from secure_dbstorage.table.replicas import REST_SECONDS
from secure_dbstorage.table.saves import Saves
from secure_dbstorage.upkeep.verification import verify
from tests.support.pages import DEPLOY, blocks
from tests.support.replicas import StandIn, hollow_primary, let_pass, standing_in

#: Nine rows: too many for one query.
LARGE = os.urandom(2_300_000)
SMALL = b"small"


@pytest.fixture
def replica(transactional_db: None, settings: Settings, tmp_path: Path) -> Iterator[StandIn]:
    settings.ROOT_URLCONF = "tests.support.offload_urls"
    settings.SECURE_DBSTORAGE = {"OFFLOAD": "nginx"}
    with standing_in(settings, tmp_path) as replica:
        yield replica


@pytest.fixture
def storage(replica: StandIn) -> DatabaseStorage:
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    storage.save("dir/large.bin", LARGE)
    storage.save("dir/small.txt", SMALL)
    storage.save("dir/small2.txt", SMALL)
    return storage


def storage_of(using: str | None, **options: Any) -> DatabaseStorage:
    return DatabaseStorage(using=using, **options)


# Every way to the bytes


class Read(Protocol):
    """Reads the large file in one way."""

    def __call__(self, storage: DatabaseStorage, midway: Callable[[], object] = ...) -> bytes:
        """Return its bytes, and call a function when the first pieces are there."""


def nothing() -> None:
    """Happen midway."""


def joined(pieces: Iterable[bytes], midway: Callable[[], object]) -> bytes:
    body = io.BytesIO()
    for number, piece in enumerate(pieces):
        body.write(piece)
        if number == 1:
            midway()
    return body.getvalue()


def opened(storage: DatabaseStorage, midway: Callable[[], object] = nothing) -> bytes:
    with storage.open("dir/large.bin") as file:
        return joined(iter(lambda: file.read(100_000), b""), midway)


def in_chunks(storage: DatabaseStorage, midway: Callable[[], object] = nothing) -> bytes:
    return joined(storage.open("dir/large.bin").chunks(), midway)


def by_wsgi(
    storage: DatabaseStorage, midway: Callable[[], object] = nothing, url: str = "", **fields: str
) -> bytes:
    return joined(Client().get(url or storage.url("dir/large.bin"), headers=fields), midway)


def by_asgi(storage: DatabaseStorage, midway: Callable[[], object] = nothing) -> bytes:
    async def read() -> bytes:
        pieces: list[bytes] = []
        async for piece in await AsyncClient().get(storage.url("dir/large.bin")):
            pieces.append(piece)
            if len(pieces) == 2:
                await sync_to_async(midway)()
        return b"".join(pieces)

    # The view and the queries run in this thread.
    return async_to_sync(read)()


def by_range(storage: DatabaseStorage, midway: Callable[[], object] = nothing) -> bytes:
    part = by_wsgi(storage, midway, Range="bytes=300001-2299998")
    return LARGE[:300_001] + part + LARGE[-1:]


def by_internal_route(storage: DatabaseStorage, midway: Callable[[], object] = nothing) -> bytes:
    key = storage.catalog.get("dir/large.bin").content.key
    path = spelled_content("default", key, storage.catalog.place)
    link = storage.links.content(path, storage.audience, now=time.time())
    return by_wsgi(storage, midway, str(link))


def in_zip(storage: DatabaseStorage, midway: Callable[[], object] = nothing) -> bytes:
    packed = by_wsgi(storage, midway, storage.zip_url(prefix="dir"))
    with ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        assert [archive.read(f"small{number}.txt") for number in ("", "2")] == [SMALL] * 2
        return archive.read("large.bin")


WAYS = [opened, in_chunks, by_wsgi, by_asgi, by_range, by_internal_route, in_zip]

ways = pytest.mark.parametrize("read", WAYS, ids=lambda way: way.__name__)


@ways
def test_the_bytes_come_from_the_replica(
    replica: StandIn, storage: DatabaseStorage, read: Read
) -> None:
    replica.mirror()
    hollow_primary()
    assert read(storage) == LARGE


#: What a replica may lack before somebody reads.
LACKS: dict[str, Callable[[StandIn], object]] = {
    "everything": StandIn.lose,
    "the-end": lambda replica: replica.lose(from_position=3),
    "the-ends-of-rows": StandIn.shorten,
    "the-table": StandIn.drop_table,
    "life": StandIn.die,
}


@ways
@pytest.mark.parametrize("lacks", LACKS)
def test_what_the_replica_lacks_comes_from_the_primary(
    replica: StandIn,
    storage: DatabaseStorage,
    lacks: str,
    read: Read,
    caplog: pytest.LogCaptureFixture,
) -> None:
    replica.mirror()
    LACKS[lacks](replica)
    for _ in range(2):
        assert read(storage) == LARGE
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("secure_dbstorage.storage", "WARNING")
    assert replica.alias in record.getMessage()


@ways
@pytest.mark.parametrize("mishap", [StandIn.lose, StandIn.die], ids=["deletes", "dies"])
def test_a_body_goes_on_at_the_primary(
    replica: StandIn,
    storage: DatabaseStorage,
    mishap: Callable[[StandIn], None],
    read: Read,
) -> None:
    replica.mirror()
    happened: list[object] = []
    assert read(storage, lambda: happened.append(mishap(replica))) == LARGE
    assert len(happened) == 1


# A replica that is down


def test_a_dead_replica_is_left_alone_for_a_while(
    replica: StandIn,
    storage: DatabaseStorage,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    replica.mirror()
    replica.die()
    assert storage.open("dir/large.bin").read() == LARGE
    replica.revive()
    with replica.queries() as asked:
        assert storage.open("dir/large.bin").read() == LARGE
        assert storage.listdir("dir")[1] == ["large.bin", "small.txt", "small2.txt"]
        assert len(asked) == 0
        let_pass(REST_SECONDS + 1, monkeypatch)
        assert storage.open("dir/large.bin").read() == LARGE
        assert len(asked) > 0
    told = [record.getMessage() for record in caplog.records]
    assert [replica.alias in text for text in told] == [True, True]
    assert "back" in told[1]


def test_one_reader_tries_a_dead_replica_and_the_others_go_on(
    replica: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise OperationalError("gone")

    def meanwhile() -> str:
        assert replicas.ask(replica.alias, lambda: "another") is None
        return "answer"

    assert replicas.ask(replica.alias, fail) is None
    let_pass(REST_SECONDS + 1, monkeypatch)
    assert replicas.ask(replica.alias, meanwhile) == "answer"
    assert replicas.ask(replica.alias, lambda: "another") == "another"


def test_an_answer_to_an_earlier_question_ends_no_rest(
    replica: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> str:
        raise OperationalError("gone")

    def meanwhile() -> str:
        assert replicas.ask(replica.alias, fail) is None  # another reader
        return "answer"

    assert replicas.ask(replica.alias, meanwhile) == "answer"
    assert replicas.is_resting(replica.alias)
    assert len(caplog.records) == 1


def test_a_connection_from_before_a_restart_is_no_failure(
    replica: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    connections[replica.alias].ensure_connection()
    errors = iter([OperationalError("terminated by the administrator")])

    def question() -> str:
        for error in errors:
            raise error
        return "answer"

    assert replicas.ask(replica.alias, question) == "answer"
    assert caplog.records == []


def test_a_replica_that_lags_is_logged_once_a_minute(
    replica: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        assert replicas.ask(replica.alias, lambda: None) is None
    assert len(caplog.records) == 1
    let_pass(61, monkeypatch)
    assert replicas.ask(replica.alias, lambda: None) is None
    assert len(caplog.records) == 2


def test_a_transaction_on_the_replica_is_not_at_risk(replica: StandIn) -> None:
    with transaction.atomic(using=replica.alias):
        assert replicas.ask(replica.alias, lambda: "answer") is None


# What is never asked of a replica


@pytest.mark.parametrize("path", ["url", "public"])
def test_a_dead_primary_is_a_503_while_the_replica_lives(
    replica: StandIn, storage: DatabaseStorage, client: Client, path: str
) -> None:
    storage.set_public("dir/large.bin", public=path == "public")
    replica.mirror()
    url = storage.url("dir/large.bin")

    def fail(*_: Any) -> Any:
        raise OperationalError("gone")

    with connections["default"].execute_wrapper(fail):
        answer = client.get(url)
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) >= 1


def test_inside_a_transaction_the_primary_gives_everything(
    replica: StandIn, storage: DatabaseStorage
) -> None:
    replica.mirror()
    before = storage.open("dir/large.bin")
    with replica.queries() as asked, transaction.atomic(using="default"):
        assert before.read() == LARGE
        assert in_chunks(storage) == LARGE
        assert storage.listdir("dir")[1] == ["large.bin", "small.txt", "small2.txt"]
        assert by_wsgi(storage) == LARGE
    assert len(asked) == 0


def test_a_storage_with_its_own_database_has_no_replica(
    replica: StandIn, storage: DatabaseStorage
) -> None:
    replica.mirror()
    with replica.queries() as asked:
        assert DatabaseStorage(using="default").open("dir/large.bin").read() == LARGE
    assert len(asked) == 0


def test_a_small_file_takes_one_query_and_a_large_one_two(
    replica: StandIn, storage: DatabaseStorage, django_assert_num_queries: Any
) -> None:
    storage.save("middle.bin", LARGE[:600_000])
    replica.mirror()
    primary = connections["default"]
    for name, of_replica in (("dir/small.txt", 0), ("middle.bin", 1)):
        with replica.queries() as asked, django_assert_num_queries(1, connection=primary):
            storage.open(name).read()
        assert len(asked) == of_replica


def test_verification_reads_the_primary(replica: StandIn, storage: DatabaseStorage) -> None:
    replica.mirror()
    with replica.queries() as asked:
        assert [found.problems for found in verify(storage)] == [()] * 3
        hollow_primary()
        assert [bool(found.problems) for found in verify(storage)] == [True, False, False]
    assert len(asked) == 0


def test_an_appended_file_is_built_on_the_primary(
    replica: StandIn, storage: DatabaseStorage
) -> None:
    replica.mirror()
    with replica.queries() as asked, storage.open("dir/large.bin", "ab") as file:
        file.write(b"end")
    assert len(asked) == 0
    assert storage.open("dir/large.bin").read() == LARGE + b"end"


def test_the_primary_decides_what_there_is(replica: StandIn, storage: DatabaseStorage) -> None:
    for name in ("gone.txt", "old.txt", "public.txt", "changed.txt"):
        storage.save(name, b"stale" * 100_000)
    storage.set_public("public.txt", public=True)
    replica.mirror()
    storage.delete("gone.txt")
    storage.rename("old.txt", "new.txt")
    storage.set_public("public.txt", public=False)
    storage.saves.replace("changed.txt", [b"fresh" * 100_000])
    for name in ("gone.txt", "old.txt"):
        assert not storage.exists(name)
        with pytest.raises(FileNotFoundError):
            storage.open(name)
        with pytest.raises(FileNotFoundError):
            storage.stat(name)
    assert not storage.is_public("public.txt")
    assert storage.open("changed.txt").read() == b"fresh" * 100_000
    assert storage.open("new.txt").read() == b"stale" * 100_000
    assert storage.save("old.txt", b"") == "old.txt"


def test_a_link_is_asked_about_at_the_primary(
    replica: StandIn, storage: DatabaseStorage, client: Client
) -> None:
    storage.set_public("dir/large.bin", public=True)
    revoked = storage.url("dir/small.txt")
    once = storage.url("dir/small2.txt", uses=1)
    replica.mirror()
    storage.set_public("dir/large.bin", public=False)
    storage.revoke_urls("dir/small.txt")
    assert client.get("/files/dir/large.bin").status_code == 404
    assert client.get(revoked).status_code == 403
    assert [client.get(once).status_code for _ in range(2)] == [200, 403]
    state = storage.catalog.link_states(["dir/large.bin", "unknown"])
    epoch = storage.catalog.get("dir/large.bin").link_epoch
    assert state == {"dir/large.bin": LinkState(False, epoch)}


# Listings and routers


def test_the_router_of_the_page_names_the_replica_for_our_table_alone(
    transactional_db: None, settings: Settings
) -> None:
    (block,) = (text for text in blocks(DEPLOY.read_text(), "python") if "FilesRouter:" in text)
    names: dict[str, Any] = {}
    exec(block, names)  # noqa: S102 -- our own
    settings.DATABASE_ROUTERS = [names["FilesRouter"]()]
    storage = storage_of(None)
    assert (storage.catalog.writer, storage.catalog.replica) == ("default", "replica")
    assert (router.db_for_read(User), router.db_for_write(User)) == ("default", "default")
    with transaction.atomic():
        assert storage.catalog.replica is None


def test_listings_come_from_the_replica(replica: StandIn, storage: DatabaseStorage) -> None:
    assert storage.listdir("") == ([], [])
    replica.mirror()
    assert storage.listdir("") == (["dir"], [])


@pytest.mark.parametrize("mishap", [StandIn.die, StandIn.drop_table], ids=["dead", "bare"])
def test_without_the_replica_they_come_from_the_primary(
    replica: StandIn, storage: DatabaseStorage, mishap: Callable[[StandIn], None]
) -> None:
    mishap(replica)
    for _ in range(2):
        assert storage.listdir("") == (["dir"], [])
    with pytest.raises(IsADirectoryError):
        storage.open("dir")


# Writing


def test_what_is_written_is_written_to_the_primary(replica: StandIn) -> None:
    storage = storage_of(None)
    storage.saves.add("a.txt", [b"old"])
    storage.saves.replace("a.txt", [b"new"])
    storage.changes.set_public("a.txt", public=True)
    storage.changes.rename("a.txt", "b.txt")
    head = storage_of("default").catalog.get("b.txt")
    assert (head.stat.is_public, head.stat.size) == (True, 3)
    there = StorageOptions(using=replica.alias)  # No alias in the settings.
    Saves(there, Catalog(there)).add("b.txt", [b"stale"])
    with DatabaseStorage().open("b.txt", "ab") as file:
        file.write(b"er")
    with DatabaseStorage(using="default").open("b.txt") as file:
        assert file.read() == b"newer"
    storage.changes.remove("b.txt")
    assert StoredFile.rows.using("default").count() == 0
    assert StoredFile.rows.using(replica.alias).count() == 1
