"""The admin of stored files, as a person with some permissions meets it."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from secure_dbstorage.admin.homes import key_of
from secure_dbstorage.models import StoredFile

# People and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])

LIST = "/admin/secure_dbstorage/storedfile/"
ADD = f"{LIST}add/"
BROWSE = f"{LIST}browse/"

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
    b"\x1f\x15\xc4\x89\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99"
    b"=\x1d\x00\x00\x00\x00IEND\xaeB`\x82"
)


def storage(alias: str = "default") -> Any:
    return storages[alias]


def save(name: str, content: bytes = b"content", alias: str = "default") -> StoredFile:
    saved = storage(alias).save(name, ContentFile(content))
    return row(saved, alias)


def row(name: str, alias: str = "default") -> StoredFile:
    files = StoredFile.objects.using(storage(alias).catalog.writer)
    found: StoredFile = files.get(namespace=storage(alias).options.namespace, name=name)
    return found


def page(file: StoredFile, which: str = "change") -> str:
    return f"{LIST}{key_of(file).replace(':', '_3A')}/{which}/"


def signed_in(*permissions: str) -> Client:
    """Return the browser of a person who has these permissions alone."""
    user = User.objects.create_user(f"user-{User.objects.count()}", is_staff=True)
    codenames = [f"{permission}_storedfile" for permission in permissions]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    assert user.user_permissions.count() == len(permissions)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def chief() -> Client:
    """Return the browser of a person who may do everything."""
    client = Client()
    client.force_login(User.objects.create_superuser("chief"))
    return client


def body(client: Client, url: str, **data: str) -> str:
    response = client.get(url, data)
    assert response.status_code == 200, response
    return response.text


def messages_of(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def names_in(html: str) -> list[str]:
    """Return the names in the list, in order."""
    return re.findall(r'class="field-name"><a href="[^"]+">([^<]+)<', html)


def run(client: Client, action: str, files: list[StoredFile], **more: str) -> Any:
    chosen = {"action": action, "_selected_action": [str(file.pk) for file in files], **more}
    if "post" not in more:
        chosen["index"] = "0"
    return client.post(LIST, chosen, follow=True)


@contextmanager
def no_bytes_selected(alias: str) -> Iterator[None]:
    """Hold that no statement reads the column of the bytes."""
    with CaptureQueriesContext(connections[alias]) as queries:
        yield
    statements = [query["sql"] for query in queries]
    assert statements
    for statement in statements:
        selected, _, _ = statement.partition(" FROM ")
        reads = statement.lstrip("( ").upper().startswith(("SELECT", "WITH"))
        assert not (reads and re.search(r"\bdata\b|\*(?!\))", selected)), statement


# No content is loaded


def test_the_proof_that_no_bytes_are_read_can_fail(database: str) -> None:
    with pytest.raises(AssertionError), no_bytes_selected(database):
        list(StoredFile.rows.using(database).all())


@pytest.fixture
def crowd(database: str) -> list[StoredFile]:
    """Return files of several kinds; one has rows besides its head."""
    return [
        save("a/picture.png", PNG),
        save("a/large.bin", b"x" * 600_000),
        save("b/text.txt", b"text"),
        save("paper.pdf", b""),
    ]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"q": "a/"},
        {"q": "*large"},
        {"q": "picture"},
        {"o": "-6"},
        {"o": "6"},
        {"o": "-1"},
        {"storage": "default"},
        {"storage": "invoices"},
        {"visibility": "private"},
        {"type": "image"},
        {"type": "other"},
        {"size": "1m"},
        {"modified": "today"},
        {"modified": "older"},
    ],
    ids=str,
)
def test_the_list_reads_no_bytes(
    crowd: list[StoredFile], database: str, chief: Client, query: dict[str, str]
) -> None:
    with no_bytes_selected(database):
        body(chief, LIST, **query)


def test_the_pages_of_a_file_read_no_bytes(
    crowd: list[StoredFile], database: str, chief: Client
) -> None:
    large = crowd[1]
    for which in ("change", "history", "delete"):
        with no_bytes_selected(database):
            body(chief, page(large, which))
    for data in (
        {"errand": "rename", "name": "a/other.bin"},
        {"errand": "public"},
        {"errand": "private"},
        {"errand": "revoke"},
        {"errand": "link", "lifetime": "3600", "presentation": "inline"},
    ):
        with no_bytes_selected(database):
            response = chief.post(page(large), data, follow=True)
        assert response.status_code == 200
    with no_bytes_selected(database):
        assert chief.post(page(large, "delete"), {"post": "yes"}).status_code == 302
    assert not StoredFile.rows.using(database).filter(content=large.content).exists()


def test_browsing_reads_no_bytes(crowd: list[StoredFile], database: str, chief: Client) -> None:
    with no_bytes_selected(database):
        html = body(chief, f"{BROWSE}default/a")
    assert "large.bin" in html
    assert "text.txt" not in html


def test_actions_read_no_bytes(crowd: list[StoredFile], database: str, chief: Client) -> None:
    terms = {"post": "yes", "lifetime": "3600", "presentation": "inline"}
    for action, more in (
        ("make_public", {}),
        ("make_private", {}),
        ("revoke_links", {}),
        ("make_links", {}),
        ("make_links", terms),
        ("delete_selected", {}),
        ("delete_selected", {"post": "yes"}),
    ):
        with no_bytes_selected(database):
            assert run(chief, action, crowd, **more).status_code == 200
    assert not StoredFile.rows.using(database).exists()


def test_deleting_reads_no_bytes_although_somebody_listens(
    crowd: list[StoredFile], database: str, chief: Client
) -> None:
    from django.db.models.signals import post_delete

    def listen(**_: object) -> None:
        """Make Django's own way load each row as a whole."""

    post_delete.connect(listen, sender=StoredFile)
    try:
        with no_bytes_selected(database):
            run(chief, "delete_selected", crowd, post="yes")
    finally:
        post_delete.disconnect(listen, sender=StoredFile)
    assert not StoredFile.rows.using(database).exists()


