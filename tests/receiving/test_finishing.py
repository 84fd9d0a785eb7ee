"""From complete rows to a file: hooks, and everything that can come between."""

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import storages
from django.db import OperationalError, connection, connections
from django.http import HttpRequest, HttpResponse
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from secure_dbstorage.exceptions import UploadGone
from secure_dbstorage.files import ReceivedFile
from secure_dbstorage.files.uploads import Upload
from secure_dbstorage.links.grants import PlaceKind, UploadGrant, UploadPlace
from secure_dbstorage.models import USE_MARK_POSITION, StoredFile
from secure_dbstorage.signals import file_received
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.storage.uploads import name_upload
from secure_dbstorage.table import adopting
from tests.receiving.conftest import Receiver
from tests.support.sealing import KEY
from tests.support.uploads import CONTENT, PIECE, Uploader, Wire, announced, metadata

SIZE = len(CONTENT)
OTHER = bytes(reversed(CONTENT))

#: More than everyone may read for its digest.
LARGE = CONTENT * (5 * 2**20 // SIZE)


def content_of(name: str) -> bytes:
    with storages["default"].open(name) as file:
        return bytes(file.read())


@contextmanager
def received() -> Iterator[list[str]]:
    """Give the list of the files that ``file_received`` tells of meanwhile."""
    names: list[str] = []

    def note(name: str, **_: object) -> None:
        names.append(name)

    file_received.connect(note)
    try:
        yield names
    finally:
        file_received.disconnect(note)


class Hook:
    """Gives these answers in turn, and remembers what it was shown."""

    def __init__(self, *answers: object) -> None:
        """Give the last one again and again."""
        self.answers = list(answers)
        self.shown: list[tuple[str, int, str, bytes]] = []

    def __call__(self, request: HttpRequest, file: ReceivedFile, grant: UploadGrant) -> object:
        """Read the file, and answer."""
        assert "token" not in request.get_full_path()
        self.shown.append((str(file.name), int(file.size or 0), grant.place.path, file.read()))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.django_db
class TestHooks:
    """Only True lets an upload have its name."""

    def test_a_hook_sees_the_file_and_lets_it_in(
        self, receiver: Receiver, uploader: Uploader
    ) -> None:
        hook = Hook(True)
        storage = receiver(upload_hooks=[hook])
        uploader.sent(storage.upload_url("in/a.txt", max_size=SIZE))
        uploader.put(storage.upload_url("in/b.txt", max_size=SIZE), CONTENT)
        uploader.sent(storage.upload_url(prefix="below", max_size=SIZE), name="c.txt")
        assert hook.shown == [
            ("a.txt", SIZE, "in/a.txt", CONTENT),
            ("b.txt", SIZE, "in/b.txt", CONTENT),
            ("c.txt", SIZE, "below", CONTENT),
        ]
        assert content_of("below/c.txt") == CONTENT

    def test_a_hook_sees_the_name_and_the_type_that_the_file_will_have(
        self, receiver: Receiver, uploader: Uploader
    ) -> None:
        seen: list[object] = []

        def hook(_request: HttpRequest, file: ReceivedFile, _grant: UploadGrant) -> bool:
            seen.append((file.name, file.content_type))
            return True

        storage = receiver(upload_hooks=[hook])
        uploader.sent(storage.upload_url(prefix="in", max_size=SIZE), name="my page.ht★ml")
        uploader.sent(storage.upload_url("in/my page.ht★ml", max_size=SIZE))
        assert seen == [
            ("my_page.html", "text/html"),
            ("my page.ht★ml", "application/octet-stream"),
        ]
        assert storage.stat("in/my_page.html").content_type == "text/html"

    def test_an_upload_whose_name_can_not_be_cleaned_any_more_is_gone(
        self,
        database: str,
        receiver: Receiver,
        uploader: Uploader,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def refuses(_storage: DatabaseStorage, name: str) -> str:
            raise SuspiciousFileOperation(name)

        hook = Hook(True)
        storage = receiver(upload_hooks=[hook])
        part = uploader.begun(storage.upload_url(prefix="in", max_size=SIZE), SIZE, "a.txt")
        monkeypatch.setattr(DatabaseStorage, "get_valid_name", refuses)
        answer = uploader.patch(part, 0, CONTENT)
        assert (answer.status_code, answer.json()["reason"]) == (422, "name")
        assert hook.shown == []
        assert not StoredFile.rows.using(database).exists()

    def test_an_upload_for_a_form_is_shown_to_no_hook(
        self, receiver: Receiver, uploader: Uploader
    ) -> None:
        hook = Hook(False)
        uploader.sent(receiver(upload_hooks=[hook]).upload_url(max_size=SIZE))
        assert hook.shown == []

    def test_a_coroutine_is_awaited(self, receiver: Receiver, uploader: Uploader) -> None:
        async def hook(*_: object) -> bool:
            return True

        uploader.sent(receiver(upload_hooks=[hook]).upload_url("a.txt", max_size=SIZE))
        assert content_of("a.txt") == CONTENT

    @pytest.mark.parametrize("no", [False, None, 1, HttpResponse(status=409)])
    def test_what_a_hook_refuses_is_gone(
        self, receiver: Receiver, uploader: Uploader, no: object
    ) -> None:
        storage = receiver(upload_hooks=[Hook(no)])
        status = 409 if isinstance(no, HttpResponse) else 403
        part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
        answer = uploader.patch(part, 0, CONTENT)
        assert answer.status_code == status
        assert "Upload-Offset" not in answer
        assert not StoredFile.rows.exists()
        assert uploader.tus("HEAD", part).status_code == 410
        url = storage.upload_url("b.txt", max_size=SIZE)
        assert uploader.put(url, CONTENT).status_code == status
        assert not StoredFile.rows.exists()

    def test_what_a_hook_puts_off_stays_and_is_asked_again(
        self, receiver: Receiver, uploader: Uploader
    ) -> None:
        later = HttpResponse(status=503)
        hook = Hook(later, later, True)
        storage = receiver(upload_hooks=[hook])
        part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
        for method in ("PATCH", "HEAD"):
            data = CONTENT if method == "PATCH" else b""
            answer = uploader.patch(part, 0, data) if data else uploader.tus("HEAD", part)
            assert (answer.status_code, answer["Retry-After"]) == (503, "10")
            assert "Upload-Offset" not in answer
            assert not storage.exists("a.txt")
        assert uploader.offset(part) == SIZE
        assert len(hook.shown) == 3
        assert content_of("a.txt") == CONTENT

    def test_an_empty_piece_finishes_too(self, receiver: Receiver, uploader: Uploader) -> None:
        storage = receiver(upload_hooks=[Hook(HttpResponse(status=503), True)])
        part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
        assert uploader.patch(part, 0, CONTENT).status_code == 503
        assert uploader.patch(part, SIZE, b"").status_code == 204
        assert content_of("a.txt") == CONTENT

    def test_a_put_that_is_put_off_leaves_nothing(
        self, receiver: Receiver, uploader: Uploader
    ) -> None:
        storage = receiver(upload_hooks=[Hook(HttpResponse(status=503), True)])
        url = storage.upload_url("a.txt", max_size=SIZE)
        assert uploader.put(url, CONTENT).status_code == 503
        assert not StoredFile.rows.exists()
        assert uploader.put(url, CONTENT).status_code == 201

    def test_a_whole_upload_that_is_put_off_at_its_beginning_leaves_nothing(
        self, receiver: Receiver, uploader: Uploader
    ) -> None:
        storage = receiver(upload_hooks=[Hook(HttpResponse(status=503), True)])
        url = storage.upload_url("a.txt", max_size=SIZE)
        assert uploader.create(url, SIZE, CONTENT).status_code == 503
        assert not StoredFile.rows.exists()
        uploader.sent(url)
        assert content_of("a.txt") == CONTENT

    @pytest.mark.parametrize("reads", [False, True])
    def test_an_upload_that_is_deleted_while_a_hook_is_asked_is_gone(
        self, receiver: Receiver, uploader: Uploader, *, reads: bool
    ) -> None:
        def hook(request: HttpRequest, file: ReceivedFile, grant: UploadGrant) -> bool:
            assert storage.inbox.delete(file.upload)
            if reads:
                file.read()
            return True

        storage = receiver(upload_hooks=[hook])
        part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
        assert uploader.patch(part, 0, CONTENT).status_code == 410
        assert not StoredFile.rows.exists()

    def test_a_hook_that_raises_loses_nothing(
        self, receiver: Receiver, uploader: Uploader
    ) -> None:
        def fails(*_: object) -> bool:
            raise RuntimeError("The scanner is down")

        storage = receiver(upload_hooks=[fails])
        part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
        with pytest.raises(RuntimeError):
            uploader.patch(part, 0, CONTENT)
        receiver(upload_hooks=[])
        assert uploader.offset(part) == SIZE
        assert content_of("a.txt") == CONTENT


def answers_about(part: str, size: int = SIZE) -> list[tuple[int, str | None, str | None]]:
    """Return what each kind of request about a complete upload is answered."""
    client = Uploader()
    answers = [client.tus("HEAD", part), client.patch(part, size, b"")]
    names = ("Retry-After", "Upload-Offset")
    return [(answer.status_code, *map(answer.get, names)) for answer in answers]


class TestTurns:
    """One request at a time asks the hooks about an upload, or reads a large one."""

    def test_nobody_else_asks_the_hooks_meanwhile(
        self, database: str, receiver: Receiver, uploader: Uploader
    ) -> None:
        asked, answers = list[str](), list[Any]()

        def hook(request: HttpRequest, *_: object) -> bool:
            asked.append(str(request.method))
            answers.extend(answers_about(part))
            return True

        storage = receiver(upload_hooks=[hook])
        part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
        with received() as names:
            assert uploader.patch(part, 0, CONTENT).status_code == 204
            assert uploader.offset(part) == SIZE
        assert asked == ["PATCH"]
        assert answers == [(423, "10", None)] * 2
        assert names == ["a.txt"]
        assert content_of("a.txt") == CONTENT
        assert StoredFile.rows.using(database).count() == -(-SIZE // 4096)

    @pytest.mark.parametrize("no", [False, HttpResponse(status=409), HttpResponse(status=503)])
    def test_a_turn_ends_with_its_request(
        self, database: str, receiver: Receiver, uploader: Uploader, no: object
    ) -> None:
        storage = receiver(upload_hooks=[Hook(no)])
        part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
        assert uploader.patch(part, 0, CONTENT).status_code >= 400
        rows = StoredFile.rows.using(database)
        assert not rows.use_marks().exists()
        later = isinstance(no, HttpResponse) and no.status_code == 503
        assert rows.exists() == later

    def test_a_hook_that_raises_ends_it_too(
        self, database: str, receiver: Receiver, uploader: Uploader
    ) -> None:
        def fails(*_: object) -> bool:
            raise RuntimeError("The scanner is down")

        part = complete_upload(receiver(upload_hooks=[fails]), {})
        for _ in range(2):
            with pytest.raises(RuntimeError):
                uploader.tus("HEAD", part)

    def test_an_upload_waits_for_a_server_that_died_until_its_turn_is_over(
        self, database: str, receiver: Receiver, uploader: Uploader
    ) -> None:
        hook = Hook(True)
        storage = receiver(upload_hooks=[hook])
        part = complete_upload(storage, {})
        (upload,) = storage.inbox.unfinished()
        found = storage.inbox.find(upload.content)
        assert found is not None
        assert storage.inbox.take_turn(storage.inbox.new_turn(found))
        assert answers_about(part) == [(423, "10", None)] * 2
        assert hook.shown == []
        StoredFile.rows.using(database).use_marks().update(expires=timezone.now())
        assert uploader.offset(part) == SIZE
        assert len(hook.shown) == 1
        assert content_of("a.txt") == CONTENT

    def test_who_comes_when_another_has_just_finished_asks_no_hook(
        self, database: str, receiver: Receiver, uploader: Uploader
    ) -> None:
        hook = Hook(True)
        part = complete_upload(receiver(upload_hooks=[hook]), {})
        offsets = list[int]()

        def another_finishes(run: Any, sql: str, *rest: Any) -> Any:
            if sql.startswith("INSERT") and not offsets:
                offsets.append(0)
                offsets.append(uploader.offset(part))
            return run(sql, *rest)

        with connections[database].execute_wrapper(another_finishes), received() as names:
            assert uploader.offset(part) == SIZE
        assert offsets == [0, SIZE]
        assert len(hook.shown) == 1
        assert names == ["a.txt"]

    def test_nobody_else_reads_a_large_upload_for_its_digest_meanwhile(
        self,
        database: str,
        receiver: Receiver,
        uploader: Uploader,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Or a client that asks again and again would keep every thread busy."""
        answers, read, digest = list[Any](), list[bool](), adopting._digest

        def slow(*arguments: Any) -> str:
            read.append(True)
            answers.extend(answers_about(part, len(LARGE)))
            return digest(*arguments)

        monkeypatch.setattr(adopting, "_digest", slow)
        storage = receiver(chunk_size=256 * 1024)
        part = complete_upload(storage, {}, LARGE)
        assert uploader.offset(part) == len(LARGE)
        assert read == [True]
        assert answers == [(423, "10", None)] * 2
        assert content_of("a.txt") == LARGE
        assert not StoredFile.rows.using(database).use_marks().exists()

    def test_small_uploads_forms_and_projects_without_hooks_need_no_turns(
        self, database: str, receiver: Receiver, uploader: Uploader
    ) -> None:
        with CaptureQueriesContext(connections[database]) as captured:
            uploader.sent(receiver(upload_hooks=[Hook(True)]).upload_url(max_size=SIZE))
            part = complete_upload(receiver(upload_hooks=[]), {})
            assert uploader.offset(part) == SIZE
        assert not [query for query in captured if str(USE_MARK_POSITION) in query["sql"]]


@pytest.mark.django_db(transaction=True)
def test_requests_that_come_while_a_slow_hook_is_asked_keep_no_thread_busy(
    database: str, receiver: Receiver
) -> None:
    begun, others_are_done = threading.Event(), threading.Event()
    asked = list[str]()

    def scans(request: HttpRequest, file: ReceivedFile, grant: UploadGrant) -> bool:
        asked.append(str(request.method))
        begun.set()
        return others_are_done.wait(60) and file.read() == CONTENT

    storage = receiver(upload_hooks=[scans])
    part = Uploader().begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)

    def send(number: int) -> int:
        if number == 0:
            return int(Uploader().patch(part, 0, CONTENT).status_code)
        assert begun.wait(60)
        return int(Uploader().tus("HEAD", part).status_code)

    def send_and_tell(number: int) -> int:
        status = send(number)
        if number:
            told.append(status)
        if len(told) == 5:
            others_are_done.set()
        return status

    told = list[int]()
    with received() as names:
        assert together(6, send_and_tell) == [204, *[423] * 5]
    assert asked == ["PATCH"]
    assert names == ["a.txt"]
    assert Uploader().offset(part) == SIZE
    assert not StoredFile.rows.using(database).use_marks().exists()


@pytest.mark.django_db
class TestEnds:
    """What never can be is final, what can be later stays."""

    def test_other_content_than_the_link_names_is_refused(
        self, receiver: Receiver, uploader: Uploader
    ) -> None:
        url = receiver().upload_url("a.txt", max_size=SIZE, sha256="ab" * 32)
        part = uploader.begun(url, SIZE)
        answer = uploader.patch(part, 0, CONTENT)
        assert (answer.status_code, answer.json()["reason"]) == (422, "content")
        assert not StoredFile.rows.exists()

    def test_a_name_that_was_taken_meanwhile_is_final(
        self, receiver: Receiver, uploader: Uploader
    ) -> None:
        storage = receiver()
        part = uploader.begun(storage.upload_url("in/a.txt", max_size=SIZE), SIZE)
        storage.save("in/a.txt", b"another")
        assert uploader.patch(part, 0, CONTENT).status_code == 422
        assert uploader.tus("HEAD", part).status_code == 410
        assert content_of("in/a.txt") == b"another"

    def test_a_name_below_a_file_is_final(self, receiver: Receiver, uploader: Uploader) -> None:
        storage = receiver()
        part = uploader.begun(storage.upload_url("in/a.txt", max_size=SIZE), SIZE)
        storage.save("in", b"a file")
        assert uploader.patch(part, 0, CONTENT).status_code == 422
        assert StoredFile.rows.count() == 1

    def test_a_lower_limit_is_final(self, receiver: Receiver, uploader: Uploader) -> None:
        part = uploader.begun(receiver().upload_url("a.txt", max_size=SIZE), SIZE)
        receiver(max_size=10)
        assert uploader.patch(part, 0, CONTENT).status_code == 413
        assert not StoredFile.rows.exists()

    def test_a_change_that_meets_others_is_made_again(
        self, receiver: Receiver, uploader: Uploader
    ) -> None:
        storage = receiver()
        part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
        with connection.execute_wrapper(Deadlocks(2)):
            assert uploader.patch(part, 0, CONTENT).status_code == 204
        assert content_of("a.txt") == CONTENT

    @pytest.mark.parametrize("statement", ["INSERT", "UPDATE", "DELETE"])
    def test_so_is_each_change_of_an_upload(
        self, receiver: Receiver, uploader: Uploader, statement: str
    ) -> None:
        storage = receiver()
        storage.save("a.txt", b"old")
        part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE, overwrite=True), SIZE)
        assert uploader.patch(part, 0, CONTENT[:5000]).status_code == 204
        with connection.execute_wrapper(deadlocks := Deadlocks(1, statement)):
            assert uploader.patch(part, 5000, CONTENT[5000:]).status_code == 204
        assert deadlocks.left == 0
        assert content_of("a.txt") == CONTENT

    def test_so_is_the_digest_of_what_was_complete(
        self, receiver: Receiver, uploader: Uploader
    ) -> None:
        part = complete_upload(receiver(), {})
        with connection.execute_wrapper(deadlocks := Deadlocks(1, "UPDATE")):
            assert uploader.tus("HEAD", part).status_code == 200
        assert deadlocks.left == 0
        assert content_of("a.txt") == CONTENT

    def test_so_is_the_beginning_of_an_upload(
        self, receiver: Receiver, uploader: Uploader
    ) -> None:
        url = receiver().upload_url("a.txt", max_size=SIZE)
        with connection.execute_wrapper(deadlocks := Deadlocks(1, "INSERT")):
            uploader.sent(url)
        assert deadlocks.left == 0
        assert content_of("a.txt") == CONTENT

    def test_so_is_the_end_of_an_upload(self, receiver: Receiver, uploader: Uploader) -> None:
        part = uploader.begun(receiver().upload_url("a.txt", max_size=SIZE), SIZE)
        with connection.execute_wrapper(deadlocks := Deadlocks(1, "DELETE")):
            assert uploader.tus("DELETE", part).status_code == 204
        assert deadlocks.left == 0
        assert not StoredFile.rows.exists()

    def test_one_that_meets_too_many_is_put_off(
        self, receiver: Receiver, uploader: Uploader
    ) -> None:
        storage = receiver()
        part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
        with connection.execute_wrapper(Deadlocks(3)):
            answer = uploader.patch(part, 0, CONTENT)
        assert answer.status_code == 503
        assert "Retry-After" in answer
        assert "Upload-Offset" not in answer
        assert uploader.offset(part) == SIZE
        assert content_of("a.txt") == CONTENT

    @pytest.mark.parametrize("length", [10, 5000, SIZE - 1])
    def test_who_wrote_first_is_not_mixed_with_a_whole_upload(
        self, receiver: Receiver, uploader: Uploader, length: int
    ) -> None:
        storage = receiver()
        part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
        upload = next(iter(storage.inbox.unfinished()))

        def another_writes() -> None:
            found = storage.inbox.find(upload.content)
            assert found is not None
            first = [CONTENT[:length][start : start + 4096] for start in range(0, length, 4096)]
            storage.inbox.append(found, first)

        sent = {
            "CONTENT_LENGTH": str(SIZE),
            "wsgi.input": Wire(b"x" * SIZE, meanwhile=another_writes),
        }
        fields = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
        answer = uploader.ask("PATCH", part, b"", fields, CONTENT_TYPE=PIECE, **sent)
        assert answer.status_code == 409
        assert uploader.offset(part) == length
        assert uploader.patch(part, length, CONTENT[length:]).status_code == 204
        assert content_of("a.txt") == CONTENT

    def test_a_body_that_comes_during_an_outage_is_read_on(
        self, receiver: Receiver, uploader: Uploader
    ) -> None:
        # Or the server resets the connection, and nginx shows a 502 of its own.
        part = uploader.begun(receiver().upload_url("a.txt", max_size=SIZE), SIZE)
        sent, fields = Wire(CONTENT), {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
        more = {"CONTENT_TYPE": PIECE, "CONTENT_LENGTH": str(SIZE), "wsgi.input": sent}
        with connection.execute_wrapper(Outage("SELECT")):
            answer = uploader.ask("PATCH", part, b"", fields, **more)
        assert answer.status_code == 503
        assert sent.read() == b""

    @pytest.mark.parametrize("statement", ["INSERT", "UPDATE", "SELECT"])
    def test_a_database_that_fails_in_the_middle_loses_nothing(
        self, receiver: Receiver, uploader: Uploader, statement: str
    ) -> None:
        storage = receiver()
        part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
        assert uploader.patch(part, 0, CONTENT[:5000]).status_code == 204
        with connection.execute_wrapper(Outage(statement)):
            answer = uploader.patch(part, 5000, CONTENT[5000:])
        assert (answer.status_code, "Retry-After" in answer) == (503, True)
        assert "Upload-Offset" not in answer
        assert uploader.offset(part) == 5000
        assert uploader.patch(part, 5000, CONTENT[5000:]).status_code == 204
        assert content_of("a.txt") == CONTENT


class Outage:
    """Lets every statement of a kind fail."""

    def __init__(self, statement: str) -> None:
        """Let this kind fail, such as INSERT."""
        self.statement = statement

    def __call__(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        """Execute a statement, or not."""
        if sql.startswith(self.statement):
            raise OperationalError("The server has gone away")
        return execute(sql, *rest)


class Deadlocks:
    """Lets so many statements meet a deadlock: updates that give a name, or all of a kind."""

    def __init__(self, count: int, statement: str | None = None) -> None:
        """Count down from here."""
        self.left, self.statement = count, statement

    def __call__(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        """Execute a statement, or not."""
        names = sql.startswith("UPDATE") and "link_epoch" in sql
        meant = names if self.statement is None else sql.startswith(self.statement)
        if meant and self.left:
            self.left -= 1
            raise OperationalError("Deadlock found when trying to get lock")
        return execute(sql, *rest)


def together(count: int, task: Callable[[int], object]) -> list[object]:
    """Return what a task returns or raises in each of so many threads that start at once."""
    start = threading.Barrier(count)
    outcomes: list[object] = [None] * count

    def run(number: int) -> None:
        try:
            start.wait(60)
            outcomes[number] = task(number)
        except Exception as error:  # noqa: BLE001 -- an outcome
            outcomes[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return outcomes


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Requests that come at the same time."""

    @pytest.mark.parametrize("arguments", [{}, {"overwrite": True}], ids=["new", "overwrite"])
    def test_many_that_finish_one_upload_make_one_file(
        self, database: str, receiver: Receiver, arguments: dict[str, Any]
    ) -> None:
        storage = receiver()
        if arguments:
            storage.save("a.txt", b"old")
        upload = complete_upload(storage, arguments)
        outcomes = together(4, lambda _: Uploader().tus("HEAD", upload).status_code)
        assert outcomes == [200] * 4
        assert content_of("a.txt") == CONTENT
        assert StoredFile.rows.using(database).count() == -(-SIZE // 4096)

    def test_only_who_makes_the_file_says_so(
        self, database: str, receiver: Receiver, caplog: pytest.LogCaptureFixture
    ) -> None:
        upload = complete_upload(receiver(), {})
        with received() as names, caplog.at_level("INFO", "secure_dbstorage.access"):
            assert together(4, lambda _: Uploader().offset(upload)) == [SIZE] * 4
        assert names == ["a.txt"]
        outcomes = [entry.access.outcome for entry in caplog.records if hasattr(entry, "access")]
        assert sorted(outcomes) == ["asked", "asked", "asked", "received"]

    def test_many_below_a_directory_make_one_file(self, database: str, receiver: Receiver) -> None:
        storage = receiver()
        upload = complete_upload(storage, {"prefix": "in"})
        assert together(4, lambda _: Uploader().offset(upload)) == [SIZE] * 4
        assert storage.listdir("in") == ([], ["a.txt"])

    def test_of_many_that_send_all_of_one_upload_one_is_told_so(
        self, database: str, receiver: Receiver
    ) -> None:
        storage = receiver()
        part = Uploader().begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
        contents = [bytes([number]) * SIZE for number in range(4)]
        statuses = together(
            4, lambda number: Uploader().patch(part, 0, contents[number]).status_code
        )
        received = [data for data, status in zip(contents, statuses, strict=True) if status == 204]
        assert received == [content_of("a.txt")]
        assert set(statuses) <= {204, 409, 410}  # 410 for one that came when it was a file.

    def test_of_many_uploads_for_one_name_one_becomes_the_file(
        self, database: str, receiver: Receiver
    ) -> None:
        storage = receiver()
        parts = [complete_upload(storage, {}) for _ in range(4)]
        outcomes = together(4, lambda number: Uploader().tus("HEAD", parts[number]).status_code)
        assert sorted(map(str, outcomes)) == ["200", "422", "422", "422"]
        assert content_of("a.txt") == CONTENT
        assert StoredFile.rows.using(database).count() == -(-SIZE // 4096)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("database", ["postgres", "mariadb"], indirect=True)
@pytest.mark.parametrize("keys", [None, [KEY]], ids=["plain", "encrypted"])
@pytest.mark.parametrize("arguments", [{}, {"overwrite": True}], ids=["new", "overwrite"])
def test_a_piece_that_comes_at_the_same_instant_as_the_whole_upload_is_not_lost(
    database: str,
    receiver: Receiver,
    uploader: Uploader,
    keys: list[str] | None,
    arguments: dict[str, Any],
) -> None:
    """It is acknowledged just before the first row is taken. SQLite has one writer at a time."""
    storage = receiver(encryption_keys=keys)
    if arguments:
        storage.save("a.txt", b"old")
    part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE, **arguments), SIZE)
    pieces = [b"another's"]

    def piece_comes(run: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        if pieces and (sql.startswith("DELETE") or ("name" in sql and sql.startswith("UPDATE"))):
            piece = pieces.pop()
            answers = together(1, lambda _: Uploader().patch(part, 0, piece).status_code)
            acknowledged.extend(answers)
        return run(sql, params, many, context)

    acknowledged = list[object]()
    with connections[database].execute_wrapper(piece_comes):
        answer = uploader.patch(part, 0, CONTENT)
    assert acknowledged == [204]
    assert answer.status_code == 409
    assert uploader.offset(part) == len(b"another's")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "arguments", [{}, {"overwrite": True}, {"prefix": "in"}], ids=["new", "overwrite", "below"]
)
def test_what_another_request_finishes_after_a_failed_attempt_is_announced_once(
    database: str,
    receiver: Receiver,
    uploader: Uploader,
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, Any],
) -> None:
    storage = receiver()
    if "overwrite" in arguments:
        storage.save("a.txt", b"old")
    part = complete_upload(storage, arguments)
    ours, offsets = connections[database], list[object]()
    commit = ours._commit

    def fail_once() -> None:
        if offsets:
            commit()
            return
        ours._rollback()
        offsets.extend(together(1, lambda _: Uploader().offset(part)))
        raise OperationalError("The server has closed the connection unexpectedly")

    monkeypatch.setattr(ours, "_commit", fail_once)
    with announced() as saved:
        offsets.append(uploader.offset(part))
    assert offsets == [SIZE, SIZE]
    name = "in/a.txt" if "prefix" in arguments else "a.txt"
    assert saved == [(name, "overwrite" not in arguments)]


def checksum_of(data: bytes, algorithm: str | None) -> dict[str, str]:
    if algorithm is None:
        return {}
    digest = hashlib.new(algorithm, data, usedforsecurity=False).digest()
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(digest).decode()}"}


def patched_beside(part: str, data: bytes, others: bytes, checksum: str | None) -> list[int]:
    """Return the statuses of two requests: the second one comes while the body of the first does.

    :returns: of the first, and of the second.
    """
    statuses = list[int]()

    def another_sends() -> None:
        fields = checksum_of(others, checksum)
        statuses.append(Uploader().patch(part, 0, others, **fields).status_code)

    fields = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", **checksum_of(data, checksum)}
    sent = {"CONTENT_LENGTH": str(len(data)), "wsgi.input": Wire(data, meanwhile=another_sends)}
    answer = Uploader().ask("PATCH", part, b"", fields, CONTENT_TYPE=PIECE, **sent)
    return [answer.status_code, *statuses]


@pytest.mark.parametrize(
    ("keys", "checksum"),
    [(None, None), (None, "sha256"), ([KEY], "sha1")],
    ids=["plain", "checksum", "encrypted"],
)
@pytest.mark.parametrize(
    "arguments", [{}, {"overwrite": True}, {"prefix": "in"}], ids=["new", "overwrite", "below"]
)
class TestTwoThatBringAll:
    """Two requests that bring a whole upload, of which the second makes the file."""

    def test_who_lost_is_not_told_that_its_bytes_are_stored(
        self,
        database: str,
        receiver: Receiver,
        uploader: Uploader,
        arguments: dict[str, Any],
        keys: list[str] | None,
        checksum: str | None,
    ) -> None:
        storage = receiver(encryption_keys=keys)
        if "overwrite" in arguments:
            storage.save("a.txt", b"old")
        name = () if "prefix" in arguments else ("a.txt",)
        url = storage.upload_url(*name, max_size=SIZE, **arguments)
        for length in (100, SIZE):  # One row, and several.
            part = uploader.begun(url, length, f"{length}.txt")
            statuses = patched_beside(part, CONTENT[:length], OTHER[:length], checksum)
            assert statuses == [409, 204]
            file = f"in/{length}.txt" if "prefix" in arguments else "a.txt"
            assert content_of(file) == OTHER[:length]
            if not arguments:
                storage.delete(file)

    def test_who_sent_the_same_bytes_is_told_so(
        self,
        database: str,
        receiver: Receiver,
        uploader: Uploader,
        arguments: dict[str, Any],
        keys: list[str] | None,
        checksum: str | None,
    ) -> None:
        storage = receiver(encryption_keys=keys)
        name = () if "prefix" in arguments else ("a.txt",)
        part = uploader.begun(storage.upload_url(*name, max_size=SIZE, **arguments), SIZE)
        assert patched_beside(part, CONTENT, CONTENT, checksum) == [204, 204]
        assert content_of("in/a.txt" if "prefix" in arguments else "a.txt") == CONTENT


def test_who_lost_is_not_told_so_where_hooks_are_asked(
    database: str, receiver: Receiver, uploader: Uploader
) -> None:
    """Then all bytes are written before the file has its name."""
    hook = Hook(True)
    storage = receiver(upload_hooks=[hook])
    part = uploader.begun(storage.upload_url("a.txt", max_size=SIZE), SIZE)
    assert patched_beside(part, CONTENT, OTHER, "sha256") == [409, 204]
    assert content_of("a.txt") == OTHER
    assert len(hook.shown) == 1


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_request_that_comes_too_late_takes_nothing_from_the_file(
    database: str, receiver: Receiver, *, overwrite: bool
) -> None:
    storage = receiver()
    complete_upload(storage, {"overwrite": overwrite})
    (row,) = storage.inbox.unfinished()
    upload, place = storage.inbox.find(row.content), UploadPlace(PlaceKind.FILE, "a.txt")
    assert upload is not None
    assert name_upload(storage, upload, place, "", overwrite=overwrite) == ("a.txt", True)
    with pytest.raises(UploadGone):
        name_upload(storage, upload, place, "", overwrite=overwrite)
    assert content_of("a.txt") == CONTENT


def complete_upload(
    storage: DatabaseStorage, arguments: dict[str, Any], content: bytes = CONTENT
) -> str:
    """Return the URL of an upload whose bytes are all there, and that has no name yet."""
    name = () if "prefix" in arguments else ("a.txt",)
    url = storage.upload_url(*name, max_size=len(content), **arguments)
    part = Uploader().create(url, len(content), **metadata(filename="a.txt"))["Location"]
    (first,) = StoredFile.rows.using(storage.catalog.writer).unfinished().order_by("-id")[:1]
    upload = storage.inbox.find(first.content)
    assert isinstance(upload, Upload)
    append_all(storage, upload, content)
    return str(part)


def append_all(storage: DatabaseStorage, upload: Upload, content: bytes) -> None:
    """Write the content to an upload, as a server does that is killed before it gives the name."""
    while lengths := upload.row_lengths(4096):
        piece = content[upload.offset : upload.offset + lengths[0]]
        upload = storage.inbox.append(upload, [piece])
