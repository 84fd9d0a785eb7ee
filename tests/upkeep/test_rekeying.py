"""Keys of files are wrapped by the newest key, and their bytes sealed anew."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import OperationalError, connections, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from secure_dbstorage.exceptions import KeyLost
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep import rekeying
from secure_dbstorage.upkeep.rekeying import Rekeyed, find_keys, reseal, rewrap
from tests.support.aliases import added_alias
from tests.support.files import LARGE, read
from tests.support.sealing import KEY, OLD_KEY, Service, id_of
from tests.support.serving import ask
from tests.support.uploads import Uploader
from tests.support.waiting import wait_until

NAMES = ("a.txt", "dir/b.bin", "dir/c.bin")


def storage_of(database: str, *keys: Any) -> DatabaseStorage:
    """Return a storage with these keys, newest first."""
    return DatabaseStorage(using=database, chunk_size=4096, encryption_keys=list(keys) or None)


@pytest.fixture
def old(database: str) -> DatabaseStorage:
    """Return a storage with an old key and three files, in each database."""
    storage = storage_of(database, OLD_KEY)
    for name in NAMES:
        storage.save(name, ContentFile(name.encode() + LARGE))
    return storage


def outcomes(items: Any) -> dict[str, str]:
    """Return the outcomes by name."""
    found = [item for item in items if isinstance(item, Rekeyed)]
    return {item.name: item.outcome for item in found}


def test_all_keys_are_wrapped_anew_and_no_byte_is_read(
    old: DatabaseStorage, database: str
) -> None:
    before = {row.name: row.sha256 for row in StoredFile.objects.using(database)}
    both = storage_of(database, KEY, OLD_KEY)
    with CaptureQueriesContext(connections[database]) as queries:
        assert outcomes(rewrap(both)) == dict.fromkeys(NAMES, "rewrapped")
    statements = [query["sql"] for query in queries.captured_queries]
    assert not any("data" in sql.split("FROM")[0] for sql in statements if "SELECT" in sql)
    assert not any("data" in sql.split("WHERE")[0] for sql in statements if "UPDATE" in sql)
    new = storage_of(database, KEY)
    for name in NAMES:
        assert read(new, name) == name.encode() + LARGE
        with pytest.raises(KeyLost, match=id_of(KEY)):
            read(storage_of(database, OLD_KEY), name)
    assert {row.name: row.sha256 for row in StoredFile.objects.using(database)} == before


def test_what_is_done_is_left_alone(
    old: DatabaseStorage, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rekeying, "_BATCH", 1)
    both = storage_of(database, KEY, OLD_KEY)
    interrupted = rewrap(both)
    next(interrupted)
    interrupted.close()
    assert find_keys(both).counts == {id_of(KEY): 1, id_of(OLD_KEY): 2}
    assert sorted(outcomes(rewrap(both)).values()) == ["current", "rewrapped", "rewrapped"]
    assert find_keys(both).counts == {id_of(KEY): 3}


def test_deleted_files_and_unfinished_uploads_are_among_them(database: str, settings: Any) -> None:
    ours = {"using": database, "chunk_size": 4096}
    settings.STORAGES["default"] = {
        "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
        "OPTIONS": {**ours, "encryption_keys": [OLD_KEY]},
    }
    settings.STORAGES = {**settings.STORAGES}
    storage = storage_of(database, OLD_KEY)
    part = Uploader().begun(storage.upload_url("up.bin", max_size=10_000), 10)
    Uploader().patch(part, 0, b"01234")
    storage.save("deleted.txt", b"text")
    # As the trash keeps it.
    deleted = StoredFile.objects.using(database).filter(name="deleted.txt")
    deleted.update(namespace="~", name="deleted.txt/0000000000001")
    both = storage_of(database, KEY, OLD_KEY)
    assert find_keys(both).counts == {id_of(OLD_KEY): 2}
    assert sorted(outcomes(rewrap(both)).values()) == ["rewrapped", "rewrapped"]
    StoredFile.deleted.using(database).update(namespace="", name="deleted.txt")
    new = {**ours, "encryption_keys": [KEY]}
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**settings.STORAGES["default"], "OPTIONS": new},
    }
    assert Uploader().patch(part, 5, b"56789").status_code == 204
    assert read(storage_of(database, KEY), "up.bin") == b"0123456789"
    assert read(storage_of(database, KEY), "deleted.txt") == b"text"


def test_a_file_that_is_replaced_meanwhile_keeps_its_new_key(
    old: DatabaseStorage, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service()
    both = storage_of(database, service, OLD_KEY)

    def wrap(key: bytes, context: bytes) -> bytes:
        if read(old, "a.txt") != b"new":
            with old.open("a.txt", "wb") as file:
                file.write(b"new")
        return Service.wrap(service, key, context)

    monkeypatch.setattr(service, "wrap", wrap)
    found = outcomes(rewrap(both))
    assert found == {"a.txt": "changed", "dir/b.bin": "rewrapped", "dir/c.bin": "rewrapped"}
    assert read(both, "a.txt") == b"new"


@pytest.mark.parametrize("way", ["named", "named over a file", "its digest noted"])
def test_an_upload_that_is_finished_meanwhile_keeps_the_newest_wrapping(
    database: str, way: str
) -> None:
    storage = storage_of(database, OLD_KEY)
    if way == "named over a file":
        storage.save("a.txt", b"old")
    draft = storage.inbox.new(10, timezone.now() + timedelta(days=1))
    upload = storage.inbox.append(draft, [b"0123456789"])
    # A request has found the upload by now, and finishes it after its key was wrapped anew.
    assert set(outcomes(rewrap(storage_of(database, KEY, OLD_KEY))).values()) == {"rewrapped"}
    if way == "named":
        storage.inbox.adopt("a.txt", upload)
    elif way == "named over a file":
        storage.inbox.adopt_over("a.txt", upload)
    else:
        storage.inbox.note_digest(upload)
    new = storage_of(database, KEY)
    assert find_keys(new).counts == {id_of(KEY): 1}
    if way == "its digest noted":
        again = new.inbox.find(upload.content.key)
        assert again is not None
        new.inbox.adopt("a.txt", again)
    assert read(new, "a.txt") == b"0123456789"
    assert new.stat("a.txt").sha256 == hashlib.sha256(b"0123456789").hexdigest()


def test_a_key_that_is_lost_fails_its_files_and_no_others(
    old: DatabaseStorage, database: str
) -> None:
    storage_of(database, KEY).save("new.txt", b"text")
    found = {item.name: item for item in rewrap(storage_of(database, KEY))}
    assert found["new.txt"].outcome == "current"
    assert found["a.txt"].outcome == "failed"
    assert id_of(OLD_KEY) in found["a.txt"].problem


def test_keys_in_use_are_counted_without_any_key(old: DatabaseStorage, database: str) -> None:
    storage_of(database).save("plain.txt", b"text")
    StoredFile.objects.using(database).filter(name="a.txt").update(sealed_key=b"x")
    found = find_keys(storage_of(database))
    assert (found.counts, found.plain, found.damaged) == ({id_of(OLD_KEY): 2}, 1, ["a.txt"])


def test_bytes_are_sealed_anew_and_nothing_else_changes(
    old: DatabaseStorage, database: str, client: Client
) -> None:
    storage_of(database).save("plain.bin", ContentFile(LARGE))
    old.set_public("a.txt", public=True)
    kept = ("name", "size", "is_public", "created", "modified", "expires", "link_epoch")
    files = StoredFile.objects.using(database).order_by("name")
    before, contents = list(files.values(*kept)), set(files.values_list("content", flat=True))
    rows = StoredFile.rows.using(database).count()
    both = storage_of(database, KEY, OLD_KEY)
    assert outcomes(reseal(both)) == dict.fromkeys((*NAMES, "plain.bin"), "resealed")
    assert list(files.values(*kept)) == before
    assert contents.isdisjoint(files.values_list("content", flat=True))
    assert StoredFile.rows.using(database).count() == rows
    new = storage_of(database, KEY)
    assert [read(new, name) for name in NAMES] == [name.encode() + LARGE for name in NAMES]
    assert read(new, "plain.bin") == LARGE
    assert new.catalog.get("plain.bin").content.seal is not None


def test_a_run_over_bytes_can_be_limited_and_continued(
    old: DatabaseStorage, database: str
) -> None:
    both = storage_of(database, KEY, OLD_KEY)
    assert list(outcomes(reseal(both, prefix="dir"))) == ["dir/b.bin", "dir/c.bin"]
    assert list(outcomes(reseal(both, after="dir/b.bin"))) == ["dir/c.bin"]


def test_bytes_that_were_changed_are_not_sealed(old: DatabaseStorage, database: str) -> None:
    plain = storage_of(database)
    for name in ("changed.bin", "short.bin"):
        plain.save(name, ContentFile(LARGE))
    rows = StoredFile.rows.using(database)
    rows.of(plain.catalog.get("changed.bin").content.key).filter(position=1).update(
        data=b"x" * 4096
    )
    rows.of(plain.catalog.get("short.bin").content.key).filter(position=1).delete()
    rows.of(old.catalog.get("a.txt").content.key).filter(position=1).update(data=b"x" * 4124)
    count = rows.count()
    found = {item.name: item.problem for item in reseal(storage_of(database, KEY, OLD_KEY))}
    assert "SHA-256 differs" in found["changed.bin"]
    assert "rows are missing" in found["short.bin"]
    assert "not what was saved" in found["a.txt"]
    assert found["dir/b.bin"] == ""
    assert rows.count() == count
    assert plain.catalog.get("changed.bin").content.seal is None


def test_bytes_of_a_file_that_is_replaced_meanwhile_are_left_alone(
    old: DatabaseStorage, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service()
    both = storage_of(database, service, OLD_KEY)

    def wrap(key: bytes, context: bytes) -> bytes:
        if old.exists("a.txt"):
            old.delete("a.txt")
            storage_of(database).save("a.txt", b"new")
        return Service.wrap(service, key, context)

    monkeypatch.setattr(service, "wrap", wrap)
    assert outcomes(reseal(both))["a.txt"] == "changed"
    assert read(both, "a.txt") == b"new"


def test_links_live_on(seal_default: DatabaseStorage, client: Client) -> None:
    seal_default.save("a.bin", ContentFile(LARGE))
    url = seal_default.url("a.bin")
    assert outcomes(reseal(seal_default)) == {"a.bin": "resealed"}
    assert ask(client, url) == (200, LARGE)


@pytest.fixture
def seal_default(settings: Any, database: str) -> DatabaseStorage:
    """Return the default storage, with a key."""
    entry = settings.STORAGES["default"]
    options = {"using": database, "chunk_size": 4096, "encryption_keys": [KEY]}
    settings.STORAGES = {**settings.STORAGES, "default": {**entry, "OPTIONS": options}}
    return DatabaseStorage(**options)


#: How many transactions wait for a lock in this database.
WAITING = {
    "postgresql": "SELECT count(*) FROM pg_locks waiting JOIN pg_locks held USING (pid) "
    "JOIN pg_database ON held.database = pg_database.oid "
    "WHERE NOT waiting.granted AND datname = current_database()",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx "
    "JOIN information_schema.processlist ON id = trx_mysql_thread_id "
    "WHERE db = database() AND trx_state = 'LOCK WAIT'",
}

#: InnoDB shows what it has shown before if it is asked again within a tenth of a second.
PAUSE = {"postgresql": "SELECT 1", "mysql": "DO SLEEP(0.15)"}


@pytest.mark.parametrize("database", ["postgres", "mariadb"], indirect=True)
@pytest.mark.django_db(transaction=True)
def test_while_it_waits_for_a_file_nobody_waits_for_it(database: str) -> None:
    """Who restores a file locks all versions of it. They are few, but in no order of ours."""
    old, both = storage_of(database, OLD_KEY), storage_of(database, KEY, OLD_KEY)
    for name in NAMES:
        old.save(name, ContentFile(b"text"))
    rows = StoredFile.objects.using(database)

    def somebody_waits() -> bool:
        with connections[database].cursor() as cursor:
            cursor.execute(PAUSE[connections[database].vendor])
            cursor.execute(WAITING[connections[database].vendor])
            (count,) = cursor.fetchone()
        return bool(count)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic(using=database):
            assert rows.select_for_update().get(name=NAMES[-1])
            rewrapping = pool.submit(in_thread, lambda: outcomes(rewrap(both)))
            wait_until(somebody_waits)
            for name in NAMES[:-1]:
                assert rows.select_for_update(nowait=True).get(name=name)
        assert rewrapping.result() == dict.fromkeys(NAMES, "rewrapped")


#: No statement waits for a lock longer than this.
IMPATIENT = {
    "postgresql": "SET lock_timeout = '50ms'",
    "mysql": "SET SESSION innodb_lock_wait_timeout = 1",
}


@pytest.mark.parametrize("database", ["postgres", "mariadb"], indirect=True)
@pytest.mark.django_db(transaction=True)
def test_a_file_that_others_keep_locked_fails_alone(database: str) -> None:
    old, both = storage_of(database, OLD_KEY), storage_of(database, KEY, OLD_KEY)
    for name in NAMES:
        old.save(name, ContentFile(b"text"))
    with added_alias("holder", like=database):
        with transaction.atomic(using="holder"), connections[database].cursor() as cursor:
            assert StoredFile.objects.using("holder").select_for_update().get(name=NAMES[0])
            cursor.execute(IMPATIENT[connections[database].vendor])
            found = {item.name: item for item in rewrap(both)}
        assert {name: item.outcome for name, item in found.items()} == {
            NAMES[0]: "failed",
            **dict.fromkeys(NAMES[1:], "rewrapped"),
        }
        assert "conflicts" in found[NAMES[0]].problem
        assert outcomes(rewrap(both))[NAMES[0]] == "rewrapped"
    connections[database].close()  # It would stay impatient.


@pytest.mark.django_db(transaction=True)  # In a caller's, it would be the end.
def test_a_file_whose_bytes_meet_a_conflict_is_tried_again(
    old: DatabaseStorage, database: str
) -> None:
    left = [True]

    def deadlock(execute: Any, sql: str, *rest: Any) -> Any:
        if left and sql.startswith("INSERT"):
            left.pop()
            raise OperationalError(1213, "Deadlock found")
        return execute(sql, *rest)

    with connections[database].execute_wrapper(deadlock):
        found = outcomes(reseal(storage_of(database, KEY, OLD_KEY)))
    assert found == dict.fromkeys(NAMES, "resealed")


def in_thread(task: Callable[[], Any]) -> Any:
    """Do a task, and leave no connection of this thread behind."""
    try:
        return task()
    finally:
        connections.close_all()