# The list


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
    assert names_in(body(chief, LIST, o="6")) == [file.name for file in crowd]
    assert names_in(body(chief, LIST, o="-6")) == [file.name for file in crowd[::-1]]


def test_the_list_takes_as_many_queries_for_many_files(database: str, chief: Client) -> None:
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


def add_heads(database: str, count: int, namespace: str = "") -> None:
    now = timezone.now()
    StoredFile.rows.using(database).bulk_create(
        [
            StoredFile(
                content=number + 1,
                namespace=namespace,
                name=f"many/{number:05}.txt",
                size=0,
                chunk_size=4096,
                sha256="0" * 64,
                content_type="text/plain",
                is_public=False,
                created=now,
                modified=now,
                link_epoch=1,
                data=b"",
            )
            for number in range(count)
        ],
        batch_size=500,
    )


def test_many_files_are_not_counted(
    database: str, chief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secure_dbstorage.admin.paging.MAX_FILES", 300)
    add_heads(database, 400)
    with CaptureQueriesContext(connections[database]) as queries:
        html = body(chief, LIST)
        last = body(chief, LIST, p="3")
    assert not [query["sql"] for query in queries if "COUNT(" in query["sql"].upper()]
    assert "more than 300" in html
    assert names_in(last) == [f"many/{number:05}.txt" for number in range(200, 300)]
    assert chief.get(LIST, {"p": "4"}).status_code == 302  # there is no such page


def test_an_action_takes_no_more_than_it_can(
    database: str, chief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secure_dbstorage.admin.actions.MAX_FILES", 10)
    add_heads(database, 11)
    file = row("many/00000.txt")
    response = run(chief, "delete_selected", [file], select_across="1", post="yes")
    assert messages_of(response) == ["An action takes at most 10 files. Choose fewer."]
    assert StoredFile.objects.using(database).count() == 11


def test_a_file_of_no_storage_can_only_be_looked_at(database: str, chief: Client) -> None:
    add_heads(database, 1, namespace="forgotten")
    lost: StoredFile = StoredFile.objects.using(database).get()
    html = body(chief, LIST, storage=":forgotten")
    assert names_in(html) == ["many/00000.txt"]
    html = body(chief, page(lost))
    assert "No storage in the settings" in html
    assert 'name="errand"' not in html
    assert chief.get(page(lost, "delete")).status_code == 403
    for errand in ("rename", "public", "revoke"):
        data = {"errand": errand, "name": "other"}
        assert chief.post(page(lost), data).status_code == 403
    link = {"errand": "link", "lifetime": "3600", "presentation": "inline"}
    assert "No storage has" in messages_of(chief.post(page(lost), link, follow=True))[0]
    assert "No storage has" in messages_of(run(chief, "make_public", [lost]))[0]
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
    chief.post(page(far), {"errand": "rename", "name": "farther.txt"})
    assert row("farther.txt", "far").pk == far.pk
    assert "Renamed to" in body(chief, page(far, "history"))
    assert row("near.txt", "invoices").pk == near.pk
    chief.post(
        f"{LIST}?storage=far",
        {"action": "delete_selected", "_selected_action": [str(far.pk)], "post": "yes"},
    )
    assert not storage("far").exists("farther.txt")
    assert storage("invoices").exists("near.txt")


# One file


def test_a_page_tells_what_is_known(chief: Client) -> None:
    file = save("a/picture.png", PNG)
    html = body(chief, page(file))
    assert str(file.sha256) in html
    assert "image/png" in html
    assert f"{len(PNG)} bytes" in html
    (source,) = re.findall(r'<img src="([^"]+token[^"]+)"', html)
    assert Client().get(source).content == PNG


@pytest.mark.parametrize(
    ("name", "size"), [("page.svg", 10), ("a.pdf", 10), ("large.png", 6 * 1024 * 1024)]
)
def test_only_small_raster_pictures_are_shown(chief: Client, name: str, size: int) -> None:
    html = body(chief, page(save(name, b"x" * size)))
    assert "token=" not in html


def test_a_file_that_is_gone_leads_back_to_the_list(chief: Client) -> None:
    file = save("a.txt")
    storage().delete("a.txt")
    for which in ("change", "delete", "open", "download"):
        response = chief.get(page(file, which), follow=True)
        assert response.redirect_chain[-1] == (LIST, 302)
        assert "There is no stored file" in messages_of(response)[0]
    assert chief.get(f"{LIST}nowhere:7/change/", follow=True).redirect_chain
    assert chief.get(f"{LIST}{'9' * 30}/change/", follow=True).redirect_chain


def link_in(response: Any) -> str:
    assert response.status_code == 200
    (link,) = re.findall(r'value="(http://testserver/[^"]+)" readonly', response.text)
    return str(link).replace("&amp;", "&")


def test_a_link_is_made_shown_once_and_revoked(chief: Client) -> None:
    file = save("a.txt", b"words")
    terms = {"errand": "link", "lifetime": "3600", "presentation": "attachment"}
    made = chief.post(page(file), terms)
    assert "no-store" in made["Cache-Control"]
    link = link_in(made)
    opened = Client().get(link)
    assert opened.content == b"words"
    assert opened["Content-Disposition"].startswith("attachment")
    assert "token=" not in body(chief, page(file))
    chief.post(page(file), {"errand": "revoke"})
    assert Client().get(link).status_code == 403


def test_a_link_works_one_time_if_so_chosen(chief: Client) -> None:
    file = save("a.txt", b"words")
    terms = {"errand": "link", "lifetime": "3600", "presentation": "inline", "once": "on"}
    link = link_in(chief.post(page(file), terms))
    visit = Client().get
    assert [visit(link).status_code for _ in range(2)] == [200, 403]


def test_the_lifetimes_keep_to_the_cap_of_the_storage(settings: Settings, chief: Client) -> None:
    settings.SECURE_DBSTORAGE = {"MAX_EXPIRES_IN": 600, "EXPIRES_IN": 120}
    file = save("a.txt")
    html = body(chief, page(file))
    offered = re.findall(r'<option value="(\d+)"', html)
    assert offered == ["120", "300", "600"]
    refused = chief.post(
        page(file), {"errand": "link", "lifetime": "3600", "presentation": "inline"}
    )
    assert "token=" not in refused.text
    assert "Select a valid choice" in refused.text


def test_the_link_of_a_public_file_is_plain(chief: Client) -> None:
    file = save("a.txt", b"words")
    chief.post(page(file), {"errand": "public"})
    terms = {"errand": "link", "lifetime": "3600", "presentation": "inline"}
    link = link_in(chief.post(page(file), terms))
    assert link == "http://testserver/files/a.txt"
    assert Client().get(link).content == b"words"
    chief.post(page(file), {"errand": "private"})
    assert Client().get(link).status_code == 404


def test_a_file_is_opened_and_downloaded_by_a_link_of_a_moment(chief: Client) -> None:
    file = save("a.txt", b"words")
    for which, kind in (("open", "inline"), ("download", "attachment")):
        answer = chief.get(page(file, which))
        assert answer["Referrer-Policy"] == "no-referrer"
        token = urlsplit(answer["Location"]).query.removeprefix("token=")
        grant = storage().signer.unsign(
            "a.txt", token, storage().audience, max_lifetime=10**6, now=time.time()
        )
        assert grant.lifetime == 60
        opened = Client().get(answer["Location"])
        assert opened["Content-Disposition"].startswith(kind)
        assert opened.content == b"words"


def test_links_of_the_admin_pass_by_no_hook(chief: Client) -> None:
    file = save("bill.png", PNG, alias="invoices")
    url = chief.get(page(file, "download"))["Location"]
    assert chief.get(url).getvalue() == PNG
    assert Client().get(url).status_code == 403  # the hook lets in who is signed in


def test_a_file_is_renamed_with_its_type_and_without_its_old_links(chief: Client) -> None:
    file = save("a.txt", b"words")
    link = storage().url("a.txt")
    answer = chief.post(page(file), {"errand": "rename", "name": "b\\c.pdf"}, follow=True)
    assert messages_of(answer) == ["The file is called “b/c.pdf” now."]
    assert row("b/c.pdf").content_type == "application/pdf"
    assert Client().get(link).status_code == 403


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("taken.txt", "The name “taken.txt” is taken by a file."),
        ("taken.txt/below.txt", "The name “taken.txt” is taken by a file."),
        ("../up.txt", "No file can have this name."),
        ("/abs.txt", "No file can have this name."),
        ("a\nb", "No file can have this name."),
        ("directory", "is taken by a file."),
        ("", "This field is required."),
        ("x" * 513, "at most 512 characters"),
    ],
)
def test_a_name_that_cant_be_is_an_error_of_the_form(
    database: str, chief: Client, name: str, said: str
) -> None:
    file = save("a.txt")
    save("taken.txt")
    save("directory/b.txt")
    answer = chief.post(page(file), {"errand": "rename", "name": name})
    assert answer.status_code == 200
    assert said in answer.text
    assert row("a.txt").pk == file.pk


