"""Selected files, downloaded as one archive."""

import gc
import io
import logging
import sys
from typing import Any
from zipfile import ZipFile

import pytest
from django.test import Client
from pytest_django import Settings

from secure_dbstorage.signals import file_served
from tests.support.admin import messages_of, run, save, signed_in

pytestmark = pytest.mark.django_db(databases=["default"])


def contents(answer: Any) -> dict[str, bytes]:
    body = b"".join(answer)
    assert len(body) == int(answer["Content-Length"])
    with ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_selected_files_are_one_download(database: str, chief: Client) -> None:
    files = [save(f"d/{name}", name.encode()) for name in ("b.txt", "a/1.txt", "é.txt")]
    save("d/other.txt")
    answer = run(chief, "download_zip", files)
    assert answer["Content-Disposition"] == 'attachment; filename="d.zip"'
    assert contents(answer) == {
        "a/1.txt": b"a/1.txt",
        "b.txt": b"b.txt",
        "é.txt": "é.txt".encode(),
    }


@pytest.mark.parametrize(
    ("names", "packed", "filename"),
    [
        (["a.txt", "d/b.txt"], ["a.txt", "d/b.txt"], "files.zip"),
        (["d/e/a.txt"], ["a.txt"], "e.zip"),
        (["d/e/a.txt", "d/ee/a.txt"], ["e/a.txt", "ee/a.txt"], "d.zip"),
    ],
)
def test_names_are_relative_to_the_directory_that_they_share(
    chief: Client, names: list[str], packed: list[str], filename: str
) -> None:
    answer = run(chief, "download_zip", [save(name) for name in names])
    assert list(contents(answer)) == packed
    assert answer["Content-Disposition"] == f'attachment; filename="{filename}"'


def test_the_access_log_and_the_signals_tell_of_it(
    chief: Client, caplog: pytest.LogCaptureFixture
) -> None:
    served = []

    def receive(**arguments: Any) -> None:
        served.append(arguments["file"].name)

    file_served.connect(receive)
    files = [save("d/a.txt"), save("d/b.txt")]
    gc.collect()  # The bodies that other tests left unread.
    with caplog.at_level(logging.INFO, logger="secure_dbstorage.access"):
        contents(run(chief, "download_zip", files))
    file_served.disconnect(receive)
    (message,) = (text for text in caplog.messages if text.startswith("client="))
    assert 'name="d" link=- outcome=served status=200' in message
    assert 'user=""' not in message
    assert served == ["d/a.txt", "d/b.txt"]


def test_a_hook_that_refuses_one_file_refuses_all(chief: Client, settings: Settings) -> None:
    entry = settings.STORAGES["default"]
    options = {"auth_hooks": [lambda request, file, grant: file.name != "d/b.txt"]}
    settings.STORAGES = {**settings.STORAGES, "default": {**entry, "OPTIONS": options}}
    answer = run(chief, "download_zip", [save("d/a.txt"), save("d/b.txt")])
    assert messages_of(answer) == ["You may not open “d/b.txt”."]


def test_files_of_several_storages_are_not_mixed(chief: Client) -> None:
    answer = run(chief, "download_zip", [save("a.txt"), save("b.txt", alias="invoices")])
    assert messages_of(answer) == ["Select files from a single storage."]


def test_it_takes_the_permission_to_open_files() -> None:
    answer = run(signed_in("view", "change", "delete"), "download_zip", [save("a.txt")])
    assert answer["Content-Type"].startswith("text/html")
    assert contents(run(signed_in("view", "open"), "download_zip", [save("b.txt")]))


def test_without_its_package_it_says_what_to_install(
    chief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zipstream", None)
    (text,) = messages_of(run(chief, "download_zip", [save("a.txt")]))
    assert "pip install 'secure-dbstorage[zip]'" in text
