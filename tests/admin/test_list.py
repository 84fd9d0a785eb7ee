"""The list finds files by filters and searches, in order, in any database."""

from typing import Any

import pytest
from django.db import connections
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override
from pytest_django import Settings

from secure_dbstorage.admin import StoredFileAdmin
from secure_dbstorage.admin.filters import StorageFilter
from secure_dbstorage.models import StoredFile
from tests.support.admin import (
    BROWSE,
    LIST,
    YES,
    add_heads,
    body,
    messages_of,
    names_in,
    page,
    row,
    run,
    save,
    signed_in,
    storage,
)
from tests.support.uploads import begin_upload

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])


def test_files_are_found_by_each_filter(crowd: list[StoredFile], chief: Client) -> None:
    storage().set_public("paper.pdf", True)
    for query, expected in (
        ({"visibility": "public"}, ["paper.pdf"]),
        ({"type": "image"}, ["a/picture.png"]),
        ({"type": "pdf"}, ["paper.pdf"]),
        ({"type": "text"}, ["b/text.txt"]),
        ({"type": "other"}, ["a/large.bin"]),
        ({"type": "audio"}, []),
        ({"size": "empty"}, ["paper.pdf"]),
        ({"size": "100k"}, ["a/picture.png", "b/text.txt"]),
        ({"size": "1m"}, ["a/large.bin"]),
        ({"modified": "today", "type": "pdf"}, ["paper.pdf"]),
        ({"modified": "older"}, []),
        ({"storage": "invoices"}, []),
    ):
        assert names_in(body(chief, LIST, **query)) == expected, query


def test_files_are_found_by_the_beginning_of_their_name_or_a_part_of_it(
    crowd: list[StoredFile], chief: Client
) -> None:
    save("Large.bin")
    for text, expected in (
        ("a/", ["a/large.bin", "a/picture.png"]),
        ("a/l", ["a/large.bin"]),
        ("ARGE", ["Large.bin", "a/large.bin"]),
        ("*text", ["b/text.txt"]),
        ("%", []),
        ("_", []),
        ("nothing", []),
    ):
        assert names_in(body(chief, LIST, q=text)) == expected, text


def test_the_list_is_in_order(crowd: list[StoredFile], chief: Client) -> None:
    names = sorted(str(file.name) for file in crowd)
    assert names_in(body(chief, LIST)) == names
    assert names_in(body(chief, LIST, o="-1")) == names[::-1]
    assert names_in(body(chief, LIST, o="7")) == [file.name for file in crowd]
    assert names_in(body(chief, LIST, o="-7")) == [file.name for file in crowd[::-1]]


def test_the_list_takes_the_same_number_of_queries_for_many_files(
    database: str, chief: Client
) -> None:
    def count() -> int:
        with CaptureQueriesContext(connections[database]) as queries:
            body(chief, LIST)
        return len(queries)

    save("1.txt")
    body(chief, LIST)
    few = count()
    for number in range(2, 30):
        save(f"{number}.txt")
    assert count() == few