def test_deleting_asks_first(chief: Client) -> None:
    file = save("a.txt")
    assert "Yes, I’m sure" in body(chief, page(file, "delete"))
    assert storage().exists("a.txt")
    answer = chief.post(page(file, "delete"), {"post": "yes"}, follow=True)
    assert messages_of(answer) == ["“a.txt” is deleted."]
    assert not storage().exists("a.txt")


# Uploads


def upload(client: Client, **data: Any) -> Any:
    given = {"storage": "default", "file": SimpleUploadedFile("a b.txt", b"words"), **data}
    return client.post(ADD, given, follow=True)


def test_a_file_is_uploaded(database: str, chief: Client) -> None:
    answer = upload(chief, directory="x//y/", name="", visibility="public")
    assert messages_of(answer) == ["“x/y/a b.txt” is stored."]
    file = row("x/y/a b.txt")
    assert file.is_public
    with storage().open("x/y/a b.txt") as stored:
        assert stored.read() == b"words"
    upload(chief, storage="invoices", name="bill.txt")
    assert not row("bill.txt", "invoices").is_public


def test_an_upload_under_a_taken_name_gets_another(chief: Client) -> None:
    save("a b.txt", b"first")
    answer = upload(chief)
    (said,) = messages_of(answer)
    assert re.fullmatch(r"“a b_\w{7}.txt” is stored.", said)
    with storage().open("a b.txt") as stored:
        assert stored.read() == b"first"


