"""Links to folders."""

from urllib.parse import quote, urljoin

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from secure_dbstorage.names import MAX_LENGTH
from secure_dbstorage.storage import DatabaseStorage
from tests.support.serving import PLAYLIST, Store

pytestmark = pytest.mark.django_db


def test_relative_links_in_a_playlist_work(film: DatabaseStorage, client: Client) -> None:
    start = film.folder_url("films/7") + "index.m3u8"
    answer = client.get(start)
    assert answer.content == PLAYLIST
    assert answer["Content-Type"] == "application/vnd.apple.mpegurl"
    links = [line for line in PLAYLIST.decode().splitlines() if not line.startswith("#")]
    bodies = [client.get(urljoin(start, quote(link))).content for link in links]
    assert bodies == [b"one", b"two"]


def test_nothing_beside_a_folder_is_found_by_its_link(
    film: DatabaseStorage, client: Client
) -> None:
    start = film.folder_url("films/7")
    for link in ("../70/index.m3u8", "../../private.txt", "../7", "../index.m3u8"):
        assert client.get(urljoin(start, link)).status_code == 403, link
    elsewhere = start.replace("films/7/", "films/70/")
    assert client.get(f"{elsewhere}index.m3u8").status_code == 403


def test_a_page_in_a_folder_stays_a_download(film: DatabaseStorage, client: Client) -> None:
    answer = client.get(film.folder_url("films/7") + "page.html")
    assert answer["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_a_folders_link_opens_nothing_that_was_revoked_replaced_or_added_since(
    film: DatabaseStorage, client: Client
) -> None:
    folder = film.folder_url("films/7")
    film.revoke_urls("films/7/index.m3u8")
    film.delete("films/7/page.html")
    film.save("films/7/page.html", b"new")
    film.save("films/7/added.txt", b"new")
    film.rename("films/70/index.m3u8", "films/7/renamed.m3u8")
    for name in ("index.m3u8", "page.html", "added.txt", "renamed.m3u8", "missing"):
        assert client.get(folder + name).status_code == 403, name
    assert client.get(f"{folder}parts/1.ts").status_code == 200
    new = film.folder_url("films/7")
    for name in ("index.m3u8", "page.html", "added.txt", "renamed.m3u8"):
        assert client.get(new + name).status_code == 200, name
    film.revoke_urls(prefix="films")
    assert client.get(f"{new}parts/1.ts").status_code == 403


def test_a_folders_link_survives_an_overwrite(film: DatabaseStorage, client: Client) -> None:
    folder = film.folder_url("films/7")
    with film.open("films/7/parts/1.ts", "wb") as file:
        file.write(b"better")
    assert client.get(f"{folder}parts/1.ts").content == b"better"


@pytest.mark.users
def test_a_folders_link_can_be_for_a_user_and_a_network(
    film: DatabaseStorage, client: Client
) -> None:
    ada = User.objects.create_user("ada")
    folder = film.folder_url("films/7", user=ada, ip="127.0.0.0/8")
    assert client.get(f"{folder}parts/1.ts").status_code == 403
    client.force_login(ada)
    answer = client.get(f"{folder}parts/1.ts")
    assert answer.getvalue() == b"one"
    assert "no-store" in answer["Cache-Control"]
    assert client.get(f"{folder}parts/1.ts", REMOTE_ADDR="10.0.0.1").status_code == 403


def test_a_name_that_no_file_can_have_is_refused_before_the_token_is_read(
    film: DatabaseStorage, client: Client
) -> None:
    """What a token grants is kept for each name, and a URL may be longer than any name."""
    url = film.folder_url("films/7") + "x" * (MAX_LENGTH - len("films/7/"))
    with CaptureQueriesContext(connection) as queries:
        statuses = [client.get(each).status_code for each in (url, f"{url}x")]
    assert (statuses, len(queries)) == ([403, 404], 1)


def test_a_folders_link_makes_downloads(film: DatabaseStorage, client: Client) -> None:
    film.save("films/7/a.png", b"picture")
    url = film.folder_url("films/7", attachment=True) + "a.png"
    assert client.get(url)["Content-Disposition"] == 'attachment; filename="a.png"'


def test_a_bad_link_for_a_folder_costs_no_query_and_counts_as_one(
    store: Store, client: Client
) -> None:
    storage = store(rate_limits={"refused": "2/m"})
    url = storage.folder_url("films") + "a.txt"
    bad = url.replace("films", "other")
    with CaptureQueriesContext(connection) as queries:
        statuses = [client.get(bad).status_code for _ in range(3)]
    assert (statuses, len(queries)) == ([403, 403, 429], 0)