def test_many_files_are_not_counted(
    database: str, chief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secure_dbstorage.admin.paging.MAX_LISTED", 300)
    add_heads(database, 400)
    with CaptureQueriesContext(connections[database]) as queries:
        html = body(chief, LIST)
        last = body(chief, LIST, p="3")
    assert not [query["sql"] for query in queries if "COUNT(" in query["sql"].upper()]
    assert "more than 300" in html
    assert names_in(last) == [f"many/{number:05}.txt" for number in range(200, 300)]
    assert chief.get(LIST, {"p": "4"}).status_code == 302  # there is no such page


def test_an_unfinished_upload_is_not_listed(database: str, chief: Client) -> None:
    add_heads(database, 1)
    begin_upload(database, key=10**9, rows=2)
    assert names_in(body(chief, LIST)) == ["many/00000.txt"]


def test_a_file_without_a_storage_can_only_be_viewed(database: str, chief: Client) -> None:
    add_heads(database, 1, namespace="forgotten")
    lost: StoredFile = StoredFile.objects.using(database).get()
    html = body(chief, LIST, storage=":forgotten")
    assert names_in(html) == ["many/00000.txt"]
    html = body(chief, page(lost))
    assert "No storage in the settings" in html
    assert 'name="operation"' not in html
    assert chief.get(page(lost, "delete")).status_code == 403
    for operation in ("rename", "public", "revoke"):
        data = {"operation": operation, "name": "other", **YES}
        assert chief.post(page(lost), data).status_code == 403
    link = {"operation": "link", "lifetime": "3600", "presentation": "inline"}
    assert "No storage has" in messages_of(chief.post(page(lost), link, follow=True))[0]
    assert "No storage has" in messages_of(run(chief, "make_public", [lost], **YES))[0]
    lost.refresh_from_db(using=database)
    assert not lost.is_public


@pytest.mark.django_db(databases=["default", "postgres"])
def test_each_storage_is_shown_from_its_own_database(settings: Settings, chief: Client) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "far": {
            "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
            "OPTIONS": {"namespace": "invoices", "using": "postgres"},
        },
    }
    near = save("near.txt", alias="invoices")
    far = save("far.txt", alias="far")
    assert names_in(body(chief, LIST)) == ["near.txt"]
    assert names_in(body(chief, LIST, storage="far")) == ["far.txt"]
    assert page(far) in body(chief, LIST, storage="far")
    assert far.sha256 in body(chief, page(far))
    chief.post(page(far), {"operation": "rename", "name": "farther.txt"})
    assert row("farther.txt", "far").pk == far.pk
    assert "Renamed to" in body(chief, page(far, "history"))
    assert row("near.txt", "invoices").pk == near.pk
    chief.post(
        f"{LIST}?storage=far",
        {"action": "delete_selected", "_selected_action": [str(far.pk)], "post": "yes"},
    )
    assert not storage("far").exists("farther.txt")
    assert storage("invoices").exists("near.txt")


def give_elsewhere(settings: Settings, *aliases: str) -> None:
    """Add storages that keep their files in another database."""
    backend = "secure_dbstorage.storage.DatabaseStorage"
    settings.STORAGES = settings.STORAGES | {
        alias: {"BACKEND": backend, "OPTIONS": {"namespace": f"ns{number}", "using": "postgres"}}
        for number, alias in enumerate(aliases)
    }


LEFT_OUT = "leave out"


