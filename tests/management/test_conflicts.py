"""Commands whose database says no midway: others are in the way, or it goes away."""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections, transaction
from django.db.models import F, QuerySet
from pytest_django import Settings

from secure_dbstorage import models
from secure_dbstorage.copying import other_tables
from secure_dbstorage.copying.table import TableEnd
from secure_dbstorage.management.reports import Report
from secure_dbstorage.models import StoredFile
from secure_dbstorage.signals import file_saved
from secure_dbstorage.table import uses
from secure_dbstorage.upkeep import rekeying
from tests.support.aliases import added_alias
from tests.support.files import read
from tests.support.other_tables import row_of, table
from tests.support.sealing import KEY, OLD_KEY
from tests.support.uploads import begin_upload
from tests.support.waiting import wait_until, waiting_sessions

#: Models are in the default database, wherever the files are.
pytestmark = pytest.mark.django_db(transaction=True, databases=["default"])

PAST, FUTURE = (datetime(year, 1, 1, tzinfo=UTC) for year in (2020, 2100))
FOLDER = "django.core.files.storage.FileSystemStorage"
OURS = "secure_dbstorage.storage.DatabaseStorage"
OTHER = "django-single-table-db-storage"

#: Of two rows each, so that each is copied alone.
NAMES = ("a.bin", "b.bin", "c.bin")
OLD, NEW = b"old" * 2000, b"new" * 2000
#: The content keys of what has no name.
KEYS = (10, 20, 30)


@dataclass(frozen=True, kw_only=True)
class Place:
    """The storages of a test, and where they are."""

    database: str
    settings: Settings
    path: Path

    def give(self, **options: Any) -> Any:
        """Give the default storage these options, and return it."""
        ours = {"using": self.database, "chunk_size": 4096, **options}
        self.settings.STORAGES = {
            **self.settings.STORAGES,
            "default": {"BACKEND": OURS, "OPTIONS": ours},
            "folder": {"BACKEND": FOLDER, "OPTIONS": {"location": str(self.path)}},
        }
        return storages["default"]

    def fill(self, **options: Any) -> Any:
        """Do the same, and save the files."""
        storage = self.give(**options)
        for name in NAMES:
            storage.save(name, ContentFile(OLD))
        return storage


