"""The door: which requests bring an upload, and who may."""

import logging
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.files.storage import storages
from django.core.signals import got_request_exception
from django.db import connection
from django.http import HttpRequest
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.views.debug import ExceptionReporter, technical_500_response
from pytest_django import Settings

from secure_dbstorage.models import StoredFile
from secure_dbstorage.signals import file_received, file_refused
from secure_dbstorage.storage import DatabaseStorage
from tests.receiving.conftest import Receiver
from tests.support.clocks import frozen
from tests.support.uploads import CONTENT, PIECE, Uploader, Wire

pytestmark = pytest.mark.django_db

NOW = 1785240000
SIZE = len(CONTENT)


@pytest.fixture
def storage(receiver: Receiver) -> DatabaseStorage:
    """Return a storage with small rows."""
    return receiver()


def text_of(storage: DatabaseStorage, name: str) -> bytes:
    with storage.open(name) as file:
        return bytes(file.read())


# --- which requests ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_a_link_that_opens_a_file_takes_no_upload(storage: DatabaseStorage, method: str) -> None:
    storage.save("a.txt", b"old")
    answer = Client().generic(method, storage.url("a.txt"), b"new")
    assert answer.status_code == (200 if method in ("GET", "HEAD") else 405)
    assert text_of(storage, "a.txt") == b"old"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PATCH", "DELETE", "TRACE"])
def test_a_link_that_begins_uploads_opens_nothing(
    storage: DatabaseStorage, uploader: Uploader, method: str
) -> None:
    storage.save("a.txt", b"old")
    answer = uploader.tus(method, storage.upload_url("a.txt", max_size=SIZE))
    assert (answer.status_code, answer["Allow"]) == (405, "POST, PUT, OPTIONS")
    assert text_of(storage, "a.txt") == b"old"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_link_of_one_upload_begins_and_opens_nothing(
    storage: DatabaseStorage, uploader: Uploader, method: str
) -> None:
    part = uploader.sent(storage.upload_url("a.txt", max_size=SIZE))
    answer = uploader.tus(method, part, b"x", {"Upload-Length": "1"})
    assert (answer.status_code, answer["Allow"]) == (405, "HEAD, PATCH, DELETE, OPTIONS")
    assert text_of(storage, "a.txt") == CONTENT


def test_a_route_that_serves_no_storage_of_ours_receives_nothing(
    storage: DatabaseStorage, uploader: Uploader, settings: Settings
) -> None:
    url = storage.upload_url("a.txt", max_size=SIZE)
    settings.STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    }
    assert uploader.put(url, CONTENT).status_code == 404
    assert uploader.create(url, SIZE).status_code == 404


def test_options_tell_what_tus_can_do(storage: DatabaseStorage, uploader: Uploader) -> None:
    for url in (
        storage.upload_url("a.txt", max_size=SIZE),
        uploader.begun(storage.upload_url(max_size=SIZE), SIZE),
    ):
        answer = uploader.ask("OPTIONS", url)
        assert answer.status_code == 204
        assert answer["Tus-Version"] == "1.0.0"
        extensions = "creation,creation-with-upload,expiration,termination,checksum"
        assert answer["Tus-Extension"] == extensions
        assert answer["Tus-Checksum-Algorithm"] == "sha1,sha256"
        assert {"POST", "HEAD", "PATCH", "DELETE", "PUT"} < set(answer["Allow"].split(", "))


def test_the_options_of_a_file_offer_no_uploads(storage: DatabaseStorage) -> None:
    answer = Client().options(storage.url("a.txt"))
    assert answer["Allow"] == "GET, HEAD, OPTIONS"
    assert "Tus-Version" not in answer


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_both_kinds_of_server_receive(storage: DatabaseStorage, kind: str) -> None:
    async def ask_async(*args: Any, **given: Any) -> Any:
        return await AsyncClient().generic(*args, **given)

    # The view runs in this thread, so it sees what the test has not committed.
    ask: Callable[..., Any] = Client().generic if kind == "wsgi" else async_to_sync(ask_async)
    url = storage.upload_url("a.txt", max_size=SIZE)
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(SIZE)}
    begun = ask("POST", url, CONTENT[:9000], content_type=PIECE, headers=headers)
    assert (begun.status_code, begun["Upload-Offset"]) == (201, "9000")
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "9000"}
    answer = ask("PATCH", begun["Location"], CONTENT[9000:], content_type=PIECE, headers=headers)
    assert answer.status_code == 204
    assert text_of(storage, "a.txt") == CONTENT


