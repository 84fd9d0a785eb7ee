"""Each request is recorded once, by a log line and a signal, with how far it came."""

import dataclasses
import gc
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.http import HttpResponseRedirect
from django.test import AsyncClient, Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from secure_dbstorage.names import MAX_LENGTH
from secure_dbstorage.serving.visits import AccessRecord
from secure_dbstorage.signals import file_refused, file_served
from secure_dbstorage.storage import DatabaseStorage
from tests.support.mounting import mounted
from tests.support.serving import Store, signed
from tests.support.tokens import folder_token_of, token_of

pytestmark = pytest.mark.django_db

LARGE = b"0123456789" * 60_000


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Return what the access log gets."""
    gc.collect()  # The bodies that other tests left unread.
    with caplog.at_level(logging.INFO, logger="secure_dbstorage.access"):
        yield caplog


@pytest.fixture
def received() -> Iterator[list[dict[str, Any]]]:
    """Return what receivers of both signals are given."""
    calls: list[dict[str, Any]] = []

    def receive(**arguments: Any) -> None:
        calls.append(arguments)

    file_served.connect(receive)
    file_refused.connect(receive)
    yield calls
    file_served.disconnect(receive)
    file_refused.disconnect(receive)


def records(log: pytest.LogCaptureFixture) -> list[AccessRecord]:
    return [record.access for record in log.records if record.name == "secure_dbstorage.access"]  # type: ignore[attr-defined]


def test_a_served_file_is_a_line_without_its_token(
    store: Store, client: Client, log: pytest.LogCaptureFixture
) -> None:
    url = store().url("private.txt")
    client.get(url, REMOTE_ADDR="203.0.113.9")
    (record,) = records(log)
    assert record == AccessRecord(
        client="203.0.113.9",
        user="",
        method="GET",
        namespace="",
        name="private.txt",
        link=token_of(url).rpartition(".")[2][:8],
        outcome="served",
        status=200,
        bytes=7,
        seconds=record.seconds,
    )
    assert 0 < record.seconds < 60
    (line,) = (message for message in log.messages if message.startswith("client="))
    assert line == (
        f'client=203.0.113.9 user="" method=GET namespace="" name="private.txt" '
        f"link={record.link} outcome=served status=200 bytes=7 seconds={record.seconds:.3f}"
    )
    assert token_of(url) not in log.text


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize(
    "between",
    [
        "%253Ftoken=",
        "%25253Ftoken%25253D",
        "?token%253D",
        "%3Ftoken%3D",
        "&amp;token=",
        "&token=",
        ";token=",
        "%20token=",
        "%0atoken=",
        "/",
        "/~",
        "",
    ],
)
def test_a_misquoted_token_is_in_no_record_of_a_refusal(
    store: Store,
    client: Client,
    log: pytest.LogCaptureFixture,
    received: list[dict[str, Any]],
    between: str,
    method: str,
) -> None:
    storage = store()
    token = token_of(storage.url("private.txt"))
    folder = folder_token_of(storage.folder_url("reports"))
    for each in (token, folder):
        client.generic(method, f"/files/private.txt{between}{each}")
    client.generic(method, f"/files/{folder}/private.txt{between}{token}")
    assert len(records(log)) == len(received) == 3
    for call in received:
        texts = (log.text, call["name"], str(call["record"]), str(call["request"].__dict__))
        assert not any(each in text for text in texts for each in (token, folder))


@pytest.mark.parametrize(
    ("name", "logged"),
    [
        ("é 日.txt", '"é 日.txt"'),
        ('a" outcome=served', r'"a\" outcome=served"'),
        ("a\r\nclient=b", r'"a\r\nclient=b"'),
        ("\x1b[2J\x7f\x9b2J", r'"\u001b[2J\u007f\u009b2J"'),
        ("a\x85b\u2028c\u2029d", r'"a\u0085b\u2028c\u2029d"'),
        ("\u202egnp.exe", r'"\u202egnp.exe"'),
        ("\ud800\U000e0001", r'"\ud800\udb40\udc01"'),
        ("a" * 513, f'"{"a" * 512}"'),
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_no_name_ends_the_line_or_steers_a_terminal(name: str, logged: str) -> None:
    line = str(record_of(name=name))
    assert line == f'client=- user="" method=GET namespace="" name={logged} {REST}'
    assert line.isprintable()


@given(st.text(), st.text(), st.text(min_size=1))
def test_any_name_user_and_method_make_one_line_of_as_many_fields(
    name: str, user: str, method: str
) -> None:
    line = str(record_of(name=name, user=user, method=method))
    assert line.isprintable()
    fields = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|[^ "]*)(?: |$)', line)
    assert " ".join(f"{field}={value}" for field, value in fields) == line
    values = dict(fields)
    assert list(values) == [each.name for each in dataclasses.fields(AccessRecord)]
    assert json.loads(values["name"]) == name[:MAX_LENGTH]
    assert json.loads(values["user"]) == user[:MAX_LENGTH]


#: The end of the line of :func:`record_of`.
REST = "link=- outcome=missing status=404 bytes=0 seconds=0.000"


def record_of(**changes: Any) -> AccessRecord:
    usual = AccessRecord(
        client="-",
        user="",
        method="GET",
        namespace="",
        name="a",
        link="-",
        outcome="missing",
        status=404,
        bytes=0,
        seconds=0.0,
    )
    return dataclasses.replace(usual, **changes)


@pytest.mark.parametrize(
    ("name", "method", "headers", "outcome", "status", "sent"),
    [
        ("public.txt", "GET", {}, "served", 200, 6),
        ("public.txt", "HEAD", {}, "head", 200, 0),
        ("public.txt", "GET", {"Range": "bytes=1-2"}, "served", 206, 2),
        ("public.txt", "GET", {"If-None-Match": "*"}, "not-modified", 304, 0),
        ("public.txt", "GET", {"If-Match": '"x"'}, "precondition", 412, 0),
        ("public.txt", "GET", {"Range": "bytes=99-"}, "range", 416, 0),
        ("public.txt", "POST", {}, "method", 405, 0),
        ("private.txt", "GET", {}, "missing", 404, 0),
        ('a"b.txt', "GET", {}, "missing", 404, 0),
        ("public.txt?token=x", "GET", {}, "bad-token", 403, 0),
    ],
)
def test_each_answer_has_its_word(
    name: str,
    method: str,
    headers: dict[str, str],
    outcome: str,
    status: int,
    sent: int,
    store: Store,
    client: Client,
    log: pytest.LogCaptureFixture,
) -> None:
    store()
    answer = client.generic(method, f"/files/{name}", headers=headers)
    if answer.streaming:
        b"".join(answer.streaming_content)
    answer.close()
    (record,) = records(log)
    assert (record.outcome, record.status, record.bytes) == (outcome, status, sent)
    assert record.name == name.partition("?")[0]
    assert f"name={json.dumps(record.name)} " in str(record)


def test_an_expired_link_is_named(
    store: Store, client: Client, log: pytest.LogCaptureFixture
) -> None:
    storage = store()
    expired, bad = signed(storage, "private.txt", issued=1), "/files/private.txt?token=bad"
    for url in (expired, bad):
        client.get(url)
    named, nameless = records(log)
    assert (named.outcome, named.link) == ("expired", expired.rpartition(".")[2][:8])
    assert (nameless.outcome, nameless.link) == ("bad-token", "-")


def test_the_error_of_a_hook_is_not_in_the_access_log(
    store: Store, client: Client, log: pytest.LogCaptureFixture
) -> None:
    client.get(store(auth_hooks=[lambda *_: None]).url("private.txt"))
    (access,) = (record for record in log.records if record.name == "secure_dbstorage.access")
    assert access.access.outcome == "forbidden"  # type: ignore[attr-defined]
    (problem,) = (record for record in log.records if record.name == "secure_dbstorage.serving")
    assert "instead of a bool" in problem.getMessage()
    formatter = logging.Formatter("%(access)s")
    assert formatter.format(access) == access.getMessage()


@pytest.mark.parametrize("pieces", [0, 1, 2])
def test_a_body_that_breaks_off_says_how_far_it_came(
    pieces: int, store: Store, client: Client, log: pytest.LogCaptureFixture
) -> None:
    storage = store(chunk_size=65536)
    storage.save("large.bin", ContentFile(LARGE))
    answer = client.get(storage.url("large.bin"))
    content = iter(answer.streaming_content)
    sent = sum(len(next(content)) for _ in range(pieces))
    assert records(log) == []
    answer.close()
    (record,) = records(log)
    assert (record.outcome, record.status, record.bytes) == ("broken", 200, sent)


def test_a_body_whose_content_vanishes_is_broken(
    store: Store, client: Client, log: pytest.LogCaptureFixture
) -> None:
    storage = store(chunk_size=65536)
    storage.save("large.bin", ContentFile(LARGE))
    answer = client.get(storage.url("large.bin"))
    content = iter(answer.streaming_content)
    sent = len(next(content))
    storage.delete("large.bin")
    with pytest.raises(OSError, match="deleted or replaced"):
        list(content)
    answer.close()
    (record,) = records(log)
    assert (record.outcome, record.bytes) == ("broken", sent)


def test_a_body_that_nobody_closes_is_logged_in_the_end_and_disturbs_no_receiver(
    store: Store, log: pytest.LogCaptureFixture, received: list[dict[str, Any]]
) -> None:
    storage = store(chunk_size=65536)
    storage.save("large.bin", ContentFile(LARGE))
    answer = Client().get(storage.url("large.bin"))
    next(iter(answer.streaming_content))
    del answer
    gc.collect()
    assert [record.outcome for record in records(log)] == ["broken"]
    assert received == []


@pytest.mark.django_db(transaction=True)
async def test_a_body_streamed_under_asgi_is_recorded_once(
    settings: Settings, log: pytest.LogCaptureFixture
) -> None:
    from asgiref.sync import sync_to_async

    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    await sync_to_async(storage.save)("large.bin", ContentFile(LARGE))
    answer = await AsyncClient().get(await storage.aurl("large.bin"))
    assert b"".join([piece async for piece in answer]) == LARGE
    await sync_to_async(answer.close)()
    (record,) = records(log)
    assert (record.outcome, record.bytes) == ("served", len(LARGE))


@pytest.mark.users
def test_a_user_is_named_where_a_hook_looked(
    store: Store, client: Client, log: pytest.LogCaptureFixture
) -> None:
    storage = store(auth_hooks=["secure_dbstorage.access.authenticated"])
    user = User.objects.create_user("ada")
    client.force_login(user)
    for url in (storage.url("private.txt"), "/files/public.txt"):
        answer = client.get(url)
        b"".join(answer)
    assert [record.user for record in records(log)] == [str(user.pk), ""]


def test_a_hooks_own_answer_is_recorded(
    store: Store, client: Client, log: pytest.LogCaptureFixture
) -> None:
    storage = store(auth_hooks=[lambda request, file, grant: HttpResponseRedirect("/login/")])
    client.get(storage.url("private.txt"))
    (record,) = records(log)
    assert (record.outcome, record.status, record.bytes) == ("sent-away", 302, 0)


def test_receivers_hear_of_each_served_file(
    store: Store, client: Client, received: list[dict[str, Any]]
) -> None:
    storage = store()
    client.get(storage.url("private.txt"))
    (call,) = received
    assert call["sender"] is DatabaseStorage
    assert call["storage"] is storage
    assert call["request"].path == mounted("/files/private.txt")
    assert call["file"] == storage.stat("private.txt")
    assert call["grant"].link_id == call["record"].link
    assert call["record"].bytes == 7


def test_receivers_hear_of_each_refusal(
    store: Store, client: Client, received: list[dict[str, Any]]
) -> None:
    store()
    client.get("/files/private.txt")
    (call,) = received
    assert (call["name"], call["reason"], call["record"].status) == ("private.txt", "missing", 404)


def test_a_receiver_that_raises_harms_nothing(
    store: Store, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    def receive(**arguments: Any) -> None:
        raise RuntimeError("broken receiver")

    file_served.connect(receive)
    try:
        assert client.get(store().url("private.txt")).content == b"private"
    finally:
        file_served.disconnect(receive)
    assert "broken receiver" in caplog.text


def test_nothing_is_looked_up_where_nobody_listens(
    store: Store, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secure_dbstorage.serving.visits.AccessRecord", None)
    assert client.get(store().url("private.txt")).status_code == 200
