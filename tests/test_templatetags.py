"""Template tags: links with chosen terms, and one query for a list."""

import time
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from django.db.models.fields.files import FieldFile
from django.template import Context, Template, TemplateSyntaxError
from pytest_django import DjangoAssertNumQueries, Settings

from secure_dbstorage.storage import DatabaseStorage

pytestmark = pytest.mark.django_db


def field_file(storage: Any, name: str) -> FieldFile:
    """Return the value of a model's FileField."""
    field = SimpleNamespace(storage=storage)
    return FieldFile(None, field, name)  # type: ignore[arg-type]


def render(text: str, **context: object) -> str:
    return Template("{% load secure_dbstorage %}" + text).render(Context(context))


def saved(*names: str) -> DatabaseStorage:
    storage = DatabaseStorage()
    for name in names:
        storage.save(name, ContentFile(b""))
    return storage


def grant_of(storage: DatabaseStorage, name: str, url: str) -> Any:
    token = parse_qs(urlsplit(url).query)["token"][0]
    return storage.signer.unsign(
        name, token, storage.audience, max_lifetime=10**6, now=time.time()
    )


def test_a_link_takes_the_arguments_of_url() -> None:
    storage = saved("a b.pdf")
    file = field_file(storage, "a b.pdf")
    url = render('{% signed_url file expires_in=60 attachment=True filename="c.pdf" %}', file=file)
    grant = grant_of(storage, "a b.pdf", url)
    assert (grant.attachment, grant.filename) == (True, "c.pdf")
    assert 45 <= grant.lifetime <= 60


def test_a_link_can_be_kept_in_a_variable() -> None:
    storage = saved("a.pdf")
    file = field_file(storage, "a.pdf")
    assert render("{% signed_url file as url %}[{{ url }}]", file=file).startswith(
        "[/files/a.pdf?"
    )


@pytest.mark.parametrize("file", [None, "", field_file(DatabaseStorage(), "")])
def test_without_a_file_there_is_no_link(file: object) -> None:
    assert render("[{% signed_url file %}]", file=file) == "[]"


def test_a_file_of_another_storage_gets_its_own_url() -> None:
    file = field_file(InMemoryStorage(base_url="/memory/"), "a.pdf")
    assert render("{% signed_url file expires_in=60 %}", file=file) == "/memory/a.pdf"


def test_a_list_takes_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    names = [f"{number}.pdf" for number in range(5)]
    storage = saved(*names)
    reports = [SimpleNamespace(file=field_file(storage, name)) for name in names]
    reports.insert(2, SimpleNamespace(file=field_file(storage, "")))
    reports.append(SimpleNamespace(file=field_file(InMemoryStorage(base_url="/m/"), "x")))
    text = (
        '{% signed_urls reports "file" expires_in=60 as links %}'
        "{% for report, url in links %}{{ report.file.name }}={{ url }};{% endfor %}"
    )
    with django_assert_num_queries(1):
        rendered = dict(
            line.split("=", 1) for line in render(text, reports=reports).split(";")[:-1]
        )
    assert list(rendered) == ["0.pdf", "1.pdf", "", "2.pdf", "3.pdf", "4.pdf", "x"]
    assert rendered[""] == ""
    assert rendered["x"] == "/m/x"
    for name in names:
        assert grant_of(storage, name, rendered[name]).lifetime <= 60


def test_a_list_may_be_of_files() -> None:
    storage = saved("a.pdf")
    text = "{% signed_urls files as links %}{% for file, url in links %}{{ url }}{% endfor %}"
    assert render(text, files=[field_file(storage, "a.pdf")]).startswith("/files/a.pdf?token=")


def test_a_file_can_be_linked_with_its_neighbors() -> None:
    storage = saved("films/7/index é.m3u8")
    file = field_file(storage, "films/7/index é.m3u8")
    url = render("{% signed_folder_url file 'films/7/' expires_in=60 %}", file=file)
    start, _, rest = url.partition("/films/")
    assert rest == "7/index%20%C3%A9.m3u8"
    token = start.removeprefix("/files/~")
    grant = storage.signer.unsign(
        "films/7/other", token, storage.audience, in_path=True, max_lifetime=10**6, now=time.time()
    )
    assert (grant.folder, grant.lifetime) == ("films/7", 60)


def test_a_folder_link_without_a_file_or_for_another_storage_is_an_ordinary_url() -> None:
    other = InMemoryStorage(base_url="/media/")
    text = "{% signed_folder_url file 'a' %}"
    assert render(text, file=field_file(saved(), "")) == ""
    assert render(text, file=field_file(other, "a/b.txt")) == "/media/a/b.txt"


def test_a_directory_further_up_is_linked_too() -> None:
    storage = saved("films/7/index.m3u8")
    file = field_file(storage, "films/7/index.m3u8")
    url = render("{% signed_folder_url file folder='films' %}", file=file)
    assert url.endswith("/films/7/index.m3u8")


@pytest.mark.parametrize("folder", ["", "film", "films/8", "films/7/index.m3u8", "Films"])
def test_a_file_beside_the_directory_is_a_mistake(folder: str) -> None:
    storage = saved("films/7/index.m3u8")
    file = field_file(storage, "films/7/index.m3u8")
    with pytest.raises(ValueError, match=r"directory|root"):
        render("{% signed_folder_url file folder %}", file=file, folder=folder)


def test_no_directory_is_guessed() -> None:
    """With a flat ``upload_to``, the file's own directory holds everybody's files."""
    with pytest.raises(TemplateSyntaxError, match="folder"):
        render("{% signed_folder_url file %}", file=field_file(saved(), "reports/a.pdf"))


def test_a_directory_can_be_linked_as_an_archive() -> None:
    storage = saved("films/7/a.txt")
    url = render("{% signed_zip_url 'films/7/' filename='Film.zip' expires_in=60 %}")
    grant = grant_of(storage, "films/7", url)
    assert (grant.is_zip, grant.filename, grant.lifetime) == (True, "Film.zip", 60)
    assert render("{% signed_zip_url 'd' storage='invoices' %}").startswith("/invoices/d?token=")


def test_a_directory_of_another_storage_gets_its_own_url(settings: Settings) -> None:
    settings.STORAGES = {
        "default": {
            "BACKEND": "django.core.files.storage.InMemoryStorage",
            "OPTIONS": {"base_url": "/memory/"},
        }
    }
    text = "{% signed_zip_url 'reports/2026' filename='Reports.zip' %}"
    assert render(text) == "/memory/reports/2026"


@pytest.mark.parametrize(
    "tag", ["signed_url name", "signed_folder_url name 'a'", "signed_urls names"]
)
def test_a_name_in_the_place_of_a_file_is_an_error_that_helps(tag: str) -> None:
    template = Template(f"{{% load secure_dbstorage %}}{{% {tag} %}}")
    with pytest.raises(TypeError, match=r"takes a file, .* not 'a.txt'. For a name"):
        template.render(Context({"name": "a.txt", "names": ["a.txt"]}))