def test_no_cookie_is_needed_against_forgery(storage: DatabaseStorage) -> None:
    uploader = Uploader(Client(enforce_csrf_checks=True))
    assert uploader.put(storage.upload_url("a.txt", max_size=9), b"x").status_code == 201


def test_uploads_run_outside_of_a_transaction(
    storage: DatabaseStorage, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    url = storage.upload_url("a.txt", max_size=9)
    with CaptureQueriesContext(connection) as captured:
        assert Uploader().create(url, 9).status_code == 201
    assert not [query for query in captured.captured_queries if "SAVEPOINT" in query["sql"]]


def test_a_served_file_costs_what_it_did(storage: DatabaseStorage) -> None:
    storage.save("a.txt", b"x")
    url = storage.url("a.txt")
    with CaptureQueriesContext(connection) as captured:
        assert Client().get(url).status_code == 200
    assert len(captured.captured_queries) == 1


def test_making_a_link_asks_no_query(storage: DatabaseStorage) -> None:
    with CaptureQueriesContext(connection) as captured:
        storage.upload_url("a.txt", max_size=9, user=7, ip="10.0.0.0/8")
    assert captured.captured_queries == []


# --- tokens --------------------------------------------------------------------------------------


def forged(url: str) -> str:
    """Return a URL whose signature is another one."""
    return url[:-1] + ("A" if url[-1] != "A" else "B")


def bad_urls(storage: DatabaseStorage) -> dict[str, str]:
    """Return URLs that allow nothing, by what is wrong."""
    name = storage.upload_url("in/a.txt", max_size=9)
    part = Uploader().begun(name, 9)
    folder, token = storage.upload_url(prefix="in", max_size=9), name.partition("?")[2]
    invoices = storages["invoices"]
    return {
        "forged": forged(name),
        "forged part": forged(part),
        "another name": name.replace("a.txt", "b.txt"),
        "another name of a part": part.replace("a.txt", "b.txt"),
        "a directory above": folder.replace("/in/?", "/~?"),
        "a directory below": folder.replace("/in/", "/in/x/"),
        "a file below": folder.replace("/in/", "/in/a.txt"),
        "a file for a directory": f"/files/in/?{token}",
        "a begin token as a part's": part.replace("P-", "U-"),
        "a part's token as one that begins": name.replace("U-", "P-"),
        "two tokens": f"{name}&{token}",
        "a token of a file beside it": f"{name}&token=x",
        "another storage's": invoices.upload_url("a.txt", max_size=9).replace(
            "/invoices/", "/files/"
        ),
        "in the path": f"/files/~{token.removeprefix('token=')}/a.txt?{token}",
    }


@pytest.mark.parametrize("what", list(range(14)))
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD"])
def test_a_bad_token_allows_nothing(storage: DatabaseStorage, what: int, method: str) -> None:
    name, url = list(bad_urls(storage).items())[what]
    rows = StoredFile.rows.count()
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "1", "Upload-Offset": "0"}
    with CaptureQueriesContext(connection) as captured:
        answer = Client().generic(method, url, b"x", content_type=PIECE, headers=headers)
    assert answer.status_code == 403, name
    assert captured.captured_queries == []
    assert StoredFile.rows.count() == rows


def test_a_token_in_the_path_or_under_a_quoted_name_is_no_door(storage: DatabaseStorage) -> None:
    url = storage.upload_url("a.txt", max_size=9)
    path, _, query = url.partition("?")
    for other in (f"{path}?%74oken{query.removeprefix('token')}", f"/files/~{query[6:]}/a.txt"):
        assert Client().put(other, b"x").status_code == 405
        assert Client().get(other).status_code == 403
    assert not StoredFile.rows.exists()


def test_a_link_that_has_expired_says_so(storage: DatabaseStorage, uploader: Uploader) -> None:
    with frozen(NOW):
        url = storage.upload_url("a.txt", max_size=9, expires_in=60, window=0)
    with frozen(NOW + 60):
        answer = uploader.ask("PUT", url, b"x", {"Accept": "application/json"})
    assert (answer.status_code, answer.json()["reason"]) == (403, "expired")


def test_lowering_the_cap_shortens_links(receiver: Receiver, uploader: Uploader) -> None:
    with frozen(NOW):
        url = receiver().upload_url("a.txt", max_size=9)
    receiver(max_expires_in=60, expires_in=60)
    with frozen(NOW + 7 * 3600):
        assert uploader.put(url, b"x").status_code == 403


