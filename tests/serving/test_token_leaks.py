"""No token is left in a request, an error report or a log."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.core.files.storage import storages
from django.core.signals import got_request_exception
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.test import Client
from django.views.debug import ExceptionReporter, technical_500_response
from pytest_django import Settings

from secure_dbstorage.access import HookGrant
from secure_dbstorage.files import FileStat
from secure_dbstorage.storage import DatabaseStorage
from tests.support.mounting import mounted
from tests.support.observer import places_of_tokens
from tests.support.serving import Store, signed
from tests.support.tokens import folder_token_of, token_of

pytestmark = pytest.mark.django_db


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
    there = mounted("/files/private.txt")
    assert json.loads(get(url)["X-Seen"]) == [f"http://testserver{there}"]


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


@pytest.mark.parametrize("is_debug", [False, True])
def test_an_error_report_holds_no_token_of_another_link_either(
    store: Store, get: Callable[..., Any], settings: Settings, *, is_debug: bool
) -> None:
    settings.DEBUG = is_debug
    reports: list[str] = []

    def keep_reports(request: HttpRequest, **_: object) -> None:
        for is_email in (False, True):
            reporter = ExceptionReporter(request, *sys.exc_info(), is_email=is_email)
            reports.extend((reporter.get_traceback_text(), reporter.get_traceback_html()))
        reports.append(technical_500_response(request, *sys.exc_info()).content.decode())

    def hook(request: HttpRequest, file: object, grant: object) -> bool:
        assert request.COOKIES["plain"] == "kept"
        # That of somebody else, which a hook may need.
        assert request.COOKIES["jwt"] == jwt
        raise RuntimeError("broken")

    storage = store(auth_hooks=[hook])
    jwt = f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVC1ab.eyJ1c2VyIjo0Mn0.{'A' * 43}"
    others = [storage.url("private.txt", filename="b.txt"), storage.folder_url("films") + "a"]
    headers = {
        "Cookie": f"plain=kept; next={quote(others[0])}; after={others[1]}; jwt={jwt}; last=1",
        "Authorization": f"Bearer {token_of(others[0])}",
        "X-Was-Here": "".join(others),
        "Referer": f"http://elsewhere.example{others[0]}",
    }
    got_request_exception.connect(keep_reports)
    try:
        with pytest.raises(RuntimeError):
            get(f"{storage.url('private.txt')}&next={quote(others[1], safe='')}", headers=headers)
    finally:
        got_request_exception.disconnect(keep_reports)
    assert len(reports) == 5
    signatures = [token_of(others[0])[-43:], folder_token_of(others[1])[-43:]]
    for report in reports:
        assert "broken" in report
        assert not any(signature in report for signature in signatures)


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


def test_the_signed_path_is_not_shown_by_accident(store: Store, client: Client) -> None:
    paths = []
    store(auth_hooks=[lambda request, file, grant: bool(paths.append(grant.return_path)) or True])
    url = storages["default"].url("private.txt")
    assert client.get(url).status_code == 200
    assert paths == [url]
    assert token_of(url) not in repr(paths)


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
    assert path == mounted("/files/~removed/films/7/a b.txt")
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


def test_the_log_names_the_file_and_holds_no_token_of_its_folder(
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
