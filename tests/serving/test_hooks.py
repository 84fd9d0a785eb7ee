"""Auth hooks: only True lets in."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.test import Client, RequestFactory

from secure_dbstorage.access import AuthHook
from secure_dbstorage.files import FileStat
from secure_dbstorage.links.grants import Grant
from secure_dbstorage.serving.guards import ask_hooks
from secure_dbstorage.serving.refusals import Reason, Refused
from tests.support.serving import Store, body_of, signed
from tests.support.tokens import token_of

REQUEST = RequestFactory().get("/files/a.txt")
FILE = FileStat(
    name="a.txt",
    size=3,
    sha256="ab" * 32,
    content_type="text/plain",
    is_public=False,
    created=datetime(2026, 1, 1, tzinfo=UTC),
    modified=datetime(2026, 1, 1, tzinfo=UTC),
)
GRANT = Grant(link_epoch=1, issued=1, lifetime=1)


# --- asking them ---------------------------------------------------------------------------------


def ask(*hooks: Callable[..., object]) -> object:
    return ask_hooks(hooks, REQUEST, FILE, GRANT)


def answering(answer: object) -> AuthHook:
    """Return a hook that gives this answer."""

    def hook(request: HttpRequest, file: FileStat, grant: Grant) -> object:
        return answer

    return hook


def answering_later(answer: object) -> Callable[..., Awaitable[object]]:
    """Return a hook that gives this answer when it is awaited."""

    async def hook(request: HttpRequest, file: FileStat, grant: Grant) -> object:
        await asyncio.sleep(0)
        return answer

    return hook


class CallableHook:
    """A hook that is an object, with an async call."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    async def __call__(self, request: HttpRequest, file: FileStat, grant: Grant) -> object:
        """Give the answer."""
        return self.answer


#: Each way in which a project may write a hook.
FORMS: dict[str, Callable[[object], Callable[..., object]]] = {
    "function": answering,
    "coroutine function": answering_later,
    "lambda": lambda answer: lambda *arguments: answer,
    # The lambda is no coroutine function, and what it returns is a coroutine all the same.
    "lambda with a coroutine": lambda answer: lambda *_: answering_later(answer)(*_),  # noqa: PLW0108
    "partial": lambda answer: partial(lambda given, *arguments: given, answer),
    "partial of a coroutine": lambda answer: partial(answering_later(answer)),
    "object": CallableHook,
}

NOT_TRUE: dict[str, object] = {
    "None": None,
    "1": 1,
    "1.0": 1.0,
    "yes": "yes",
    "list": [True],
    "object": object(),
    "0": 0,
    "empty": "",
}


@pytest.mark.parametrize("form", FORMS)
def test_true_lets_the_request_through(form: str) -> None:
    assert ask(FORMS[form](True)) is None


@pytest.mark.parametrize("form", FORMS)
def test_false_is_a_403_and_nothing_to_log(form: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Refused) as caught:
        ask(FORMS[form](False))
    assert caught.value.reason is Reason.FORBIDDEN
    assert not caplog.records


@pytest.mark.parametrize("answer", NOT_TRUE)
@pytest.mark.parametrize("form", FORMS)
def test_anything_else_is_a_403_and_an_error_in_the_log(
    form: str, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Refused) as caught:
        ask(FORMS[form](NOT_TRUE[answer]))
    assert caught.value.reason is Reason.FORBIDDEN
    (record,) = caplog.records
    assert (record.levelno, record.name) == (logging.ERROR, "secure_dbstorage.serving")
    assert type(NOT_TRUE[answer]).__name__ in record.message


def test_an_awaitable_that_gives_an_awaitable_lets_nobody_in() -> None:
    async def innermost() -> bool:
        return True

    waiting = innermost()
    with pytest.raises(Refused):
        ask(answering_later(waiting))
    waiting.close()


@pytest.mark.parametrize("form", FORMS)
def test_a_response_is_sent_instead(form: str) -> None:
    response = HttpResponseRedirect("/login/")
    assert ask(FORMS[form](response)) is response


def test_a_streaming_response_is_one_too() -> None:
    response = StreamingHttpResponse([b"wait"])
    assert ask(answering(response)) is response


def test_without_hooks_the_request_passes() -> None:
    assert ask() is None


def test_hooks_are_asked_in_order_until_one_refuses() -> None:
    asked: list[str] = []

    def named(name: str, answer: object) -> Callable[..., object]:
        def hook(*arguments: object) -> object:
            asked.append(name)
            return answer

        return hook

    with pytest.raises(Refused):
        ask(named("first", True), named("second", False), named("third", True))
    assert asked == ["first", "second"]


def test_the_first_response_ends_the_questions() -> None:
    response = HttpResponseRedirect("/login/")
    assert ask(answering(True), answering(response), answering(False)) is response


def test_all_must_agree() -> None:
    with pytest.raises(Refused):
        ask(answering(True), answering_later(True), answering(False))
    assert ask(answering(True), answering_later(True)) is None


def test_a_hook_is_given_the_request_the_file_and_the_grant() -> None:
    given: list[object] = []

    def hook(*arguments: object) -> bool:
        given.extend(arguments)
        return True

    ask(hook)
    assert given == [REQUEST, FILE, GRANT]


