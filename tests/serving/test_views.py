"""The serving view: the order of its checks, hooks, limits, refusals, and what it lets out."""

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.cache.backends.base import BaseCache
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.handlers.base import BaseHandler
from django.core.signals import got_request_exception
from django.db import connection, connections
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.http import parse_http_date
from django.views.debug import ExceptionReporter, technical_500_response
from pytest_django import Settings

from secure_dbstorage.access import HookGrant
from secure_dbstorage.files import FileStat
from secure_dbstorage.links.tokens import CLOCK_SKEW
from secure_dbstorage.models import StoredFile
from secure_dbstorage.serving import ratelimits
from secure_dbstorage.serving.headers import REFUSAL_HEADERS
from secure_dbstorage.serving.views import serve
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import uses
from tests.servers.process import free_port
from tests.support.observer import places_of_tokens
from tests.support.tokens import folder_token_of, token_of, written_for

pytestmark = pytest.mark.django_db

#: Makes a storage with these options the default one, with a private file and a public one.
Store = Callable[..., DatabaseStorage]


@pytest.fixture
def store(settings: Settings) -> Store:
    """Return a function that gives the default storage its options."""

    def make(**options: Any) -> DatabaseStorage:
        entry = settings.STORAGES["default"]
        given = {**entry.get("OPTIONS", {}), **options}
        settings.STORAGES = {**settings.STORAGES, "default": {**entry, "OPTIONS": given}}
        storage = storages["default"]
        assert isinstance(storage, DatabaseStorage)
        storage.save("private.txt", b"private")
        storage.save("public.txt", b"public")
        storage.set_public("public.txt", public=True)
        return storage

    return make


def signed(storage: DatabaseStorage, name: str, **changes: Any) -> str:
    """Return a link that ``url()`` would not make."""
    head = storage.catalog.get(name)
    url = storage.url("private.txt")
    grant = storage.signer.unsign("private.txt", token_of(url), max_lifetime=10**9)
    changed = replace(grant, **{"link_epoch": head.link_epoch, **changes})
    return f"/files/{name}?token={written_for(storage, name, changed)}"


# --- the order of the checks ---------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "bad", "1aa.1.1.1." + "A" * 43, "a&token=b"])
@pytest.mark.parametrize("name", ["private.txt", "public.txt", "missing.txt"])
def test_a_bad_token_costs_no_query(store: Store, client: Client, name: str, query: str) -> None:
    store()
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(f"/files/{name}?token={query}")
    assert (answer.status_code, len(queries)) == (403, 0)


def test_an_expired_token_costs_no_query(store: Store, client: Client) -> None:
    url = signed(store(), "private.txt", issued=1)
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(url)
    assert (answer.status_code, len(queries)) == (403, 0)
    assert b"expired" in answer.content


@pytest.mark.parametrize(
    "name", ["a//b", "./a", "a%5Cb", "a%00", "a/../private.txt", "%0A", "a%0Ab", "private.txt%0A"]
)
def test_a_name_that_can_not_be_costs_no_query(store: Store, client: Client, name: str) -> None:
    store()
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(f"/files/{name}")
    assert (answer.status_code, len(queries)) == (404, 0)
    assert REFUSAL_HEADERS.items() <= answer.headers.items()


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "trace"])
def test_another_method_costs_no_query_and_no_csrf_check(store: Store, method: str) -> None:
    url = store().url("private.txt")
    with CaptureQueriesContext(connection) as queries:
        answer = getattr(Client(enforce_csrf_checks=True), method)(url)
    assert answer.status_code == (200 if method == "options" else 405)
    assert answer["Allow"] == "GET, HEAD, OPTIONS"
    assert len(queries) == 0


@pytest.mark.parametrize("name", ["private.txt", "public.txt"])
def test_a_small_file_takes_one_query(
    database: str, store: Store, client: Client, name: str
) -> None:
    url = store().url(name)
    with CaptureQueriesContext(connections[database]) as queries:
        answer = client.get(url)
    assert answer.content == name.removesuffix(".txt").encode()
    assert len(queries) == 1


@pytest.mark.parametrize(
    ("method", "field", "status"),
    [
        ("head", None, 200),
        ("get", ("If-None-Match", "*"), 304),
        ("head", ("If-None-Match", "*"), 304),
        ("get", ("If-Match", '"x"'), 412),
        ("get", ("If-Modified-Since", "Fri, 31 Dec 9999 23:59:59 GMT"), 304),
        ("get", ("Range", "bytes=7-"), 416),
    ],
)
def test_an_answer_without_content_reads_none(
    database: str,
    store: Store,
    client: Client,
    method: str,
    field: tuple[str, str] | None,
    status: int,
) -> None:
    url = store().url("private.txt")
    with CaptureQueriesContext(connections[database]) as queries:
        answer = getattr(client, method)(url, headers=dict([field] if field else []))
    assert answer.status_code == status
    (query,) = queries
    assert not re.search(r'["`]data["`]', query["sql"])


def test_a_file_behind_a_hook_is_read_when_the_hook_has_agreed(
    store: Store, client: Client
) -> None:
    asked = []

    def hook(request: HttpRequest, file: object, grant: object) -> bool:
        asked.append(len(queries))
        return True

    url = store(auth_hooks=[hook]).url("private.txt")
    with CaptureQueriesContext(connection) as queries:
        assert b"".join(client.get(url)) == b"private"
    assert asked == [1]
    assert ['"data"' in query["sql"] for query in queries] == [False, True]


def test_a_refused_request_reads_no_content(store: Store, client: Client) -> None:
    url = store(auth_hooks=[lambda request, file, grant: False]).url("private.txt")
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 403
    (query,) = queries
    assert '"data"' not in query["sql"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Range": "bytes=0-0"},
        {"Range": "bytes=1000-"},
        {"If-None-Match": "*"},
        {"If-Match": '"x"'},
        {"If-Modified-Since": "Fri, 31 Dec 9999 23:59:59 GMT"},
        {"Accept": "application/json"},
        {"Accept-Encoding": "gzip"},
        {"X-Requested-With": "XMLHttpRequest"},
    ],
)
def test_a_private_file_and_a_missing_one_get_the_same(
    database: str, store: Store, client: Client, headers: dict[str, str]
) -> None:
    store()
    seen = []
    for name in ("private.txt", "missing.txt"):
        with CaptureQueriesContext(connections[database]) as queries:
            answer = client.get(f"/files/{name}", headers=headers)
        statements = [query["sql"].replace(name, "") for query in queries]
        seen.append((answer.status_code, answer.headers.items(), answer.content, statements))
    assert list(map(str, seen[0])) == list(map(str, seen[1]))
    assert seen[0][0] == 404
    assert len(seen[0][3]) == 1