@pytest.fixture
def place(
    database: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """Return the place of each database in turn. Afterwards, its connection is as before."""
    monkeypatch.setattr(rekeying, "_BATCH", 1)  # Or a run would be over with the first one.
    yield Place(database=database, settings=settings, path=tmp_path)
    connections[database].close()


def expired(place: Place) -> None:
    storage = place.fill()
    for name in NAMES:
        storage.set_expires(name, PAST)


def deleted(place: Place) -> None:
    storage = place.fill(keep_deleted=timedelta(days=1))
    for name in NAMES:
        storage.delete(name)
    place.give()


def unfinished(place: Place) -> None:
    place.give()
    for key in KEYS:
        begin_upload(place.database, key=key, rows=2)


def used(place: Place) -> None:
    place.give()
    for key in KEYS:
        assert uses.begin(key, b"client", PAST, now=0, using=place.database)


def stray(place: Place) -> None:
    place.give()
    for key in KEYS:
        StoredFile.rows.using(place.database).create(content=key, position=1, data=b"stray")
        # InnoDB locks a row and the next one: let that be another's.
        assert uses.begin(key + 5, b"client", FUTURE, now=0, using=place.database)


def unreferenced(place: Place) -> None:
    place.fill().catalog.files().update(modified=PAST)


def mistyped(place: Place) -> None:
    place.fill().catalog.files().update(content_type="text/html")


def rotated(place: Place) -> None:
    place.fill(encryption_keys=[OLD_KEY])
    place.give(encryption_keys=[KEY, OLD_KEY])


def differing(place: Place) -> None:
    place.fill()
    for name in NAMES:
        storages["folder"].save(name, ContentFile(NEW))


def filled(place: Place) -> None:
    place.fill()


def differing_in_another_table(place: Place) -> None:
    place.fill()
    for name in NAMES:
        place.settings.OTHER_TABLE.objects.using(place.database).create(**row_of(OTHER, name, NEW))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A command that does the same to three items."""

    name: str
    arguments: tuple[str, ...]
    prepare: Callable[[Place], None]
    #: The word under which what is done is counted.
    word: str
    #: Whether the items are files, which have names.
    has_names: bool = True
    #: Whether a second run continues after the last name. If not, it sees what is done.
    continues_after: bool = False
    #: How much a second run does after one that left one item.
    left: int = 1

    def second(self, using: str) -> QuerySet[Any]:
        """Return the first row of the second item, by its primary key: InnoDB locks gaps too."""
        rows: QuerySet[Any] = StoredFile.rows.using(using)
        is_second = {"name__startswith": NAMES[1]} if self.has_names else {"content": KEYS[1]}
        first = rows.filter(**is_second).order_by("position").values_list("pk", flat=True)[0]
        return rows.filter(pk=first)


PRUNE = ("prune",)
COPY_OUT = ("copy", "--from", "default", "--to", "folder", "--jobs", "1")
COPY = ("copy", "--from", "folder", "--to", "default", "--overwrite", "--jobs", "1")
IMPORT = ("import", "--to", "default", "--overwrite", "--jobs", "1")
READERS = [
    Case(
        name="verify-only",
        arguments=("verify",),
        prepare=filled,
        word="intact",
        continues_after=True,
    ),
    Case(name="copy-out", arguments=COPY_OUT, prepare=filled, word="copied"),
]
WRITERS = [
    Case(name="expired", arguments=PRUNE, prepare=expired, word="expired"),
    Case(name="deleted", arguments=PRUNE, prepare=deleted, word="deleted"),
    *(
        Case(name=kind, arguments=PRUNE, prepare=prepare, word=kind, has_names=False)
        for kind, prepare in {"unfinished": unfinished, "used": used, "stray": stray}.items()
    ),
    Case(
        name="unreferenced",
        arguments=("prune", "--unreferenced"),
        prepare=unreferenced,
        word="unreferenced",
    ),
    Case(
        name="verify",
        arguments=("verify", "--repair"),
        prepare=mistyped,
        word="repaired",
        continues_after=True,
    ),
    Case(name="rekey", arguments=("rekey",), prepare=rotated, word="rewrapped"),
    Case(
        name="rekey-bytes",
        arguments=("rekey", "--bytes"),
        prepare=rotated,
        word="resealed",
        continues_after=True,
        left=3,  # It can't tell old from new.
    ),
    Case(name="copy", arguments=COPY, prepare=differing, word="replaced"),
    Case(name="import", arguments=IMPORT, prepare=differing_in_another_table, word="replaced"),
]
#: The usual run tries these; each of the others goes the way of one of them.
USUAL = ("expired", "verify", "copy")


def each(cases: Iterable[Case]) -> pytest.MarkDecorator:
    """Return the mark of a test that takes each of these cases."""
    given = [
        pytest.param(case, id=case.name, marks=() if case.name in USUAL else pytest.mark.sweep)
        for case in cases
    ]
    return pytest.mark.parametrize("case", given)


EACH_WRITER, EACH_COMMAND = each(WRITERS), each(WRITERS + READERS)


@contextmanager
def prepared(case: Case, place: Place) -> Iterator[None]:
    with ExitStack() as stack:
        if case.name == "import":
            place.settings.OTHER_TABLE = stack.enter_context(table(place.database, OTHER))
        case.prepare(place)
        stack.callback(connections[place.database].close)  # It may have been lost.
        yield


def run(
    case: Case, place: Place, *more: str, err: io.StringIO | None = None
) -> tuple[int, Any, str]:
    """Return a command's exit code, its JSON object, and what it writes to stderr."""
    out, err, code = io.StringIO(), err or io.StringIO(), 0
    name, *arguments = case.arguments
    if name == "import":
        arguments += ["--database", place.database]
    try:
        call_command(f"dbstorage_{name}", *arguments, "--json", *more, stdout=out, stderr=err)
    except CommandError as error:
        code = error.returncode
        err.write(str(error))
    return code, json.loads(out.getvalue()), err.getvalue()


#: Wait for no lock.
IMPATIENT = {
    "sqlite": "PRAGMA busy_timeout = 0",
    "postgresql": "SET lock_timeout = '50ms'",
    "mysql": "SET SESSION innodb_lock_wait_timeout = 0",
}


class Telling(io.StringIO):
    """A stream that calls a function when it is first written to."""

    def __init__(self, first: Callable[[], object]) -> None:
        super().__init__()
        self._first = [first]

    def write(self, text: str) -> int:
        while self._first:
            self._first.pop()()
        return super().write(text)


@EACH_WRITER
def test_what_others_keep_locked_fails_alone(case: Case, place: Place) -> None:
    using = place.database
    with prepared(case, place), added_alias("holder", like=using) as holder:
        with connections[using].cursor() as cursor:
            cursor.execute(IMPATIENT[holder.vendor])
        lock = transaction.atomic(using="holder")
        lock.__enter__()
        held = [lock]

        def release() -> None:
            while held:
                held.pop().__exit__(None, None, None)

        err = io.StringIO()
        if holder.vendor == "sqlite":  # All of it is locked, until the first failure is told.
            err = Telling(release)
        else:
            assert list(case.second("holder").select_for_update())
        try:
            code, told, text = run(case, place, err=err)
        finally:
            release()
        (failure,) = told["failures"]
        assert "it conflicts with other transactions: " in failure["problem"]
        assert code == 1
        assert text.splitlines()[-1] == "1 failed"
        assert (told["counts"][case.word], told["interrupted"]) == (2, False)
        code, told, _ = run(case, place)
        assert (code, told["failures"], told["counts"][case.word]) == (0, [], case.left)


#: Take no writes any more, in this session.
READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET default_transaction_read_only = on",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
}