class TestStoragesInAnotherDatabase:
    """The list shows one database, and says so."""

    pytestmark = pytest.mark.django_db(databases=["default", "postgres"])

    @pytest.mark.parametrize(
        "query",
        [{}, {"q": "a"}, {"q": "nothing"}, {"type": "pdf"}, {"storage": "no such"}, {"p": "1"}],
    )
    def test_the_list_names_them(
        self, settings: Settings, chief: Client, query: dict[str, str]
    ) -> None:
        give_elsewhere(settings, "far")
        save("a.txt", alias="far")
        html = body(chief, LIST, **query)
        assert "This list and its search leave out the storage “far”" in html
        assert names_in(html) == []

    @pytest.mark.parametrize("chosen", ["far", "default", "invoices", ":lost"])
    def test_no_storage_is_named_once_one_is_chosen(
        self, settings: Settings, chief: Client, chosen: str
    ) -> None:
        give_elsewhere(settings, "far")
        add_heads("default", 1, namespace="lost")
        assert LEFT_OUT not in body(chief, LIST, storage=chosen)
        assert LEFT_OUT not in body(chief, LIST, storage=chosen, q="a")

    def test_no_storage_is_named_if_all_are_in_one_database(self, chief: Client) -> None:
        assert LEFT_OUT not in body(chief, LIST)

    def test_all_of_them_are_named_and_escaped(self, settings: Settings, chief: Client) -> None:
        give_elsewhere(settings, "far", "<b>")
        assert "whose files are in other databases: far, &lt;b&gt;." in body(chief, LIST)

    def test_only_those_are_named_that_the_filter_offers(
        self, settings: Settings, chief: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class OwnFilter(StorageFilter):
            def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
                return [pair for pair in super().lookups(request, model_admin) if pair[0] != "b"]

        give_elsewhere(settings, "a", "b")
        monkeypatch.setattr(StoredFileAdmin, "list_filter", [OwnFilter])
        assert "leave out the storage “a”" in body(chief, LIST)
        monkeypatch.setattr(StoredFileAdmin, "list_filter", [])
        assert LEFT_OUT not in body(chief, LIST)

    @pytest.mark.parametrize(
        ("language", "text"),
        [("de", "lassen den Speicher „far“ aus"), ("fr", "omettent le stockage")],
    )
    def test_readers_of_other_languages_are_told_too(
        self, settings: Settings, chief: Client, language: str, text: str
    ) -> None:
        give_elsewhere(settings, "far")
        with override(language):
            assert text in body(chief, LIST)


@pytest.mark.parametrize(
    "lookup",
    [
        *("data__startswith", "data__regex", "data__gt", "data", "data__isnull", "content"),
        *("name__regex", "name__gt", "name", "id", "pk", "id__in", "namespace", "link_epoch__gte"),
        *("expires__year", "created__year", "sha256__startswith", "position", "is_public__exact"),
        *("storage__regex", "visibility__exact", "type__in", "no_such_field", "data__no_such"),
    ],
)
def test_the_query_string_takes_no_lookup_but_the_filters(lookup: str) -> None:
    save("a.txt", b"content")
    viewer = signed_in("view")
    with CaptureQueriesContext(connections["default"]) as queries:
        for value in ("1", "\0", "(", "99999999999", "c", "a,b"):
            assert viewer.get(LIST, {lookup: value}).status_code == 400
    assert not any("secure_dbstorage_storedfile" in query["sql"] for query in queries)
    changer = signed_in("change", "open")
    answer = changer.post(f"{LIST}?{lookup}=1", {"action": "make_private", "select_across": "1"})
    assert answer.status_code == 400


@pytest.mark.sweep
@pytest.mark.parametrize("value", ["\0", ":", ":\0", ":nowhere", "(", "-1", "9" * 30, "x" * 600])
def test_no_value_in_a_query_string_breaks_the_list(database: str, value: str) -> None:
    save("a.txt")
    viewer = signed_in("view")
    for name in (
        *("storage", "visibility", "type", "size", "modified"),
        *("q", "o", "p", "all", "e", "_facets", "_popup"),
    ):
        answer = viewer.get(LIST, {name: value}, follow=True)
        assert answer.status_code == 200, name
    for url in (f"{LIST}?_to_field=data", f"{LIST}?_to_field={value}"):
        assert viewer.get(url).status_code in (200, 400)
    for url in (f"{BROWSE}default/", f"{BROWSE}"):
        assert viewer.get(url, {"after": value}).status_code in (200, 404)


def test_a_long_name_is_shortened_in_the_list_and_whole_in_its_title(chief: Client) -> None:
    name = f"films/{'x' * 240}.mp4"
    save(name)
    html = body(chief, LIST)
    assert f'<span title="{name}">films/xxx' in html
    shown = html.split(f'<span title="{name}">')[1].split("</span>")[0]
    assert len(shown) <= 80
    assert shown.endswith("x.mp4")


def test_the_list_has_a_column_for_type_and_one_for_storage_if_there_are_several(
    settings: Settings, chief: Client
) -> None:
    save("a.pdf")
    html = body(chief, LIST)
    assert '<td class="field-kind"><span title="application/pdf">' in html
    assert "column-storage" in html
    settings.STORAGES = {key: settings.STORAGES[key] for key in ("default", "staticfiles")}
    assert "column-storage" not in body(chief, LIST)