def test_a_revoked_link_opens_nothing_and_a_new_one_opens(store: Store, client: Client) -> None:
    storage = store()
    url = storage.url("private.txt")
    storage.revoke_urls("private.txt")
    assert client.get(url).status_code == 403
    assert client.get(storage.url("private.txt")).content == b"private"


def test_missing_revoked_and_replaced_are_one_answer_to_an_authentic_link(
    store: Store, client: Client
) -> None:
    storage = store()
    for name in ("deleted.txt", "replaced.txt", "renamed.txt"):
        storage.save(name, name.encode())
    urls = storage.urls(["deleted.txt", "replaced.txt", "renamed.txt"])
    storage.delete("deleted.txt")
    storage.delete("replaced.txt")
    storage.save("replaced.txt", b"another")
    storage.rename("renamed.txt", "elsewhere.txt")
    answers = [client.get(url) for url in urls.values()]
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.content for answer in answers}) == 1
    assert b"no longer works" in answers[0].content


def test_the_flag_of_the_row_alone_decides(store: Store, client: Client) -> None:
    storage = store(default_public=True)
    assert client.get("/files/private.txt").status_code == 200
    storage.set_public("private.txt", public=False)
    assert client.get("/files/private.txt").status_code == 404
    storage.set_public("private.txt", public=True)
    assert client.get("/files/private.txt").status_code == 200


def test_a_link_for_a_user_opens_for_them_alone(store: Store, client: Client) -> None:
    ada, eve = (User.objects.create_user(name) for name in ("ada", "eve"))
    url = store().url("private.txt", user=ada)
    assert client.get(url).status_code == 403
    client.force_login(eve)
    assert client.get(url).status_code == 403
    client.force_login(ada)
    answer = client.get(url)
    assert body_of(answer) == b"private"
    assert answer["Cache-Control"] == "private, no-store"


def test_a_link_for_a_user_opens_for_nobody_where_there_are_no_users(
    store: Store, client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.MIDDLEWARE = []
    assert client.get(store().url("private.txt", user=1)).status_code == 403
    assert "AuthenticationMiddleware" in caplog.text


@pytest.mark.parametrize(
    ("meta", "status"),
    [
        ({"REMOTE_ADDR": "203.0.113.9"}, 200),
        ({"REMOTE_ADDR": "::ffff:203.0.113.9"}, 200),
        ({"REMOTE_ADDR": "203.0.114.9"}, 403),
        ({"REMOTE_ADDR": "2001:db8::1"}, 403),
        ({"REMOTE_ADDR": "203.0.114.9", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}, 403),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}, 200),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9, 1.2.3.4"}, 403),
    ],
)
def test_a_link_for_a_network_opens_from_there_alone(
    store: Store, client: Client, meta: dict[str, Any], status: int
) -> None:
    url = store(trusted_proxies=["10.0.0.0/8"]).url("private.txt", ip="203.0.113.0/24")
    answer = client.get(url, **meta)
    assert answer.status_code == status
    if status == 403:
        assert b"from another place" in answer.content


def test_behind_a_proxy_that_nobody_configured_a_link_for_a_network_opens_nowhere(
    store: Store, client: Client
) -> None:
    url = store().url("private.txt", ip="127.0.0.1")
    assert client.get(url, HTTP_X_FORWARDED_FOR="127.0.0.1").status_code == 403
    assert client.get(url).status_code == 200


def test_what_a_bound_link_opens_is_not_read_before_it_is_known_for_whom(
    store: Store, client: Client
) -> None:
    url = store().url("private.txt", ip="203.0.113.9")
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 403
    assert not any('"data"' in query["sql"] for query in queries)


def test_bindings_come_before_hooks(store: Store, client: Client) -> None:
    asked: list[object] = []
    storage = store(auth_hooks=[lambda *arguments: asked.append(arguments)])
    client.get(storage.url("private.txt", ip="203.0.113.9"))
    assert asked == []


