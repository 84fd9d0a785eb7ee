"""Links that are made in an event loop, without a look at the table."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import engines
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import include, path
from pytest_django import Settings

from tests.support.mounting import mounted
from tests.support.serving import Store, ask
from tests.support.tokens import grant_of, token_of
from tests.testapp.models import Book

pytestmark = pytest.mark.django_db

NAME = "private.txt"
HOUR = 3600


@transaction.non_atomic_requests  # Django has no transactions for async views.
async def page(request: HttpRequest) -> HttpResponse:
    """Render a template in the event loop."""
    book = Book(text=request.GET["name"])
    template = engines["django"].from_string("<a href='{{ book.text.url }}'>")
    return HttpResponse(template.render({"book": book}))


@transaction.non_atomic_requests
async def listing(request: HttpRequest) -> JsonResponse:
    """Put links into JSON, as code does that resolves attributes by itself."""
    names = request.GET.getlist("name")
    book = Book(text=names[0])
    return JsonResponse({"url": book.text.url, "urls": default_storage.urls(names)})


urlpatterns = [
    path("files/", include("secure_dbstorage.urls")),
    path("page/", page),
    path("listing/", listing),
]


def in_loop(make: Callable[[], Any]) -> Any:
    """Call a function that isn't async in an event loop."""

    async def call() -> Any:
        return make()

    return asyncio.run(call())


def test_a_template_that_is_rendered_in_a_loop_has_links_that_work(
    store: Store, settings: Settings, client: Client
) -> None:
    settings.ROOT_URLCONF = __name__
    store()
    html = async_to_sync(AsyncClient().get)(f"/page/?name={NAME}").content.decode()
    assert ask(client, html.split("'")[1].replace("&amp;", "&")) == (200, b"private")


def test_json_of_a_loop_has_links_that_work(
    store: Store, settings: Settings, client: Client
) -> None:
    settings.ROOT_URLCONF = __name__
    store()
    made = async_to_sync(AsyncClient().get)(f"/listing/?name={NAME}&name=public.txt").json()
    for url in (made["url"], made["urls"][NAME]):
        assert ask(client, url) == (200, b"private")
    assert ask(client, made["urls"]["public.txt"]) == (200, b"public")


def test_no_query_is_asked(store: Store) -> None:
    storage = store()
    with CaptureQueriesContext(connection) as queries:
        in_loop(lambda: (storage.url(NAME), storage.urls([NAME, "lost.txt"])))
    assert not queries.captured_queries


@pytest.mark.parametrize(
    ("arguments", "status"),
    [({}, 200), ({"ip": "127.0.0.1"}, 200), ({"ip": "192.0.2.1"}, 403), ({"user": 7}, 403)],
)
def test_terms_are_kept(
    arguments: dict[str, Any], status: int, store: Store, client: Client
) -> None:
    storage = store()
    assert ask(client, in_loop(lambda: storage.url(NAME, **arguments)))[0] == status


def test_a_one_time_link_works_once(store: Store, client: Client) -> None:
    storage = store()
    url = in_loop(lambda: storage.url(NAME, uses=1))
    assert [ask(client, url)[0] for _ in range(2)] == [200, 403]


def test_a_revoked_link_opens_nothing(store: Store, client: Client) -> None:
    storage = store()
    url = in_loop(lambda: storage.url(NAME))
    storage.revoke_urls(NAME)
    assert ask(client, url)[0] == 403
    assert ask(client, in_loop(lambda: storage.url(NAME)))[0] == 200


def test_another_file_that_is_saved_later_under_the_name_stays_shut(
    store: Store, client: Client
) -> None:
    storage = store()
    url, of_nothing = in_loop(lambda: (storage.url(NAME), storage.url("later.txt")))
    storage.delete(NAME)
    for name in (NAME, "later.txt"):
        storage.save(name, ContentFile(b"another"))
    assert ask(client, url)[0] == ask(client, of_nothing)[0] == 403


def test_a_file_that_is_renamed_onto_the_name_later_stays_shut(
    store: Store, client: Client
) -> None:
    storage = store()
    url = in_loop(lambda: storage.url(NAME))
    storage.delete(NAME)
    storage.rename("public.txt", NAME)
    assert ask(client, url)[0] == 403


def test_a_lost_file_answers_as_a_revoked_one_does(store: Store, client: Client) -> None:
    storage = store()
    url = in_loop(lambda: storage.url("lost.txt"))
    assert "?token=" in url
    assert ask(client, url)[0] == 403


def test_a_file_that_was_saved_within_the_window_opens(store: Store, client: Client) -> None:
    storage = store()
    for number in range(20):
        storage.save(f"{number}.txt", ContentFile(b"new"))
        url = in_loop(lambda: storage.url(f"{number}.txt", window=HOUR))  # noqa: B023 -- at once
        assert ask(client, url)[0] == 200


@pytest.mark.parametrize("name", [None, "", "a\0b"])
def test_what_can_be_no_file_gets_no_token(name: str | None, store: Store) -> None:
    storage = store()
    assert in_loop(lambda: storage.url(name)) == storage.url(name)


def test_it_is_made_at_the_instant_and_lives_as_long_as_others(store: Store) -> None:
    storage = store()
    before = time.time_ns() // 1000
    grant = grant_of(storage, NAME, in_loop(lambda: storage.url(NAME)))
    assert grant.unseen
    assert before <= grant.link_epoch <= time.time_ns() // 1000
    assert (grant.issued, grant.lifetime) == (grant.link_epoch // 10**6, HOUR)


def test_without_its_flag_it_is_no_link(store: Store, client: Client) -> None:
    storage = store()
    unseen = in_loop(lambda: storage.url(NAME))
    seen = storage.url(NAME)
    assert token_of(unseen)[3] == "m"
    assert ask(client, unseen.replace(token_of(unseen)[:4], token_of(unseen)[:3], 1))[0] == 403
    assert ask(client, seen.replace(token_of(seen)[:3], f"{token_of(seen)[:3]}m", 1))[0] == 403


def test_mistakes_are_the_same(store: Store) -> None:
    storage = store()
    for arguments in ({"expires_in": 0}, {"uses": 2}, {"user": None}):
        with pytest.raises(ValueError, match=r"\w"):
            in_loop(lambda: storage.url(NAME, **arguments))  # noqa: B023 -- at once
    with pytest.raises(TypeError, match="unseen"):
        in_loop(lambda: storage.url(NAME, unseen=True))
    with pytest.raises(TypeError, match="url\\(\\)"):
        in_loop(lambda: storage.urls(NAME))


def test_the_async_forms_look(store: Store) -> None:
    storage = store()

    async def make() -> dict[str, str]:
        return await storage.aurls(["public.txt", "lost.txt"])

    assert async_to_sync(make)() == {
        "public.txt": mounted("/files/public.txt"),
        "lost.txt": mounted("/files/lost.txt"),
    }
