"""The serving view: the order of its checks, and what the rest of a project meets."""

import re
import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import storages
from django.core.handlers.base import BaseHandler
from django.db import connection, connections
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.http import parse_http_date
from pytest_django import Settings

from secure_dbstorage.serving.headers import NOTHING_THERE, REFUSAL_HEADERS
from secure_dbstorage.serving.views import serve
from tests.support.serving import Store, signed
from tests.support.tokens import token_of

pytestmark = pytest.mark.django_db


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
def test_an_impossible_name_costs_no_query(store: Store, client: Client, name: str) -> None:
    store()
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(f"/files/{name}")
    assert (answer.status_code, len(queries)) == (404, 0)
    nothing = REFUSAL_HEADERS | {"Cache-Control": NOTHING_THERE}
    assert nothing.items() <= answer.headers.items()


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "trace"])
def test_another_method_costs_no_query_and_no_csrf_check(store: Store, method: str) -> None:
    url = store().url("private.txt")
    with CaptureQueriesContext(connection) as queries:
        answer = getattr(Client(enforce_csrf_checks=True), method)(url)
    assert answer.status_code == (200 if method == "options" else 405)
    assert answer["Allow"] == "GET, HEAD, OPTIONS"
    assert len(queries) == 0


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
def test_a_private_file_and_a_missing_one_get_the_same_answer(
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


def test_a_link_of_one_storage_opens_nothing_in_another(store: Store, client: Client) -> None:
    storage = store()
    invoices = storages["invoices"]
    invoices.save("private.txt", b"invoice")
    token = token_of(invoices.url("private.txt"))
    assert client.get(f"/files/private.txt?token={token}").status_code == 403
    token = token_of(storage.url("private.txt"))
    assert client.get(f"/invoices/private.txt?token={token}").status_code == 403


def test_lowering_the_cap_shortens_existing_links(store: Store, client: Client) -> None:
    url = signed(store(), "private.txt", lifetime=1000)
    assert client.get(url).status_code == 200
    url = signed(storages["default"], "private.txt", issued=1)  # type: ignore[arg-type]
    assert b"expired" in client.get(url).content


def test_no_download_is_inside_a_transaction_of_atomic_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for alias in connections:
        monkeypatch.setitem(connections[alias].settings_dict, "ATOMIC_REQUESTS", True)
    assert BaseHandler().make_view_atomic(serve) is serve


@pytest.mark.users
@pytest.mark.parametrize("name", ["private.txt", "public.txt"])
def test_a_file_touches_no_session_and_sets_no_cookie(
    store: Store, client: Client, settings: Settings, name: str
) -> None:
    settings.SESSION_SAVE_EVERY_REQUEST = True
    answer = client.get(store().url(name))
    assert not answer.cookies
    assert not answer.has_header("Vary")
    assert not answer.wsgi_request.session.accessed


def test_a_public_file_sets_no_cookie_even_for_a_user(
    store: Store, client: Client, settings: Settings
) -> None:
    settings.SESSION_SAVE_EVERY_REQUEST = True
    store()
    client.force_login(User.objects.create(username="somebody"))
    answer = client.get("/files/public.txt")
    assert not answer.cookies
    assert "public" in answer["Cache-Control"]
    assert not client.get("/files/public.txt", headers={"If-None-Match": "*"}).cookies


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


@pytest.mark.users
def test_a_project_that_asks_everybody_to_sign_in_still_serves_links(
    store: Store, client: Client, settings: Settings
) -> None:
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    assert client.get(store().url("private.txt")).content == b"private"
    assert client.get("/files/public.txt").content == b"public"


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