def make_read_only(using: str) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute(READ_ONLY[connections[using].vendor])


@EACH_WRITER
def test_nothing_is_done_in_a_database_that_is_read_only(case: Case, place: Place) -> None:
    connection = connections[place.database]
    name, *arguments = case.arguments
    if name == "import":
        arguments += ["--database", place.database]
    with prepared(case, place):
        make_read_only(place.database)
        told = r"^The database can't be used: .*(?i:read.?only)"
        with pytest.raises(CommandError, match=told) as raised:
            call_command(f"dbstorage_{name}", *arguments, stdout=io.StringIO())
        connection.close()
        assert raised.value.returncode == 2
        assert run(case, place)[1]["counts"][case.word] == 3


KILL = {
    "postgresql": "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "mysql": "SELECT concat('KILL ', id) FROM information_schema.processlist "
    "WHERE db = database() AND id <> connection_id()",
}


def kill_sessions(using: str) -> None:
    """End all sessions in a database but this one."""
    with connections[using].cursor() as cursor:
        cursor.execute(KILL[connections[using].vendor])
        rows = cursor.fetchall()
        if connections[using].vendor == "mysql":
            for (statement,) in rows:
                cursor.execute(statement)


@contextmanager
def afterwards(monkeypatch: pytest.MonkeyPatch, what: Callable[[], object]) -> Iterator[None]:
    """Let something happen as soon as the first item is counted."""
    left, count = [what], Report.count

    def counting(report: Report, word: str, number: int = 1) -> None:
        count(report, word, number)
        while left:
            left.pop()()

    with monkeypatch.context() as patch:
        patch.setattr(Report, "count", counting)
        yield
    assert not left


SERVERS = pytest.mark.parametrize("database", ["postgres", "mariadb"], indirect=True)