def test_a_download_that_has_begun_outlives_its_link(
    store: Store, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, content = store(), b"0123456789" * 100_000
    storage.save("large.bin", content)
    url, now = storage.url("large.bin", expires_in=60), time.time()
    pieces = iter(client.get(url))
    begin = next(pieces)
    monkeypatch.setattr("time.time", lambda: now + 61)
    assert client.get(url).status_code == 403
    assert begin + b"".join(pieces) == content


@pytest.fixture
def once(store: Store) -> str:
    """Return a one-time link to ten bytes."""
    storage = store()
    storage.save("ten.txt", ContentFile(b"0123456789"))
    return str(storage.url("ten.txt", uses=1))


def ask(client: Client, url: str, byte_range: str = "", **more: Any) -> tuple[int, bytes]:
    headers = {"Range": f"bytes={byte_range}"} if byte_range else {}
    answer = client.get(url, headers={**headers, **more.pop("headers", {})}, **more)
    return answer.status_code, body_of(answer)


def test_a_one_time_link_works_one_time(client: Client, once: str) -> None:
    answer = client.get(once)
    assert answer["Cache-Control"] == "private, no-store"
    assert body_of(answer) == b"0123456789"
    answer = client.get(once)
    assert answer.status_code == 403
    assert b"for one time" in answer.content


def test_each_one_time_link_has_its_own_use(store: Store, client: Client) -> None:
    storage = store()
    urls = [storage.url("private.txt", uses=1) for _ in range(2)]
    assert [ask(client, url) for url in urls] == [(200, b"private")] * 2


def test_what_is_no_use_of_a_one_time_link_is_not_counted(client: Client, once: str) -> None:
    assert client.head(once).status_code == 200
    assert client.get(once, headers={"If-None-Match": "*"}).status_code == 304
    assert client.get(once, headers={"Range": "bytes=99-"}).status_code == 416
    for purpose in ("Sec-Purpose", "Purpose"):
        status, _ = ask(client, once, headers={purpose: "prefetch;prerender"})
        assert status == 503
    assert ask(client, once) == (200, b"0123456789")


def test_a_broken_download_of_a_one_time_link_goes_on(client: Client, once: str) -> None:
    assert ask(client, once, "5-")[0] == 403  # Nothing has begun.
    assert ask(client, once, "0-4") == (206, b"01234")
    assert ask(client, once, "5-") == (206, b"56789")
    assert ask(client, once, "-2") == (206, b"89")
    assert ask(client, once, "0-")[0] == 403
    assert ask(client, once, "5-", headers={"If-Range": '"x"'})[0] == 403  # The whole file.


@pytest.mark.parametrize(
    "other", [{"REMOTE_ADDR": "203.0.113.9"}, {"headers": {"User-Agent": "other"}}]
)
def test_another_client_does_not_go_on_with_a_one_time_link(
    client: Client, once: str, other: dict[str, Any]
) -> None:
    assert ask(client, once, "0-4") == (206, b"01234")
    assert ask(client, once, "5-", **other)[0] == 403


def test_behind_a_proxy_that_nobody_configured_no_download_of_a_one_time_link_goes_on(
    client: Client, once: str
) -> None:
    proxied = {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}
    assert ask(client, once, "0-4", **proxied) == (206, b"01234")
    assert ask(client, once, "5-", **proxied)[0] == 403


def test_a_one_time_link_goes_on_for_a_while(
    client: Client, once: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(client, once, "0-4")[0] == 206
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 599)
    assert ask(client, once, "5-")[0] == 206
    monkeypatch.setattr("time.time", lambda: now + 602)
    assert ask(client, once, "5-")[0] == 403


def test_a_public_file_may_be_opened_again(store: Store, client: Client, once: str) -> None:
    DatabaseStorage().set_public("ten.txt", public=True)
    assert [ask(client, once)[0] for _ in range(2)] == [200, 200]


def test_who_is_refused_by_a_hook_uses_nothing_up(store: Store, client: Client) -> None:
    answers = [False, True]
    storage = store(auth_hooks=[lambda *_: answers.pop(0)])
    url = storage.url("private.txt", uses=1)
    assert [ask(client, url)[0] for _ in range(2)] == [403, 200]


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_uses_a_one_time_link(database: str) -> None:
    storage = storages["default"]
    storage.save("ten.txt", ContentFile(b"0123456789"))
    url = storage.url("ten.txt", uses=1)
    barrier = threading.Barrier(8)

    def visit(number: int) -> int:
        barrier.wait()
        try:
            return ask(Client(), url)[0]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(visit, range(8))) == [200, *[403] * 7]


def test_a_used_link_leaves_a_row_that_is_no_file(client: Client, once: str) -> None:
    ask(client, once)
    mark = StoredFile.rows.get(position=uses.POSITION)
    token = once.partition("token=")[2]
    assert mark.expires == datetime.fromtimestamp(grant_expires(token) + CLOCK_SKEW, tz=UTC)
    assert token.rpartition(".")[2].encode() not in bytes(mark.data)
    assert not StoredFile.objects.filter(pk=mark.pk).exists()


def grant_expires(token: str) -> int:
    _, issued, lifetime, *_ = token.split(".")
    return int(issued, 36) + int(lifetime, 36)


def test_a_link_of_one_storage_opens_nothing_in_another(store: Store, client: Client) -> None:
    storage = store()
    invoices = storages["invoices"]
    invoices.save("private.txt", b"invoice")
    token = token_of(invoices.url("private.txt"))
    assert client.get(f"/files/private.txt?token={token}").status_code == 403
    token = token_of(storage.url("private.txt"))
    assert client.get(f"/invoices/private.txt?token={token}").status_code == 403


def test_lowering_the_cap_shortens_links_that_are_out(store: Store, client: Client) -> None:
    url = signed(store(), "private.txt", lifetime=1000)
    assert client.get(url).status_code == 200
    url = signed(storages["default"], "private.txt", issued=1)  # type: ignore[arg-type]
    assert b"expired" in client.get(url).content


# --- hooks ---------------------------------------------------------------------------------------


async def _agrees_later(*_: object) -> bool:
    return True


async def _refuses_later(*_: object) -> bool:
    return False


async def _says_nothing_later(*_: object) -> None:
    return None


class _Agreeing:
    async def __call__(self, *_: object) -> bool:
        return True