def test_an_upload_replaces_a_file_where_the_storage_and_the_person_may(
    settings: Settings, chief: Client
) -> None:
    settings.SECURE_DBSTORAGE = {"ALLOW_OVERWRITE": True}
    save("a b.txt", b"first")
    answer = upload(signed_in("add", "view"))
    assert "which you may not replace" in answer.text
    upload(chief)
    with storage().open("a b.txt") as stored:
        assert stored.read() == b"words"
    assert LogEntry.objects.get().get_change_message() == "Content replaced."


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"name": "../up.txt"}, "No file can have this name."),
        ({"directory": "taken.txt"}, "The name “taken.txt” is taken by a file."),
        ({"storage": "nowhere"}, "Select a valid choice"),
        ({"file": SimpleUploadedFile("large.txt", b"x" * 101)}, "larger than this storage takes"),
        ({"file": ""}, "This field is required."),
        ({"directory": "d" * 512, "name": "n" * 100}, "No file can have this name."),
    ],
    ids=str,
)
def test_an_upload_that_cant_be_is_an_error_of_the_form(
    settings: Settings, chief: Client, data: dict[str, Any], said: str
) -> None:
    settings.SECURE_DBSTORAGE = {"MAX_SIZE": 100}
    save("taken.txt")
    answer = upload(chief, **data)
    assert answer.status_code == 200
    assert said in answer.text
    assert StoredFile.rows.count() == 1