@SERVERS
@EACH_COMMAND
@pytest.mark.parametrize("page_length", [1, 100])
def test_a_connection_that_is_lost_is_made_again(
    case: Case, place: Place, page_length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is lost before the next file or before the next page of the list."""
    for module in (models, other_tables):
        monkeypatch.setattr(module, "_PAGE_LENGTH", page_length)
    monkeypatch.setattr(models, "_KEY_PAGE_LENGTH", page_length)
    monkeypatch.setattr(TableEnd, "most_together", page_length)
    with prepared(case, place), added_alias("killer", like=place.database):
        with afterwards(monkeypatch, lambda: kill_sessions("killer")):
            code, told, _ = run(case, place)
        assert (code, told["failures"], told["counts"][case.word]) == (0, [], 3)


@contextmanager
def going(place: Place) -> Iterator[Callable[[], None]]:
    """Yield what ends all connections to the server, and lets nobody connect again.

    On leaving, everybody can.
    """
    declared = connections.settings[place.database]
    host = declared["HOST"]

    def go() -> None:
        declared["HOST"] = "/nowhere/at/all"
        with added_alias("killer", like=place.database, HOST=host):
            kill_sessions("killer")

    try:
        yield go
    finally:
        declared["HOST"] = host
        connections[place.database].close()


@SERVERS
@EACH_COMMAND
def test_a_server_that_is_gone_ends_the_command(
    case: Case, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with prepared(case, place):
        with going(place) as go, afterwards(monkeypatch, go):
            broken_off = run(case, place)
        _check_it_ends_and_continues(case, place, *broken_off)


@EACH_WRITER
def test_a_database_that_becomes_read_only_ends_the_command(
    case: Case, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with prepared(case, place):
        try:
            with afterwards(monkeypatch, partial(make_read_only, place.database)):
                broken_off = run(case, place)
        finally:
            connections[place.database].close()
        _check_it_ends_and_continues(case, place, *broken_off)


def _check_it_ends_and_continues(
    case: Case, place: Place, code: int, told: Any, text: str
) -> None:
    line = text.splitlines()[-1]
    assert line.startswith("The database can no longer be used: ")
    assert "Run the command again" in line
    assert (code, told["failures"], told["interrupted"]) == (1, [], True)
    done = told["counts"][case.word]
    assert 1 <= done < 3
    code, told, _ = run(case, place, *(("--after", told["after"]) if case.continues_after else ()))
    assert (code, told["failures"], told["counts"][case.word]) == (0, [], 3 - done)


BEFOREHAND = {
    "copy": ("--from", "folder", "--to", "default"),
    "import": ("--to", "default"),
    "url": ("a.bin",),
    **dict.fromkeys(("prune", "rekey", "stats", "verify"), ()),
}


@SERVERS
@pytest.mark.parametrize("name", BEFOREHAND)
def test_a_server_that_is_gone_beforehand_is_named_and_nothing_is_done(
    name: str, place: Place
) -> None:
    place.give(encryption_keys=[KEY])
    arguments = BEFOREHAND[name]
    if name == "import":
        arguments += ("--database", place.database)
    with going(place) as go:
        go()
        with pytest.raises(CommandError, match=r"can't be used: .*(?i:connect)") as raised:
            call_command(f"dbstorage_{name}", *arguments, stdout=io.StringIO())
    assert raised.value.returncode == 2


EVERYTHING = Case(name="", arguments=("prune",), prepare=expired, word="expired")


def give_elsewhere(place: Place) -> Any:
    """Give a storage in the default database, too, and return it."""
    place.give()
    here = {"BACKEND": OURS, "OPTIONS": {"using": "default", "namespace": "invoices"}}
    place.settings.STORAGES = {**place.settings.STORAGES, "invoices": here}
    return storages["invoices"]


@SERVERS
@pytest.mark.parametrize("more", [(), ("--unreferenced", "--keep", "a", "--prefix", "b")])
def test_a_server_that_is_gone_is_named_and_the_storages_elsewhere_are_pruned(
    place: Place, more: tuple[str, ...]
) -> None:
    invoices = give_elsewhere(place)
    invoices.save("a.txt", ContentFile(OLD))
    invoices.set_expires("a.txt", PAST)
    with going(place) as go:
        go()
        code, told, text = run(EVERYTHING, place, *more)
    assert (code, told["counts"]) == (1, {"expired": 1})
    assert f"DATABASES['{place.database}']: not pruned any further: " in text
    assert not invoices.exists("a.txt")


MISSING = "TABLE {table} RENAME TO elsewhere", "TABLE elsewhere RENAME TO {table}"
CHANGED = (
    "TABLE {table} RENAME COLUMN expires TO elsewhere",
    "TABLE {table} RENAME COLUMN elsewhere TO expires",
)


@contextmanager
def altered(using: str, there: str, back: str) -> Iterator[None]:
    """Let a table be another than it should be."""
    with connections[using].cursor() as cursor:
        cursor.execute(f"ALTER {there}".format(table=StoredFile._meta.db_table))
        try:
            yield
        finally:
            cursor.execute(f"ALTER {back}".format(table=StoredFile._meta.db_table))


@SERVERS
@pytest.mark.parametrize("comes_first", [False, True])
@pytest.mark.parametrize(
    ("change", "told"), [(MISSING, "The table of files is missing. "), (CHANGED, "no such column")]
)
def test_a_database_with_another_table_is_named_and_the_others_are_pruned(
    place: Place, change: tuple[str, str], told: str, *, comes_first: bool
) -> None:
    give_elsewhere(place)
    if comes_first:
        place.settings.STORAGES = dict(reversed(place.settings.STORAGES.items()))
    storages["default"].save("a.txt", ContentFile(OLD))
    storages["default"].set_expires("a.txt", PAST)
    with altered("default", *change):
        code, found, text = run(EVERYTHING, place)
    assert (code, found["counts"]) == (1, {"expired": 1})
    assert f"DATABASES['default']: not pruned any further: {told}" in text


@SERVERS
def test_all_databases_are_named_if_none_can_be_used(place: Place) -> None:
    give_elsewhere(place)
    with altered("default", *MISSING), going(place) as go:
        go()
        code, told, text = run(EVERYTHING, place)
    assert (code, told["counts"]) == (1, {})
    for name in ("default", place.database):
        assert f"DATABASES['{name}']: not pruned any further: " in text


def at_the_first_save(deed: Callable[[], object]) -> None:
    """Do something when the next file has been saved."""

    def receive(**_: object) -> None:
        file_saved.disconnect(receive)
        deed()

    file_saved.connect(receive, weak=False)


@SERVERS
def test_a_server_that_is_gone_ends_all_threads_of_a_copy(place: Place) -> None:
    files = {f"{number}.bin": NEW for number in range(10)}
    place.give()
    for name, content in files.items():
        storages["folder"].save(name, ContentFile(content))
    copy = Case(name="", arguments=(*COPY[:-1], "2"), prepare=place.give, word="copied")
    with going(place) as go:
        at_the_first_save(go)
        code, told, text = run(copy, place)
    last = text.splitlines()[-1]
    assert last.startswith("The database can no longer be used: ")
    assert last.endswith(". Run the command again later, or with fewer --jobs, to continue.")
    assert (code, told["failures"], told["interrupted"]) == (1, [], True)
    assert told["counts"]["copied"] < len(files)
    code, told, _ = run(copy, place)
    assert (code, told["failures"]) == (0, [])
    assert {name: read(storages["default"], name) for name in files} == files


@SERVERS
def test_what_was_copied_together_is_told_if_the_server_goes_at_the_next_file(
    place: Place,
) -> None:
    place.give()
    storages["folder"].save("a.bin", ContentFile(NEW))
    for name in ("b.bin", "c.bin"):  # Of one row each.
        storages["folder"].save(name, ContentFile(b"small"))
    copy = Case(name="copy", arguments=COPY, prepare=place.give, word="copied")
    with going(place) as go:
        at_the_first_save(go)
        code, told, _ = run(copy, place)
    assert (code, told["interrupted"], told["counts"]["copied"]) == (1, True, 2)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_what_was_rekeyed_together_is_told_if_the_server_goes_at_the_next_file(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotated(place)
    monkeypatch.setattr(rekeying, "_BATCH", len(NAMES))
    rekey = Case(name="rekey", arguments=("rekey",), prepare=rotated, word="rewrapped")
    write_free = rekeying._write_free
    with added_alias("holder", like=place.database), going(place) as go:

        def write_and_go(*arguments: Any) -> dict[int, bool]:
            with transaction.atomic(using="holder"):
                assert list(
                    StoredFile.objects.using("holder").filter(name=NAMES[0]).select_for_update()
                )
                written = write_free(*arguments)
            go()
            return written

        monkeypatch.setattr(rekeying, "_write_free", write_and_go)
        code, told, _ = run(rekey, place)
    assert (code, told["interrupted"], told["counts"]["rewrapped"]) == (1, True, 2)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@EACH_WRITER
def test_what_changes_while_it_is_waited_for_is_tried_again(case: Case, place: Place) -> None:
    """PostgreSQL calls that a serialization failure, where a transaction has one snapshot."""
    using = place.database

    def change_it() -> None:
        with added_alias("holder", like=using), transaction.atomic(using="holder"):
            assert case.second("holder").update(chunk_size=F("chunk_size"))
            held.set()
            wait_until(lambda: waiting_sessions("holder") == 1)

    held = Event()
    with prepared(case, place), ThreadPoolExecutor(1) as pool:
        with connections[using].cursor() as cursor:
            cursor.execute("SET default_transaction_isolation = 'repeatable read'")
        changing = pool.submit(change_it)
        assert held.wait(60)
        code, told, _ = run(case, place)
        changing.result()
        assert (code, told["failures"], told["counts"][case.word]) == (0, [], 3)


#: These lock the first row of a file or an upload, and then the others.
LOCKING = [case for case in WRITERS if case.name not in ("used", "stray", "verify", "rekey")]

#: Be no victim of a deadlock: on PostgreSQL, that is who first looks for one. On MySQL, it is who
#: has changed less.
PATIENT = {"postgresql": "SET deadlock_timeout = '60s'", "mysql": "DO 0"}


@SERVERS
@each(LOCKING)
def test_the_victim_of_a_deadlock_is_tried_again(case: Case, place: Place) -> None:
    using = place.database

    def lock_in_another_order() -> None:
        with added_alias("holder", like=using) as holder, transaction.atomic(using="holder"):
            with holder.cursor() as cursor:
                cursor.execute(PATIENT[holder.vendor])
            for key in range(1000, 1020):
                begin_upload("holder", key=key, expires=FUTURE)
            first = case.second("holder").get()
            rest = StoredFile.rows.using("holder").get(content=first.content, position=1)
            rows = StoredFile.rows.using("holder").select_for_update()
            assert list(rows.filter(pk=rest.pk))
            held.set()
            wait_until(lambda: waiting_sessions("holder") == 1)
            assert list(rows.filter(pk=first.pk))

    held, deadlocks = Event(), list[Exception]()

    def note(execute: Any, *arguments: Any) -> Any:
        try:
            return execute(*arguments)
        except OperationalError as error:
            deadlocks.append(error)
            raise

    with prepared(case, place), ThreadPoolExecutor(1) as pool:
        locking = pool.submit(lock_in_another_order)
        assert held.wait(60)
        with connections[using].execute_wrapper(note):
            code, told, _ = run(case, place)
        locking.result()
        assert "deadlock" in str(deadlocks).lower()
        assert (code, told["failures"], told["counts"][case.word]) == (0, [], 3)
