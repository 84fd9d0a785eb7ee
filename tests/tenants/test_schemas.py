"""A link of one tenant opens nothing of another, whatever kind of link it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import SynchronousOnlyOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command, execute_from_command_line
from django.db import connection, connections, router
from django.test import AsyncClient, Client
from django.urls import clear_url_caches
from django_tenants.utils import schema_context
from pytest_django import Settings

from secure_dbstorage.checks.databases import check_tables
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from tests.support.checks import messages

pytestmark = pytest.mark.django_db

NAME = "films/a.txt"
SCHEMAS = ("public", "a", "b")

#: The ways to link the file.
LINKS: dict[str, Callable[[Any], str]] = {
    "file": lambda storage: storage.url(NAME),
    "download": lambda storage: storage.url(NAME, attachment=True, filename="b.txt"),
    "many": lambda storage: storage.urls([NAME])[NAME],
    "bound": lambda storage: storage.url(NAME, ip="127.0.0.1"),
    "folder": lambda storage: storage.folder_url("films") + "a.txt",
    "bound folder": lambda storage: storage.folder_url("films", ip="127.0.0.1") + "a.txt",
}
#: Each opens its file one time.
ONE_TIME = {
    "once": lambda storage: storage.url(NAME, uses=1),
    "once and bound": lambda storage: storage.url(NAME, uses=1, ip="127.0.0.1"),
}
LINKS_AND_ONE_TIME = LINKS | ONE_TIME


@contextmanager
def schema(name: str) -> Iterator[None]:
    with schema_context(name):
        yield


@pytest.fixture(autouse=True)
def _one_file_each() -> Iterator[None]:
    """Give every schema a file of the same name and the same link epoch, as a clone would."""
    for name in SCHEMAS:
        with schema(name):
            default_storage.save(NAME, ContentFile(f"of {name}".encode()))
            StoredFile.objects.update(link_epoch=1785225600123456)
    connection.set_schema_to_public()
    yield
    connection.set_schema_to_public()


def visit(url: str, tenant: str) -> tuple[int, bytes]:
    answer = Client().get(url, headers={"host": f"{tenant}.localhost"})
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return answer.status_code, body if answer.status_code == 200 else b""


@pytest.mark.parametrize("made_by", SCHEMAS)
@pytest.mark.parametrize("kind", LINKS_AND_ONE_TIME)
def test_a_link_opens_the_file_of_its_tenant_alone(kind: str, made_by: str) -> None:
    with schema(made_by):
        url = LINKS_AND_ONE_TIME[kind](default_storage)
    for tenant in SCHEMAS:
        if tenant != made_by:
            assert visit(url, tenant) == (403, b"")
    assert visit(url, made_by) == (200, f"of {made_by}".encode())


@pytest.mark.parametrize("made_by", SCHEMAS)
@pytest.mark.parametrize("arguments", [[NAME], [NAME, "--once"], ["films", "--folder"]])
def test_a_link_of_a_command_is_for_the_tenant_that_it_runs_for(
    made_by: str,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # A command line ends with its connections, and here with the test's transaction.
    monkeypatch.setattr(connections, "close_all", lambda: None)
    line = ["manage.py", "tenant_command", "dbstorage_url", *arguments, "--schema", made_by]
    execute_from_command_line(line)
    connection.set_schema_to_public()
    url = capsys.readouterr().out.strip() + ("a.txt" if "--folder" in arguments else "")
    for tenant in SCHEMAS:
        if tenant != made_by:
            assert visit(url, tenant) == (403, b"")
    assert visit(url, made_by) == (200, f"of {made_by}".encode())


def test_a_link_that_is_made_for_no_tenant_opens_no_tenants_file() -> None:
    printed = StringIO()
    call_command("dbstorage_url", NAME, stdout=printed)
    for url in (printed.getvalue().strip(), *(make(default_storage) for make in LINKS.values())):
        assert visit(url, "a") == visit(url, "b") == (403, b"")
        assert visit(url, "public") == (200, b"of public")


def test_a_link_that_is_made_in_a_request_is_for_its_tenant() -> None:
    for tenant in ("a", "b", "a"):
        urls = Client().get("/links/", headers={"host": f"{tenant}.localhost"}).json()
        other = {"a": "b", "b": "a"}[tenant]
        for url in urls.values():
            assert visit(url, tenant) == (200, f"of {tenant}".encode())
            assert visit(url, other) == (403, b"")


def test_one_storage_follows_its_tenant_from_call_to_call() -> None:
    storage = DatabaseStorage()
    urls = {}
    for tenant in ("a", "b", "a", "public"):
        with schema(tenant):
            urls[tenant] = storage.url(NAME, window=0)
            assert storage.audience == ("default", tenant, "")
    assert len(set(urls.values())) == 3


def test_names_that_change_the_tenant_while_they_are_read_make_links_for_the_last() -> None:
    def names() -> Iterator[str]:
        with schema("a"):
            yield NAME

    with schema("b"):
        (url,) = DatabaseStorage().urls(names()).values()
    assert visit(url, "b")[0] == 200
    assert visit(url, "a")[0] == 403


@pytest.mark.parametrize("kind", LINKS)
def test_tenants_may_share_links_where_the_project_says_so(kind: str, settings: Settings) -> None:
    settings.SECURE_DBSTORAGE = {**settings.SECURE_DBSTORAGE, "AUDIENCE": ""}
    with schema("a"):
        url = LINKS[kind](default_storage)
    assert visit(url, "a") == (200, b"of a")
    assert visit(url, "b") == (200, b"of b")
    settings.SECURE_DBSTORAGE = {**settings.SECURE_DBSTORAGE, "AUDIENCE": None}
    assert visit(url, "a") == (403, b"")


@pytest.mark.parametrize("kind", LINKS)
def test_a_table_that_tenants_share_keeps_their_links_apart(kind: str) -> None:
    for tenant in ("a", "b"):
        with schema(tenant), connection.cursor() as cursor:
            cursor.execute(f'DROP TABLE "{tenant}"."{StoredFile._meta.db_table}"')
    with schema("a"):
        url = LINKS[kind](default_storage)
    assert visit(url, "a") == (200, b"of public")
    assert visit(url, "b") == visit(url, "public") == (403, b"")


def test_the_public_schema_needs_no_table_where_only_tenants_have_files(
    settings: Settings,
) -> None:
    settings.SHARED_APPS = [name for name in settings.SHARED_APPS if name != "secure_dbstorage"]
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TABLE "public"."{StoredFile._meta.db_table}"')
    assert not router.allow_migrate_model("default", StoredFile)
    assert messages(check_tables, databases=["default"]) == []


class TestSubfolders:
    """Tenants below one host, each with a URLconf that is made for the request."""

    @pytest.fixture(autouse=True)
    def _subfolders(self, settings: Settings) -> Iterator[None]:
        settings.TENANT_SUBFOLDER_PREFIX = "clients"
        settings.MIDDLEWARE = [
            "django_tenants.middleware.subfolder.TenantSubfolderMiddleware",
            *settings.MIDDLEWARE[1:],
        ]
        yield
        clear_url_caches()

    def test_a_link_opens_the_file_of_its_tenant_alone(self) -> None:
        client = Client()
        for tenant, other in (("a", "b"), ("b", "a"), ("a", "b")):
            urls = client.get(f"/clients/{tenant}/links/").json()
            for url in urls.values():
                assert urlsplit(url).path.startswith(f"/clients/{tenant}/files/")
                assert self.visit(url) == (200, f"of {tenant}".encode())
                moved = url.replace(f"/clients/{tenant}/", f"/clients/{other}/")
                assert self.visit(moved) == (403, b"")
                assert self.visit(url.replace(f"/clients/{tenant}/", "/")) == (403, b"")

    def test_in_an_event_loop_a_link_says_what_to_write_and_that_works(self) -> None:
        # What is not async runs in this thread, inside the test's transaction.
        async_to_sync(self.ask_each)()

    @staticmethod
    async def ask_each() -> None:
        client = AsyncClient()
        for tenant, other in (("a", "b"), ("b", "a")):
            made = (await client.get(f"/clients/{tenant}/async/")).json()
            assert made["error"].startswith("SynchronousOnlyOperation: ")
            assert "`await storage.aurl(...)`" in made["error"]
            moved = made["file"].replace(f"/clients/{tenant}/", f"/clients/{other}/")
            assert (await client.get(moved)).status_code == 403
            assert (await client.get(made["file"])).status_code == 200

    @staticmethod
    def visit(url: str) -> tuple[int, bytes]:
        return visit(url, "public")


class TestAsync:
    """In an event loop, which has a connection that knows no tenant."""

    async def test_every_kind_of_link_needs_a_thread(self) -> None:
        storage = DatabaseStorage()
        for make in LINKS_AND_ONE_TIME.values():
            with pytest.raises(SynchronousOnlyOperation, match="await"):
                make(storage)
        told = DatabaseStorage(audience="acme")
        for make in LINKS_AND_ONE_TIME.values():
            assert make(told)