@pytest.mark.parametrize("form", ["function", "coroutine function"])
def test_an_error_in_a_hook_passes_through(form: str) -> None:
    def failing(*arguments: object) -> bool:
        raise LookupError("the hook's own")

    async def failing_later(*arguments: object) -> bool:
        raise LookupError("the hook's own")

    with pytest.raises(LookupError, match="the hook's own"):
        ask(failing if form == "function" else failing_later)


async def test_async_hooks_run_in_the_servers_loop() -> None:
    loops = []

    async def hook(*arguments: object) -> bool:
        loops.append(asyncio.get_running_loop())
        return True

    await sync_to_async(ask)(hook)
    assert loops == [asyncio.get_running_loop()]


# --- in the view ---------------------------------------------------------------------------------


async def _agrees_later(*_: object) -> bool:
    return True


async def _refuses_later(*_: object) -> bool:
    return False


async def _says_nothing_later(*_: object) -> None:
    return None


class _Indifferent:
    def ask(self, *_: object) -> None:
        return None

    __call__ = ask


class _Agreeing:
    async def __call__(self, *_: object) -> bool:
        return True


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
@pytest.mark.django_db
def test_only_true_lets_through(
    store: Store, get: Callable[..., Any], hook: Callable[..., object], status: int
) -> None:
    url = store(auth_hooks=[hook]).url("private.txt")
    answer = get(url)
    assert answer.status_code == status
    assert (body_of(answer) == b"private") == (status == 200)


@pytest.mark.parametrize("hook", [lambda *_: None, lambda *_: 1, _says_nothing_later])
@pytest.mark.django_db
def test_a_hook_that_says_neither_yes_nor_no_is_logged_as_an_error(
    store: Store, client: Client, caplog: pytest.LogCaptureFixture, hook: Callable[..., object]
) -> None:
    url = store(auth_hooks=[hook]).url("private.txt")
    client.get(url)
    (record,) = [record for record in caplog.records if record.name.startswith("secure_dbs")]
    assert (record.name, record.levelno) == ("secure_dbstorage.serving", logging.ERROR)
    assert "instead of a bool" in record.getMessage()
    assert token_of(url) not in record.getMessage()


@pytest.mark.parametrize(
    ("hook", "name"),
    [
        (_says_nothing_later, "_says_nothing_later"),
        (partial(_says_nothing_later, 1), "_says_nothing_later"),
        (_Indifferent(), "_Indifferent"),
        (_Indifferent().ask, "_Indifferent.ask"),
    ],
)
def test_the_log_names_a_hook_by_its_dotted_path(
    caplog: pytest.LogCaptureFixture, hook: Callable[..., object], name: str
) -> None:
    with pytest.raises(Refused):
        ask(hook)
    assert f"The hook {__name__}.{name} returned NoneType" in caplog.text


@pytest.mark.django_db
def test_all_hooks_must_agree_and_the_first_refusal_ends_it(store: Store, client: Client) -> None:
    asked: list[str] = []

    def hook(name: str, *, answer: bool) -> Callable[..., bool]:
        return lambda *_: bool(asked.append(name)) or answer

    hooks = [hook("a", answer=True), hook("b", answer=False), hook("c", answer=True)]
    url = store(auth_hooks=hooks).url("private.txt")
    assert client.get(url).status_code == 403
    assert asked == ["a", "b"]


@pytest.mark.django_db
def test_hooks_are_not_asked_for_public_files_and_bad_links(store: Store, client: Client) -> None:
    def hook(*_: object) -> bool:
        raise AssertionError

    storage = store(auth_hooks=[hook])
    token = token_of(signed(storage, "public.txt"))
    assert client.get(f"/files/public.txt?token={token}").status_code == 200
    assert client.get("/files/public.txt").status_code == 200
    assert client.get("/files/private.txt").status_code == 404
    assert client.get("/files/private.txt?token=bad").status_code == 403


@pytest.mark.django_db
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


@pytest.mark.users
@pytest.mark.django_db
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


@pytest.mark.django_db
def test_a_hook_may_answer_with_a_template(store: Store, client: Client, tmp_path: Path) -> None:
    def hook(request: HttpRequest, file: Any, grant: object) -> HttpResponseBase:
        return TemplateResponse(request, "admin/404.html", status=403)

    answer = client.get(store(auth_hooks=[hook]).url("private.txt"))
    assert answer.status_code == 403
    assert answer["Cache-Control"] == "private, no-store"
    assert b"<html" in answer.content


@pytest.mark.django_db
def test_a_hook_that_raises_serves_nothing(store: Store, get: Callable[..., Any]) -> None:
    def hook(*_: object) -> bool:
        raise RuntimeError("broken")

    storage, content = store(auth_hooks=[hook]), secrets.token_hex().encode()
    url = storage.url(storage.save("secret.txt", content))
    with pytest.raises(RuntimeError, match="broken"):
        get(url)
    client = Client(raise_request_exception=False)
    answer = client.get(url)
    assert answer.status_code == 500
    assert content not in answer.content


@pytest.mark.users
@pytest.mark.parametrize(
    ("hook", "opens_for"),
    [("authenticated", {"user", "staff"}), ("staff", {"staff"})],
)
@pytest.mark.django_db
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
@pytest.mark.django_db
def test_a_file_guarded_by_a_hook_is_revalidated_each_time(
    store: Store, client: Client, name: str
) -> None:
    answer = client.get(signed(store(auth_hooks=[lambda *_: True]), name))
    expected = {"private.txt": "private, no-cache", "public.txt": "private, max-age=300"}
    assert answer["Cache-Control"] == expected[name]