def test_a_key_that_is_gone_ends_links_and_uploads(receiver: Receiver, uploader: Uploader) -> None:
    storage = receiver(signing_keys=["a" * 32])
    url = storage.upload_url("a.txt", max_size=9)
    part = uploader.begun(url, 9)
    receiver(signing_keys=["b" * 32, "a" * 32])
    assert uploader.offset(part) == 0
    receiver(signing_keys=["b" * 32])
    assert uploader.put(url, b"x").status_code == 403
    assert uploader.tus("HEAD", part).status_code == 403


# --- bindings ------------------------------------------------------------------------------------


def test_a_link_for_a_user_and_its_upload_are_for_them_alone(storage: DatabaseStorage) -> None:
    ann, bob = User.objects.create(username="ann"), User.objects.create(username="bob")
    url = storage.upload_url("a.txt", max_size=SIZE, user=ann)
    uploaders = []
    for user in (ann, bob, None):
        client = Client()
        if user is not None:
            client.force_login(user)
        uploaders.append(Uploader(client))
    hers, his, nobodys = uploaders
    refused = his.create(url, SIZE)
    assert refused.status_code == 403
    assert "You don’t have permission to use this link" in refused.text
    assert nobodys.put(url, CONTENT).status_code == 403
    part = hers.begun(url, SIZE)
    for other in (his, nobodys):
        assert other.patch(part, 0, b"x").status_code == 403
        assert other.tus("HEAD", part).status_code == 403
        assert other.tus("DELETE", part).status_code == 403
    assert hers.patch(part, 0, CONTENT).status_code == 204


def test_a_link_for_a_network_and_its_upload_work_from_there_alone(
    storage: DatabaseStorage, uploader: Uploader
) -> None:
    url = storage.upload_url("a.txt", max_size=SIZE, ip="127.0.0.0/8")
    part, away = uploader.begun(url, SIZE), Uploader(Client(REMOTE_ADDR="192.0.2.1"))
    assert away.put(url, CONTENT).status_code == 403
    assert away.tus("HEAD", part).status_code == 403
    assert uploader.patch(part, 0, CONTENT).status_code == 204


# --- limits --------------------------------------------------------------------------------------


def test_requests_and_beginnings_have_budgets_of_their_own(
    receiver: Receiver, uploader: Uploader
) -> None:
    storage = receiver(rate_limits={"upload": "5/h", "begun": "2/h", "signed": "0/h"})
    url = storage.upload_url(max_size=SIZE)
    part = uploader.begun(url, SIZE)
    uploader.begun(url, SIZE)
    answer = uploader.create(url, SIZE)
    assert (answer.status_code, "Retry-After" in answer) == (429, True)
    assert StoredFile.rows.count() == 2
    assert uploader.patch(part, 0, b"x").status_code == 204
    assert uploader.patch(part, 1, b"x").status_code == 204
    assert uploader.patch(part, 2, b"x").status_code == 429
    answer = uploader.tus("HEAD", part)
    assert (answer.status_code, "Retry-After" in answer) == (503, True)


@pytest.mark.parametrize("accept", [{}, {"Accept": "text/html"}])
def test_a_client_beyond_its_budget_is_told_in_json(
    receiver: Receiver, uploader: Uploader, accept: dict[str, str]
) -> None:
    url = receiver(rate_limits={"begun": "0/h"}).upload_url("a.txt", max_size=SIZE)
    for answer in uploader.put(url, b"x", accept), uploader.create(url, SIZE, **accept):
        assert (answer.status_code, "Retry-After" in answer) == (429, True)
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["reason"] == "too-many-requests"


def test_an_outage_of_the_cache_is_told_in_json(
    receiver: Receiver, uploader: Uploader, settings: Settings
) -> None:
    url = receiver().upload_url("a.txt", max_size=SIZE)
    settings.CACHES = {"default": {"BACKEND": "tests.support.caches.BrokenCache"}}
    for answer in uploader.put(url, b"x"), uploader.create(url, SIZE):
        assert (answer.status_code, "Retry-After" in answer) == (503, True)
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["reason"] == "unavailable"