def test_an_empty_file_is_uploaded(chief: Client) -> None:
    upload(chief, file=SimpleUploadedFile("empty.txt", b""))
    assert row("empty.txt").size == 0


# Many files


def test_many_are_made_public_and_private_and_revoked(chief: Client) -> None:
    files = [save("a.txt"), save("b.txt", alias="invoices"), save("c.txt")]
    links = storage().urls(["a.txt", "c.txt"])
    answer = run(chief, "make_public", files[:2])
    assert messages_of(answer) == ["Done for 2 files."]
    assert [storage().is_public("a.txt"), storage("invoices").is_public("b.txt")] == [True, True]
    assert not storage().is_public("c.txt")
    run(chief, "make_private", files)
    assert not storage().is_public("a.txt")
    assert Client().get(links["a.txt"]).status_code == 200
    run(chief, "revoke_links", files[:1])
    assert [Client().get(link).status_code for link in links.values()] == [403, 200]


def test_links_to_many_are_made_by_one_query_for_each_storage(chief: Client) -> None:
    files = [save(f"{number}.txt", b"words") for number in range(20)]
    asked = run(chief, "make_links", files)
    assert 'name="lifetime"' in asked.text
    terms = {"post": "yes", "lifetime": "3600", "presentation": "inline"}
    with CaptureQueriesContext(connections["default"]) as queries:
        answer = run(chief, "make_links", files, **terms)
    asking = [query["sql"] for query in queries if "link_epoch" in query["sql"].split(" FROM ")[0]]
    assert len([sql for sql in asking if "sha256" not in sql]) == 1
    links = re.findall(r'value="(http://testserver/[^"]+)" readonly', answer.text)
    assert len(links) == 20
    assert {Client().get(link).content for link in links} == {b"words"}


def test_deleting_many_asks_first(chief: Client) -> None:
    files = [save("a.txt"), save("b.txt", alias="invoices"), save("c.txt")]
    asked = run(chief, "delete_selected", files[:2])
    assert "Delete these files?" in asked.text
    assert storage().exists("a.txt")
    answer = run(chief, "delete_selected", files[:2], post="yes")
    assert messages_of(answer) == ["Done for 2 files."]
    assert not storage().exists("a.txt")
    assert not storage("invoices").exists("b.txt")
    assert storage().exists("c.txt")