@pytest.fixture(params=["wsgi", "asgi"])
def get(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return a function that asks through each kind of handler in turn."""
    if request.param == "wsgi":
        return Client().get
    # The view runs in this thread, so it sees what the test has not committed.
    return async_to_sync(AsyncClient().get)


def body_of(answer: Any) -> bytes:
    if not answer.streaming:
        return bytes(answer.content)
    return b"".join(answer.streaming_content)


@pytest.mark.parametrize(
    ("hook", "status"),
    [
        (lambda *_: True, 200),
        (lambda *_: False, 403),
        (lambda *_: None, 403),
        (lambda *_: 1, 403),
        (lambda *_: "True", 403),
        (lambda *_: [True], 403),
        (_agrees_later, 200),
        (_refuses_later, 403),
        (_says_nothing_later, 403),
        (lambda *_: _agrees_later(), 200),
        (lambda *_: _refuses_later(), 403),
        (_Agreeing(), 200),
        (lambda *_: HttpResponse(status=418), 418),
    ],
)
def test_only_true_lets_through(
    store: Store, get: Callable[..., Any], hook: Callable[..., object], status: int
) -> None:
    url = store(auth_hooks=[hook]).url("private.txt")
    answer = get(url)
    assert answer.status_code == status
    assert (body_of(answer) == b"private") == (status == 200)


@pytest.mark.parametrize("hook", [lambda *_: None, lambda *_: 1, _says_nothing_later])
def test_a_hook_that_says_neither_yes_nor_no_is_logged_as_an_error(
    store: Store, client: Client, caplog: pytest.LogCaptureFixture, hook: Callable[..., object]
) -> None:
    url = store(auth_hooks=[hook]).url("private.txt")
    client.get(url)
    (record,) = [record for record in caplog.records if record.name.endswith("access")]
    assert record.levelno == logging.ERROR
    assert "instead of a bool" in record.getMessage()
    assert token_of(url) not in record.getMessage()


def test_all_hooks_must_agree_and_the_first_refusal_ends_it(store: Store, client: Client) -> None:
    asked: list[str] = []

    def hook(name: str, *, answer: bool) -> Callable[..., bool]:
        return lambda *_: asked.append(name) or answer  # type: ignore[func-returns-value]

    hooks = [hook("a", answer=True), hook("b", answer=False), hook("c", answer=True)]
    url = store(auth_hooks=hooks).url("private.txt")
    assert client.get(url).status_code == 403
    assert asked == ["a", "b"]


def test_hooks_are_not_asked_for_public_files_and_bad_links(store: Store, client: Client) -> None:
    def hook(*_: object) -> bool:
        raise AssertionError

    storage = store(auth_hooks=[hook])
    token = token_of(signed(storage, "public.txt"))
    assert client.get(f"/files/public.txt?token={token}").status_code == 200
    assert client.get("/files/public.txt").status_code == 200
    assert client.get("/files/private.txt").status_code == 404
    assert client.get("/files/private.txt?token=bad").status_code == 403


def test_a_hook_is_told_the_file_and_the_grant(store: Store, client: Client) -> None:
    seen: list[Any] = []

    def hook(request: HttpRequest, file: Any, grant: Any) -> bool:
        seen.extend([request.method, file, grant])
        return True

    storage = store(auth_hooks=[hook])
    url = storage.url("private.txt", attachment=True, expires_in=77)
    client.get(f"{url}&page=2")
    method, file, grant = seen
    assert (method, file.name, file.size, file.is_public) == ("GET", "private.txt", 7, False)
    assert (grant.attachment, grant.lifetime) == (True, 77)
    assert grant.return_path == f"{url}&page=2"


def test_the_return_path_is_signed_and_leads_back(store: Store, client: Client) -> None:
    def hook(request: HttpRequest, file: object, grant: Any) -> Any:
        return request.user.is_authenticated or redirect_to_login(grant.return_path)

    url = store(auth_hooks=[hook]).url("private.txt")
    answer = client.get(url)
    assert answer.status_code == 302
    headers = answer["Cache-Control"], answer["Referrer-Policy"]
    assert headers == ("private, no-store", "no-referrer")
    _, _, next_path = answer["Location"].partition("?next=")
    client.force_login(User.objects.create(username="somebody"))
    assert body_of(client.get(unquote(next_path))) == b"private"


def test_a_hook_may_answer_with_a_template(store: Store, client: Client, tmp_path: Path) -> None:
    def hook(request: HttpRequest, file: Any, grant: object) -> HttpResponseBase:
        return TemplateResponse(request, "admin/404.html", status=403)

    answer = client.get(store(auth_hooks=[hook]).url("private.txt"))
    assert answer.status_code == 403
    assert answer["Cache-Control"] == "private, no-store"
    assert b"<html" in answer.content


def test_a_hook_that_raises_serves_nothing(store: Store, get: Callable[..., Any]) -> None:
    def hook(*_: object) -> bool:
        raise RuntimeError("broken")

    url = store(auth_hooks=[hook]).url("private.txt")
    with pytest.raises(RuntimeError, match="broken"):
        get(url)
    client = Client(raise_request_exception=False)
    answer = client.get(url)
    assert answer.status_code == 500
    assert b"private" not in answer.content


@pytest.mark.parametrize(
    ("hook", "opens_for"),
    [("authenticated", {"user", "staff"}), ("staff", {"staff"})],
)
def test_the_hooks_that_are_shipped(store: Store, hook: str, opens_for: set[str]) -> None:
    url = store(auth_hooks=[f"secure_dbstorage.access.{hook}"]).url("private.txt")
    users = {
        "user": User.objects.create(username="user"),
        "staff": User.objects.create(username="staff", is_staff=True),
        "gone": User.objects.create(username="gone", is_staff=True, is_active=False),
        "nobody": None,
    }
    opened = set()
    for name, user in users.items():
        client = Client()
        if user is not None:
            client.force_login(user)
        if client.get(url).status_code == 200:
            opened.add(name)
    assert opened == opens_for


@pytest.mark.parametrize("name", ["private.txt", "public.txt"])
def test_what_a_hook_guards_is_asked_for_each_time(
    store: Store, client: Client, name: str
) -> None:
    answer = client.get(signed(store(auth_hooks=[lambda *_: True]), name))
    expected = {"private.txt": "private, no-cache", "public.txt": "private, max-age=300"}
    assert answer["Cache-Control"] == expected[name]


# --- limits --------------------------------------------------------------------------------------


def test_over_the_limit_is_429_with_retry_after_and_no_query(store: Store, client: Client) -> None:
    url = store(rate_limits={"signed": "2/h"}).url("private.txt")
    assert [client.get(url).status_code for _ in range(2)] == [200, 200]
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(url)
    assert (answer.status_code, len(queries)) == (429, 0)
    assert 1 <= int(answer["Retry-After"]) <= 3600
    assert b"Too many requests" in answer.content
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("headers", [{"Range": "bytes=0-0"}, {"If-None-Match": "*"}])
def test_a_limit_comes_before_conditions(
    store: Store, client: Client, headers: dict[str, str]
) -> None:
    url = store(rate_limits={"signed": "1/h"}).url("private.txt")
    client.get(url)
    assert client.get(url, headers=headers).status_code == 429


def test_what_is_answered_without_a_body_costs_as_much(store: Store, client: Client) -> None:
    url = store(rate_limits={"signed": "3/h"}).url("private.txt")
    answers = [
        client.head(url),
        client.get(url, headers={"If-None-Match": "*"}),
        client.get(url, headers={"Range": "bytes=99-"}),
        client.get(url),
    ]
    assert [answer.status_code for answer in answers] == [200, 304, 416, 429]


def test_each_kind_of_request_has_a_budget_of_its_own(store: Store, client: Client) -> None:
    url = store(rate_limits={"signed": "1/h", "plain": "1/h", "refused": "1/h"}).url("private.txt")
    requests = [url, "/files/public.txt", "/files/private.txt?token=bad"]
    assert [client.get(url).status_code for url in requests] == [200, 200, 403]
    assert [client.get(url).status_code for url in requests] == [429, 429, 429]


def test_bad_tokens_never_use_up_the_budget_of_good_ones(store: Store, client: Client) -> None:
    url = store(rate_limits={"signed": "1/h", "refused": "2/h"}).url("private.txt")
    statuses = [client.get("/files/private.txt?token=bad").status_code for _ in range(70)]
    assert statuses == [403] * 2 + [429] * 68
    assert client.get(url).status_code == 200
    assert client.get("/files/public.txt").status_code == 200


def test_two_storages_count_apart(store: Store, client: Client, settings: Settings) -> None:
    settings.SECURE_DBSTORAGE = {"RATE_LIMITS": {"plain": "1/h"}}
    store()
    assert client.get("/files/public.txt").status_code == 200
    assert client.get("/invoices/public.txt").status_code == 404
    assert client.get("/files/public.txt").status_code == 429


def test_two_clients_count_apart(store: Store) -> None:
    store(rate_limits={"plain": "1/h"})
    for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"):
        client = Client(REMOTE_ADDR=address)
        assert client.get("/files/public.txt").status_code == 200
        assert client.get("/files/public.txt").status_code == 429


@pytest.mark.parametrize(
    "address", ["::ffff:192.0.2.1", "192.0.2.1:555", "[::ffff:192.0.2.1]:80", "192.0.2.1%eth0"]
)
def test_one_client_has_one_budget_however_it_is_spelled(store: Store, address: str) -> None:
    store(rate_limits={"plain": "1/h"})
    assert Client(REMOTE_ADDR="192.0.2.1").get("/files/public.txt").status_code == 200
    assert Client(REMOTE_ADDR=address).get("/files/public.txt").status_code == 429


@pytest.mark.parametrize("address", ["", "unix:", "garbage", "999.1.1.1", "[", "\x00"])
def test_an_address_that_is_none_is_no_error(store: Store, address: str) -> None:
    store(rate_limits={"plain": "1/h"})
    client = Client(REMOTE_ADDR=address)
    assert client.get("/files/public.txt").status_code == 200
    assert client.get("/files/public.txt").status_code == 429


def test_x_forwarded_for_is_believed_from_trusted_proxies_only(store: Store) -> None:
    store(rate_limits={"plain": "1/h"}, trusted_proxies=["10.0.0.0/8"])

    def ask(peer: str, forwarded: str) -> int:
        client = Client(REMOTE_ADDR=peer)
        return client.get("/files/public.txt", headers={"X-Forwarded-For": forwarded}).status_code

    assert ask("10.0.0.1", "192.0.2.1") == 200
    assert ask("10.0.0.1", "192.0.2.2") == 200
    assert ask("10.0.0.1", "198.51.100.1, 192.0.2.2") == 429  # The last hop that is not ours.
    assert ask("192.0.2.9", "192.0.2.3") == 200
    assert ask("192.0.2.9", "192.0.2.4") == 429


def test_behind_a_proxy_that_nobody_configured_one_visitor_does_not_stop_all(
    store: Store,
) -> None:
    store(rate_limits={"plain": "1/h"})
    client = Client(REMOTE_ADDR="127.0.0.1", headers={"X-Forwarded-For": "192.0.2.1"})
    assert [client.get("/files/public.txt").status_code for _ in range(3)] == [200] * 3


def test_a_link_can_have_a_budget(store: Store) -> None:
    storage = store(rate_limits={"signed": "1/h"}, rate_limit_key="link")
    one, other = (storage.url("private.txt", expires_in=seconds) for seconds in (60, 61))
    assert Client(REMOTE_ADDR="192.0.2.1").get(one).status_code == 200
    assert Client(REMOTE_ADDR="192.0.2.2").get(one).status_code == 429
    assert Client(REMOTE_ADDR="192.0.2.2").get(other).status_code == 200


class BrokenCache(BaseCache):
    """A cache whose server is gone."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        """Take what Django gives."""
        super().__init__(params)

    def add(self, *_: object, **__: object) -> bool:
        """Fail, as all of it does."""
        raise ConnectionError

    incr = get = set = add  # type: ignore[assignment]


def _dead_caches() -> Iterator[dict[str, Any]]:
    yield {"BACKEND": f"{__name__}.BrokenCache"}
    yield {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": f"redis://127.0.0.1:{free_port()}/0",
    }


@pytest.fixture(params=["broken", "redis"])
def dead_cache(
    request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Count in a cache that is down."""
    caches = dict(zip(("broken", "redis"), _dead_caches(), strict=True))
    settings.CACHES = {**settings.CACHES, "dead": caches[request.param]}
    settings.RATELIMIT_USE_CACHE = "dead"
    # No other test has told the process that its cache is down.
    monkeypatch.setattr(ratelimits, "_cache", ratelimits._CacheState())


@pytest.mark.usefixtures("dead_cache")
def test_while_the_cache_is_down_nothing_is_served_and_it_is_logged_once(
    store: Store, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    url = store().url("private.txt")
    with CaptureQueriesContext(connection) as queries:
        answers = [client.get(url) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503] * 3
    assert int(answers[0]["Retry-After"]) >= 1
    assert len(queries) == 0
    assert client.get("/files/private.txt?token=bad").status_code == 503
    errors = [record for record in caplog.records if "cache" in record.getMessage()]
    assert len(errors) == 1


@pytest.mark.usefixtures("dead_cache")
def test_while_the_cache_is_down_a_project_may_serve(
    store: Store, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    url = store(rate_limit_fail_open=True).url("private.txt")
    assert [client.get(url).status_code for _ in range(3)] == [200] * 3
    assert client.get("/files/private.txt?token=bad").status_code == 403
    errors = [record for record in caplog.records if "cache" in record.getMessage()]
    assert len(errors) == 1


@pytest.mark.usefixtures("dead_cache")
def test_a_storage_without_limits_needs_no_cache(store: Store, client: Client) -> None:
    limits = dict.fromkeys(("signed", "plain", "refused"))
    assert client.get(store(rate_limits=limits).url("private.txt")).status_code == 200


# --- what the rest of the project meets ----------------------------------------------------------


def test_no_download_is_inside_a_transaction_of_atomic_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for alias in connections:
        monkeypatch.setitem(connections[alias].settings_dict, "ATOMIC_REQUESTS", True)
    assert BaseHandler().make_view_atomic(serve) is serve


@pytest.mark.parametrize("name", ["private.txt", "public.txt"])
def test_a_file_touches_no_session_and_sets_no_cookie(
    store: Store, client: Client, settings: Settings, name: str
) -> None:
    settings.SESSION_SAVE_EVERY_REQUEST = True
    answer = client.get(store().url(name))
    assert not answer.cookies
    assert not answer.has_header("Vary")
    assert not answer.wsgi_request.session.accessed


def test_a_public_file_sets_no_cookie_for_who_is_signed_in(
    store: Store, client: Client, settings: Settings
) -> None:
    settings.SESSION_SAVE_EVERY_REQUEST = True
    store()
    client.force_login(User.objects.create(username="somebody"))
    answer = client.get("/files/public.txt")
    assert not answer.cookies
    assert "public" in answer["Cache-Control"]
    assert not client.get("/files/public.txt", headers={"If-None-Match": "*"}).cookies


@pytest.mark.parametrize("name", ["private.txt", "private.txt?token=bad", "a//b"])
def test_a_refusal_touches_no_session_and_names_no_file(
    store: Store, client: Client, settings: Settings, name: str
) -> None:
    settings.SESSION_SAVE_EVERY_REQUEST = True
    store()
    answer = client.get(f"/files/{name}")
    assert not answer.cookies
    assert not answer.has_header("Vary")
    assert not answer.wsgi_request.session.accessed
    assert b"private" not in answer.content
    assert b"bad" not in answer.content


def test_the_token_is_gone_when_a_hook_sees_the_request(
    store: Store, get: Callable[..., Any]
) -> None:
    seen: list[Any] = []

    def hook(request: HttpRequest, file: object, grant: object) -> bool:
        seen.extend(places_of_tokens(request))
        seen.append(request.META["QUERY_STRING"])
        seen.append(request.GET.dict())
        seen.append(request.META.get("HTTP_REFERER"))
        return True

    url = store(auth_hooks=[hook]).url("private.txt")
    token = token_of(url)
    referer = f"http://testserver/files/page?token={token}&x=1#top"
    answer = get(f"/files/private.txt?a=%20b&%74oken={token}&c", headers={"Referer": referer})
    assert answer.status_code == 200
    assert seen == ["a=%20b&c", {"a": " b", "c": ""}, "http://testserver/files/page?x=1"]


class LateMiddleware:
    """Looks at the query before the view, and for tokens after it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """Stand in the chain."""
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Tell what a log line would hold."""
        request.GET.get("token")
        response = self._get_response(request)
        seen = [*places_of_tokens(request), request.build_absolute_uri()]
        response["X-Seen"] = json.dumps(seen)
        return response


@pytest.mark.parametrize("query", ["", "token=bad.token", "token=a&token=b"])
def test_the_token_is_gone_when_a_middleware_sees_the_request_again(
    store: Store, get: Callable[..., Any], settings: Settings, query: str
) -> None:
    settings.MIDDLEWARE = [f"{__name__}.LateMiddleware", *settings.MIDDLEWARE]
    url = f"/files/private.txt?{query}" if query else store().url("private.txt")
    assert json.loads(get(url)["X-Seen"]) == ["http://testserver/files/private.txt"]


@pytest.mark.parametrize(
    ("referer", "expected"),
    [
        ("http://elsewhere.example/?token=theirs", "http://elsewhere.example/?token=theirs"),
        ("http://testserver/?token=ours", "http://testserver/"),
        ("http://testserver/?TOKEN=x&token=ours", "http://testserver/?TOKEN=removed"),
        ("http://[::1?token=x", "http://[::1?token=x"),
        ("token", "token"),
    ],
)
def test_a_referer_of_ours_loses_its_token(
    store: Store, get: Callable[..., Any], referer: str, expected: str
) -> None:
    seen = []
    store(auth_hooks=[lambda request, *_: bool(seen.append(request.META["HTTP_REFERER"])) or True])
    url = storages["default"].url("private.txt")
    assert get(url, headers={"Referer": referer}).status_code == 200
    assert seen == [expected]


@pytest.mark.parametrize("is_email", [False, True])
def test_an_error_report_holds_no_token(
    store: Store, settings: Settings, get: Callable[..., Any], *, is_email: bool
) -> None:
    reports: list[str] = []

    def keep_reports(request: HttpRequest, **_: object) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info(), is_email=is_email)
        reports.append(reporter.get_traceback_text())
        reports.append(reporter.get_traceback_html())
        reports.append(technical_500_response(request, *sys.exc_info()).content.decode())

    def hook(request: HttpRequest, file: object, grant: object) -> bool:
        raise RuntimeError("broken")

    url = store(auth_hooks=[hook]).url("private.txt")
    signature = token_of(url).rpartition(".")[2]
    got_request_exception.connect(keep_reports)
    try:
        with pytest.raises(RuntimeError):
            get(url, headers={"Referer": f"http://testserver{url}"})
    finally:
        got_request_exception.disconnect(keep_reports)
    assert len(reports) == 3
    for report in reports:
        assert "broken" in report
        assert signature not in report


def test_a_refusal_logs_no_token(
    store: Store, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = store().url("private.txt")
    client.get(url + "x")
    client.get(signed(storages["default"], "private.txt", link_epoch=1))  # type: ignore[arg-type]
    assert "Forbidden" in caplog.text
    assert "token=" not in caplog.text
    assert token_of(url)[:20] not in caplog.text


def test_without_time_zones_the_times_are_right(
    store: Store, client: Client, settings: Settings
) -> None:
    settings.USE_TZ = False
    settings.TIME_ZONE = "America/St_Johns"
    url = store().url("private.txt")
    answer = client.get(url)
    modified = parse_http_date(answer["Last-Modified"])
    assert abs(modified - time.time()) < 60
    again = client.get(url, headers={"If-Modified-Since": answer["Last-Modified"]})
    assert again.status_code == 304


@pytest.mark.parametrize("is_debug", [False, True])
def test_debug_changes_no_answer(
    store: Store, client: Client, settings: Settings, *, is_debug: bool
) -> None:
    settings.DEBUG = is_debug
    url = store().url("private.txt")
    assert client.get("/files/private.txt").content == client.get("/files/missing.txt").content
    assert client.get(url).content == b"private"
    assert b"Traceback" not in client.get(f"{url}x").content


def test_logged_statements_hold_no_bytes(store: Store, client: Client, settings: Settings) -> None:
    with CaptureQueriesContext(connection) as queries:
        url = store().url("private.txt")
        client.get(url)
    assert any("bytes>" in query["sql"] for query in queries)
    assert not any("private" in query["sql"].replace("private.txt", "") for query in queries)


# --- the page of a refusal -----------------------------------------------------------------------


def _engine(**options: Any) -> dict[str, Any]:
    return {"BACKEND": "django.template.backends.django.DjangoTemplates", **options}


@pytest.mark.parametrize("templates", [[], [_engine()], [_engine(APP_DIRS=True)]])
def test_a_project_without_templates_gets_the_page_all_the_same(
    store: Store, client: Client, settings: Settings, templates: list[dict[str, Any]]
) -> None:
    store()
    page = client.get("/files/missing.txt").content
    settings.TEMPLATES = templates
    answer = client.get("/files/missing.txt")
    assert answer.status_code == 404
    assert answer.content == page
    assert b"There is nothing here" in page


def test_a_project_can_have_a_page_of_its_own(
    store: Store, client: Client, settings: Settings, tmp_path: Path
) -> None:
    directory = tmp_path / "secure_dbstorage"
    directory.mkdir()
    page = "{{ status }}|{{ title }}|{{ text }}|{{ request }}{{ user }}{{ csrf_token }}"
    (directory / "refused.html").write_text(page)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    store()
    answer = client.get("/files/missing.txt")
    assert answer.content.decode() == (
        "404|There is nothing here|"
        "Check that the address is complete, or ask whoever gave it to you.|"
    )
    assert not answer.cookies
    assert "sandbox" in answer["Content-Security-Policy"]


def test_head_of_a_refusal_has_the_length_of_its_page(store: Store, client: Client) -> None:
    store()
    page, head = client.get("/files/missing.txt"), client.head("/files/missing.txt")
    assert head.content == b""
    assert int(head["Content-Length"]) == len(page.content)


# --- what stands around --------------------------------------------------------------------------


def test_a_project_that_asks_everybody_to_sign_in_still_serves_links(
    store: Store, client: Client, settings: Settings
) -> None:
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    assert client.get(store().url("private.txt")).content == b"private"
    assert client.get("/files/public.txt").content == b"public"


def test_an_outage_of_the_cache_is_not_mailed_for_each_request(
    store: Store, client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    store()
    settings.CACHES = {"default": {"BACKEND": "tests.serving.test_ratelimits.DeadCache"}}
    for _ in range(3):
        assert client.get("/files/public.txt").status_code == 503
    errors = [record.name for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == ["secure_dbstorage.serving.ratelimits"]


def test_a_cookie_put_straight_into_a_public_answer_is_dropped(
    store: Store, client: Client
) -> None:
    store()
    answer = client.get("/files/public.txt")
    answer.cookies["visitor"] = "1"
    answer.set_cookie("visitor", "1")
    assert not answer.cookies


def test_a_private_answer_may_have_a_cookie(store: Store, client: Client) -> None:
    answer = client.get(store().url("private.txt"))
    answer.set_cookie("visitor", "1")
    assert "visitor" in answer.cookies


def test_the_signed_path_is_not_shown_by_accident(store: Store, client: Client) -> None:
    paths = []
    store(auth_hooks=[lambda request, file, grant: bool(paths.append(grant.return_path)) or True])
    url = storages["default"].url("private.txt")
    assert client.get(url).status_code == 200
    assert paths == [url]
    assert token_of(url) not in repr(paths)


# --- links for folders ---------------------------------------------------------------------------


PLAYLIST = b"#EXTM3U\n#EXTINF:4,\nparts/1.ts\n#EXTINF:4,\nparts/2 b.ts\n#EXT-X-ENDLIST\n"


@pytest.fixture
def film(store: Store) -> DatabaseStorage:
    """Return a storage with a film that names its parts by relative links, and another film."""
    storage = store()
    storage.save("films/7/index.m3u8", PLAYLIST)
    storage.save("films/7/parts/1.ts", b"one")
    storage.save("films/7/parts/2 b.ts", b"two")
    storage.save("films/7/page.html", b"<script>alert(1)</script>")
    storage.save("films/70/index.m3u8", b"another")
    return storage


def test_what_a_playlist_names_by_relative_links_is_found(
    film: DatabaseStorage, client: Client
) -> None:
    start = film.folder_url("films/7") + "index.m3u8"
    answer = client.get(start)
    assert answer.content == PLAYLIST
    assert answer["Content-Type"] == "application/vnd.apple.mpegurl"
    links = [line for line in PLAYLIST.decode().splitlines() if not line.startswith("#")]
    bodies = [client.get(urljoin(start, quote(link))).content for link in links]
    assert bodies == [b"one", b"two"]


def test_nothing_beside_a_folder_is_found_by_its_link(
    film: DatabaseStorage, client: Client
) -> None:
    start = film.folder_url("films/7")
    for link in ("../70/index.m3u8", "../../private.txt", "../7", "../index.m3u8"):
        assert client.get(urljoin(start, link)).status_code == 403, link
    elsewhere = start.replace("films/7/", "films/70/")
    assert client.get(f"{elsewhere}index.m3u8").status_code == 403


def test_a_page_in_a_folder_stays_a_download(film: DatabaseStorage, client: Client) -> None:
    answer = client.get(film.folder_url("films/7") + "page.html")
    assert answer["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_a_folders_link_opens_nothing_that_was_revoked_replaced_or_added_since(
    film: DatabaseStorage, client: Client
) -> None:
    folder = film.folder_url("films/7")
    film.revoke_urls("films/7/index.m3u8")
    film.delete("films/7/page.html")
    film.save("films/7/page.html", b"new")
    film.save("films/7/added.txt", b"new")
    film.rename("films/70/index.m3u8", "films/7/renamed.m3u8")
    for name in ("index.m3u8", "page.html", "added.txt", "renamed.m3u8", "missing"):
        assert client.get(folder + name).status_code == 403, name
    assert client.get(f"{folder}parts/1.ts").status_code == 200
    new = film.folder_url("films/7")
    for name in ("index.m3u8", "page.html", "added.txt", "renamed.m3u8"):
        assert client.get(new + name).status_code == 200, name
    film.revoke_urls(prefix="films")
    assert client.get(f"{new}parts/1.ts").status_code == 403


def test_a_folders_link_survives_an_overwrite(film: DatabaseStorage, client: Client) -> None:
    folder = film.folder_url("films/7")
    with film.open("films/7/parts/1.ts", "wb") as file:
        file.write(b"better")
    assert client.get(f"{folder}parts/1.ts").content == b"better"


def test_a_folders_link_can_be_for_a_user_and_a_network(
    film: DatabaseStorage, client: Client
) -> None:
    ada = User.objects.create_user("ada")
    folder = film.folder_url("films/7", user=ada, ip="127.0.0.0/8")
    assert client.get(f"{folder}parts/1.ts").status_code == 403
    client.force_login(ada)
    answer = client.get(f"{folder}parts/1.ts")
    assert answer.getvalue() == b"one"
    assert "no-store" in answer["Cache-Control"]
    assert client.get(f"{folder}parts/1.ts", REMOTE_ADDR="10.0.0.1").status_code == 403


def test_a_folders_link_makes_downloads(film: DatabaseStorage, client: Client) -> None:
    film.save("films/7/a.png", b"picture")
    url = film.folder_url("films/7", attachment=True) + "a.png"
    assert client.get(url)["Content-Disposition"] == 'attachment; filename="a.png"'


def test_a_bad_link_for_a_folder_costs_no_query_and_counts_as_one(
    store: Store, client: Client
) -> None:
    storage = store(rate_limits={"refused": "2/m"})
    url = storage.folder_url("films") + "a.txt"
    bad = url.replace("films", "other")
    with CaptureQueriesContext(connection) as queries:
        statuses = [client.get(bad).status_code for _ in range(3)]
    assert (statuses, len(queries)) == ([403, 403, 429], 0)


def test_the_token_of_a_folder_is_gone_when_a_hook_sees_the_request(
    store: Store, get: Callable[..., Any]
) -> None:
    seen: list[Any] = []

    def hook(request: HttpRequest, file: FileStat, grant: HookGrant) -> bool:
        match: Any = request.resolver_match
        seen.extend(places_of_tokens(request))
        seen.append(file.name)
        seen.append(grant.return_path)
        seen.append(request.path)
        seen.append(repr((match.kwargs, match.captured_kwargs, match)))
        return True

    storage = store(auth_hooks=[hook])
    storage.save("films/7/a b.txt", b"content")
    url = storage.folder_url("films/7") + "a%20b.txt"
    token = folder_token_of(url)
    referer = f"http://testserver{url}"
    assert get(f"{url}?x=1", headers={"Referer": referer}).status_code == 200
    name, return_path, path, match = seen
    assert (name, return_path) == ("films/7/a b.txt", f"{url}?x=1")
    assert path == "/files/~removed/films/7/a b.txt"
    assert token not in match


@pytest.mark.parametrize("is_email", [False, True])
def test_an_error_report_holds_no_token_of_a_folder(
    store: Store, get: Callable[..., Any], *, is_email: bool
) -> None:
    reports: list[str] = []

    def keep_reports(request: HttpRequest, **_: object) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info(), is_email=is_email)
        reports.append(reporter.get_traceback_text())
        reports.append(technical_500_response(request, *sys.exc_info()).content.decode())

    def hook(request: HttpRequest, file: object, grant: object) -> bool:
        raise RuntimeError("broken")

    storage = store(auth_hooks=[hook])
    storage.save("films/7/a.txt", b"content")
    url = storage.folder_url("films/7") + "a.txt"
    signature = folder_token_of(url).rpartition(".")[2]
    got_request_exception.connect(keep_reports)
    try:
        with pytest.raises(RuntimeError):
            get(url, headers={"Referer": f"http://testserver{url}"})
    finally:
        got_request_exception.disconnect(keep_reports)
    assert len(reports) == 2
    for report in reports:
        assert "broken" in report
        assert signature not in report


def test_the_log_tells_the_name_of_a_file_and_no_token_of_its_folder(
    film: DatabaseStorage, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    url = film.folder_url("films/7")
    client.get(f"{url}parts/1.ts")
    client.get(f"{url}missing")
    client.get(url)
    lines = [message for message in caplog.messages if message.startswith("client=")]
    assert ['name="films/7/parts/1.ts"' in lines[0], 'name="films/7/missing"' in lines[1]] == [
        True,
        True,
    ]
    assert folder_token_of(url).rpartition(".")[2] not in caplog.text


# --- temporary files -----------------------------------------------------------------------------


def test_a_temporary_file_is_served_until_its_end(
    store: Store, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = store()
    url, folder = storage.url("private.txt", window=0), storage.url("public.txt")
    end = timezone.now() + timedelta(seconds=60)
    for name in ("private.txt", "public.txt"):
        storage.set_expires(name, end)
    for each in (url, folder):
        answer = client.get(each)
        assert answer.status_code == 200
        (max_age,) = re.findall(r"max-age=(\d+)", answer["Cache-Control"])
        assert 50 <= int(max_age) <= 60
    monkeypatch.setattr("time.time", end.timestamp)
    assert [client.get(each).status_code for each in (url, folder)] == [403, 404]
    storage.set_expires("private.txt", None)
    assert client.get(url).status_code == 200


# --- who it is -----------------------------------------------------------------------------------


def test_behind_a_proxy_that_nobody_named_no_bound_link_opens(
    store: Store, client: Client
) -> None:
    url = store().url("private.txt", ip="10.0.0.0/8")
    assert client.get(url, REMOTE_ADDR="10.0.0.5").status_code == 200
    through = {"REMOTE_ADDR": "10.0.0.5", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}
    assert client.get(url, **through).status_code == 403
    url = store(trusted_proxies=["10.0.0.5/32"]).url("private.txt", ip="203.0.113.9")
    assert client.get(url, **through).status_code == 200


def test_a_link_for_nobody_opens_for_nobody(store: Store, client: Client) -> None:
    storage = store()
    for user in ("None", "0", "AnonymousUser"):
        assert client.get(storage.url("private.txt", user=user)).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "Prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"X-Moz": "prefetch"},
        {"X-Purpose": "preview"},
        {"Sec-Purpose": "other", "Purpose": "prefetch"},
    ],
)
def test_nothing_that_is_fetched_ahead_of_time_uses_a_link_up(
    store: Store, client: Client, headers: dict[str, str]
) -> None:
    url = store().url("private.txt", uses=1)
    assert client.get(url, headers=headers).status_code == 503
    assert client.get(url).status_code == 200


def test_a_use_is_kept_as_long_as_the_link_was_made_for(store: Store, client: Client) -> None:
    url = store().url("private.txt", uses=1, expires_in=6 * 86400)
    store(max_expires_in=86400)
    assert client.get(url).status_code == 200
    expires = StoredFile.rows.get(position=uses.POSITION).expires
    assert expires is not None
    assert expires > timezone.now() + timedelta(days=6)


def test_visitors_without_a_name_have_budgets_of_their_own(store: Store, client: Client) -> None:
    url = store(rate_limit_key="user", rate_limits={"signed": "1/m"}).url("private.txt")
    for address in ("198.51.100.1", "198.51.100.2"):
        statuses = [client.get(url, REMOTE_ADDR=address).status_code for _ in range(2)]
        assert statuses == [200, 429]