def test_a_person_who_opens_a_bad_link_gets_a_page(storage: DatabaseStorage) -> None:
    answer = Client().get(forged(storage.upload_url("a.txt", max_size=SIZE)))
    assert answer.status_code == 403
    assert answer["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(("method", "refusal"), [("PATCH", 429), ("GET", 429), ("HEAD", 503)])
def test_nothing_is_read_of_somebody_beyond_their_budget(
    receiver: Receiver, uploader: Uploader, method: str, refusal: int
) -> None:
    storage, read = receiver(rate_limits={"upload": "1/h"}), list[str]()
    url = storage.upload_url("a.txt", max_size=SIZE)

    def status() -> int:
        wire = Wire(CONTENT, meanwhile=lambda: read.append(method))
        sent = {"CONTENT_LENGTH": str(SIZE), "wsgi.input": wire}
        return int(uploader.ask(method, url, **sent).status_code)

    assert [status(), status()] == [405, refusal]
    assert read == [method]  # Of the first alone, whose client may read the answer late.


def test_bad_tokens_have_the_budget_of_bad_tokens(receiver: Receiver, uploader: Uploader) -> None:
    url = receiver(rate_limits={"refused": "1/h"}).upload_url("a.txt", max_size=9)
    assert uploader.put(forged(url), b"x").status_code == 403
    assert uploader.put(forged(url), b"x").status_code == 429
    assert uploader.put(url, b"x").status_code == 201


# --- records -------------------------------------------------------------------------------------


def test_each_request_is_a_line_in_the_log(
    storage: DatabaseStorage, uploader: Uploader, caplog: pytest.LogCaptureFixture
) -> None:
    url = storage.upload_url(prefix="in", max_size=SIZE)
    with caplog.at_level(logging.INFO, "secure_dbstorage.access"):
        part = uploader.begun(url, SIZE, "a b.txt")
        uploader.patch(part, 5, b"x")
        uploader.patch(part, 0, CONTENT[:100])
        uploader.tus("HEAD", part)
        uploader.patch(part, 100, CONTENT[100:])
        uploader.tus("DELETE", uploader.begun(url, SIZE))
    records = [record.access for record in caplog.records if hasattr(record, "access")]
    assert [(each.outcome, each.status, each.bytes) for each in records] == [
        ("begun", 201, 0),
        ("offset", 409, 0),
        ("continued", 204, 100),
        ("asked", 200, 0),
        ("received", 204, SIZE - 100),
        ("begun", 201, 0),
        ("abandoned", 204, 0),
    ]
    assert records[4].name == "in/a_b.txt"
    assert all(each.link not in ("-", "") for each in records)
    secret = part.rpartition(".")[2]
    assert secret not in caplog.text


def test_a_received_file_is_told(storage: DatabaseStorage, uploader: Uploader) -> None:
    heard: list[tuple[Any, ...]] = []

    def hear(sender: object, **told: Any) -> None:
        place = told["grant"].place.path if "grant" in told else ""
        heard.append((told["name"], told.get("reason"), place, told["record"].status))

    for signal in (file_received, file_refused):
        signal.connect(hear)
    try:
        uploader.put(storage.upload_url("in/a.txt", max_size=SIZE), CONTENT)
        uploader.put(storage.upload_url("in/a.txt", max_size=SIZE), CONTENT)
        uploader.put(forged(storage.upload_url("in/a.txt", max_size=SIZE)), CONTENT)
    finally:
        for signal in (file_received, file_refused):
            signal.disconnect(hear)
    assert heard == [
        ("in/a.txt", None, "in/a.txt", 201),
        ("in/a.txt", "taken", "", 409),
        ("in/a.txt", "bad-token", "", 403),
    ]


@pytest.mark.parametrize("is_debug", [False, True])
@pytest.mark.parametrize("is_email", [False, True])
def test_no_error_report_holds_a_token(
    receiver: Receiver, uploader: Uploader, settings: Settings, *, is_email: bool, is_debug: bool
) -> None:
    settings.DEBUG = is_debug
    reports: list[str] = []

    def keep_reports(request: HttpRequest, **_: object) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info(), is_email=is_email)
        reports.append(reporter.get_traceback_text())
        reports.append(technical_500_response(request, *sys.exc_info()).content.decode())

    def hook(*_: object) -> bool:
        raise RuntimeError("broken")

    url = receiver(upload_hooks=[hook]).upload_url("a.txt", max_size=SIZE)
    part = uploader.begun(url, SIZE)
    sending: list[Callable[[], Any]] = [
        lambda: uploader.put(url, CONTENT),
        lambda: uploader.create(url, SIZE, CONTENT),
        lambda: uploader.patch(part, 0, CONTENT),
    ]
    got_request_exception.connect(keep_reports)
    try:
        for send in sending:
            with pytest.raises(RuntimeError):
                send()  # type: ignore[no-untyped-call]  # a lambda
    finally:
        got_request_exception.disconnect(keep_reports)
    assert len(reports) == 6
    for report in reports:
        assert "broken" in report
        assert not re.search(r"1\w{2}[UP]-[\w.-]{40}", report)
