"""Auth hooks: only True lets in."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponseRedirect, StreamingHttpResponse
from django.test import RequestFactory

from secure_dbstorage.access import AuthHook, ask_hooks, authenticated, staff
from secure_dbstorage.exceptions import Refused
from secure_dbstorage.files import FileStat
from secure_dbstorage.links.grants import Grant

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
def test_true_lets_in(form: str) -> None:
    assert ask(FORMS[form](True)) is None


@pytest.mark.parametrize("form", FORMS)
def test_false_is_a_403_and_nothing_to_log(form: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Refused) as caught:
        ask(FORMS[form](False))
    assert (caught.value.status, caught.value.reason) == (HTTPStatus.FORBIDDEN, "forbidden")
    assert not caplog.records


@pytest.mark.parametrize("answer", NOT_TRUE)
@pytest.mark.parametrize("form", FORMS)
def test_anything_else_is_a_403_and_an_error_in_the_log(
    form: str, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Refused) as caught:
        ask(FORMS[form](NOT_TRUE[answer]))
    assert caught.value.status == HTTPStatus.FORBIDDEN
    (record,) = caplog.records
    assert (record.levelno, record.name) == (logging.ERROR, "secure_dbstorage.access")
    assert type(NOT_TRUE[answer]).__name__ in record.message


def test_what_is_awaitable_twice_lets_nobody_in() -> None:
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


def test_no_hook_lets_in() -> None:
    assert ask() is None


def test_hooks_are_asked_in_order_until_one_does_not_agree() -> None:
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


def request_by(user: Any) -> Any:
    return SimpleNamespace(user=user)


@pytest.mark.parametrize(
    ("user", "is_in", "is_staff"),
    [
        (AnonymousUser(), False, False),
        (User(username="u"), True, False),
        (User(username="u", is_staff=True), True, True),
        (User(username="u", is_superuser=True), True, False),
        (User(username="u", is_staff=True, is_active=False), True, False),
    ],
    ids=["anonymous", "user", "staff", "superuser", "inactive staff"],
)
def test_the_shipped_hooks_look_at_the_user(
    user: Any,
    is_in: bool,  # noqa: FBT001
    is_staff: bool,  # noqa: FBT001
) -> None:
    assert authenticated(request_by(user), FILE, GRANT) is is_in
    assert staff(request_by(user), FILE, GRANT) is is_staff


@pytest.mark.parametrize("truthy", [1, "yes", object()])
def test_the_shipped_hooks_answer_with_a_bool(truthy: object) -> None:
    user = SimpleNamespace(is_authenticated=truthy, is_active=truthy, is_staff=truthy)
    assert authenticated(request_by(user), FILE, GRANT) is True
    assert staff(request_by(user), FILE, GRANT) is True