def test_what_went_wrong_with_one_of_many_is_told(
    chief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [save("a.txt"), save("b.txt")]
    add_heads("default", 1, namespace="forgotten")
    lost: StoredFile = StoredFile.objects.get(namespace="forgotten")
    answer = run(chief, "revoke_links", [*files, lost])
    assert messages_of(answer) == [
        "Done for 2 files.",
        "many/00000.txt: No storage has the namespace “forgotten”.",
    ]


# Directories


def test_directories_are_browsed_page_by_page(
    database: str, chief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secure_dbstorage.admin.browse.PAGE_SIZE", 3)
    for name in ("top.txt", "a/1.txt", "a/2", "a/2.d/x", "a/3#?%.txt", "a/4/deep/er.txt", "b.txt"):
        save(name)
    url: str | None = f"{BROWSE}default/a"
    seen: list[list[str]] = []
    while url:
        html = body(chief, url)
        seen.append(re.findall(r'<th scope="row"><a href="[^"]+">([^<]+)</a>', html))
        more = re.search(r'<a href="(\?after=[^"]+)">', html)
        url = f"{BROWSE}default/a{more[1]}" if more else None
    assert seen == [["1.txt", "2", "2.d/"], ["3#?%.txt", "4/"]]


def test_each_entry_leads_to_its_page(chief: Client) -> None:
    file = save("a/b #?%41/c.txt")
    html = body(chief, BROWSE)
    for expected in ("default", "invoices"):
        assert f'<a href="{BROWSE}{expected}/">' in html
    url = f"{BROWSE}default/"
    for name in ("a/", "b #?%41/"):
        (url,) = re.findall(rf'<a href="([^"]+)">{re.escape(name)}</a>', body(chief, url))
    html = body(chief, url)
    assert f'<a href="{page(file)}">c.txt</a>' in html
    assert f'<a href="{BROWSE}default/a/">a</a>' in html
    back = re.search(r'href="([^"]+)">a/b #\?%41</a>', body(chief, page(file)))
    assert back is not None
    assert "c.txt" in body(chief, back[1])


@pytest.mark.parametrize("place", ["nowhere/", "staticfiles/", "default/none", "default/../x"])
def test_what_is_not_there_is_not_found(chief: Client, place: str) -> None:
    save("a.txt")
    assert chief.get(BROWSE + place).status_code == 404


def test_an_empty_storage_can_be_browsed(chief: Client) -> None:
    assert "There is nothing here." in body(chief, f"{BROWSE}default/")


# Permissions

Deed = Callable[[Client, StoredFile], Any]

LINK = {"errand": "link", "lifetime": "3600", "presentation": "inline"}

DEEDS: dict[str, tuple[set[str], Deed]] = {
    "see the list": ({"view"}, lambda client, file: client.get(LIST)),
    "see a page": ({"view"}, lambda client, file: client.get(page(file))),
    "browse": ({"view"}, lambda client, file: client.get(f"{BROWSE}default/")),
    "see the history": ({"view"}, lambda client, file: client.get(page(file, "history"))),
    "upload": ({"add"}, lambda client, file: client.get(ADD)),
    "open": ({"view", "open"}, lambda client, file: client.get(page(file, "open"))),
    "download": ({"view", "open"}, lambda client, file: client.get(page(file, "download"))),
    "link": ({"view", "open"}, lambda client, file: client.post(page(file), LINK)),
    "rename": (
        {"change"},
        lambda client, file: client.post(page(file), {"errand": "rename", "name": "b.txt"}),
    ),
    "publish": (
        {"change", "open"},
        lambda client, file: client.post(page(file), {"errand": "public"}),
    ),
    "hide": (
        {"change"},
        lambda client, file: client.post(page(file), {"errand": "private"}),
    ),
    "revoke": (
        {"change"},
        lambda client, file: client.post(page(file), {"errand": "revoke"}),
    ),
    "delete": (
        {"delete"},
        lambda client, file: client.post(page(file, "delete"), {"post": "yes"}),
    ),
}


@pytest.mark.parametrize("name", DEEDS)
def test_each_deed_takes_its_permissions_and_no_other(name: str) -> None:
    needed, deed = DEEDS[name]
    assert deed(signed_in(*needed), save("a.txt")).status_code in (200, 302)
    file = save("b.txt")
    for lacking in needed:
        others = {"view", "add", "change", "delete", "open"} - {lacking}
        if lacking == "view":  # who may change a file may see it: so it is with Django
            others -= {"change"}
        assert deed(signed_in(*others), file).status_code == 403, lacking


def test_a_page_offers_what_a_person_may_do() -> None:
    file = save("a.png", PNG)
    viewer = body(signed_in("view"), page(file))
    assert "token=" not in viewer
    assert 'name="errand"' not in viewer
    assert page(file, "download") not in viewer
    opener = body(signed_in("view", "open"), page(file))
    assert opener.count(page(file, "download")) == opener.count(page(file, "open")) == 1
    assert re.findall(r'name="errand" value="(\w+)"', opener) == ["link"]
    changer = body(signed_in("change"), page(file))
    assert re.findall(r'name="errand" value="(\w+)"', changer) == ["rename", "revoke"]


def test_the_list_offers_the_actions_that_a_person_may_run() -> None:
    save("a.txt")

    def offered(*permissions: str) -> set[str]:
        html = body(signed_in(*permissions), LIST)
        return set(re.findall(r'<option value="(\w+)"', html))

    assert offered("view") == set()
    assert offered("view", "open") == {"make_links"}
    assert offered("change") == {"make_private", "revoke_links"}
    assert offered("change", "open") == {
        "make_links",
        "make_private",
        "make_public",
        "revoke_links",
    }
    assert offered("view", "delete") == {"delete_selected"}


def test_an_action_that_a_person_may_not_run_does_nothing() -> None:
    file = save("a.txt")
    for action in ("make_public", "revoke_links", "delete_selected", "make_links"):
        run(signed_in("view"), action, [file], post="yes", lifetime="3600")
    left = row("a.txt")
    assert (left.is_public, left.link_epoch) == (False, file.link_epoch)


def test_who_is_no_staff_sees_nothing(client: Client) -> None:
    file = save("a.txt")
    client.force_login(User.objects.create_user("visitor"))
    for url in (LIST, ADD, BROWSE, page(file), page(file, "download")):
        assert client.get(url).status_code == 302


def test_a_post_needs_the_token_of_a_form() -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create_superuser("chief"))
    file = save("a.txt")
    assert strict.post(page(file), LINK).status_code == 403


# What it needs


def test_the_package_works_without_the_admin() -> None:
    program = """
import sys, django
from django.conf import settings
settings.configure(
    SECRET_KEY="x" * 50,
    INSTALLED_APPS=["secure_dbstorage"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    STORAGES={"default": {"BACKEND": "secure_dbstorage.storage.DatabaseStorage"}},
)
django.setup()
from django.core.files.storage import storages
from django.core.management import call_command
call_command("migrate", verbosity=0)
print(storages["default"].save("a.txt", b"words"))
print([name for name in sys.modules if name.startswith("django.contrib.admin")])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["a.txt", "[]"], done.stderr


def test_pages_hold_no_script_or_style_of_their_own(chief: Client) -> None:
    file = save("a.png", PNG)
    terms = {"errand": "link", "lifetime": "3600", "presentation": "inline"}
    pages = [body(chief, url) for url in (ADD, BROWSE, page(file), page(file, "delete"))]
    for html in (*pages, chief.post(page(file), terms).text):
        content = html.split('id="content-main"')[1].split('id="footer"')[0]
        assert not re.search(r"<script|<style|\bstyle=|\bon\w+=", content)


# The log


def test_each_change_is_in_the_log(chief: Client) -> None:
    upload(chief, name="a.txt")
    file = row("a.txt")
    for data in (
        {"errand": "rename", "name": "b.txt"},
        {"errand": "public"},
        {"errand": "private"},
        {"errand": "revoke"},
        LINK,
    ):
        chief.post(page(file), data)
    run(chief, "make_public", [file])
    chief.post(page(file, "delete"), {"post": "yes"})
    entries = LogEntry.objects.order_by("pk")
    assert [(entry.action_flag, entry.get_change_message()) for entry in entries] == [
        (ADDITION, "Uploaded."),
        (CHANGE, "Renamed to “b.txt”."),
        (CHANGE, "Made public."),
        (CHANGE, "Made private."),
        (CHANGE, "Links revoked: none that was made before now opens the file."),
        (CHANGE, "Link made, for 1 hour."),
        (CHANGE, "Made public."),
        (DELETION, ""),
    ]
    assert {entry.object_id for entry in entries} == {str(file.pk)}
    assert not any("token" in entry.change_message for entry in entries)


def test_what_was_not_done_is_not_in_the_log(chief: Client) -> None:
    file = save("a.txt")
    save("b.txt")
    chief.post(page(file), {"errand": "rename", "name": "b.txt"})
    chief.post(page(file), {"errand": "nonsense"})
    assert not LogEntry.objects.exists()


def test_the_history_of_a_file_is_shown(chief: Client) -> None:
    file = save("a.txt")
    chief.post(page(file), {"errand": "public"})
    assert "Made public." in body(chief, page(file, "history"))
