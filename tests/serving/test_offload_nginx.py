"""nginx sends large files from its cache, with the configuration of the example as it is."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.core.files.storage import storages
from django.db import connections
from pytest_django import Settings

from secure_dbstorage.links.paths import WHOLE_IN_TEXT, link_id, spelled_content
from secure_dbstorage.storage import DatabaseStorage
from tests.servers.unavailable import Unavailable, skip_or_fail
from tests.support.offload_settings import VANISHING
from tests.support.offloading import OffloadSite, offload_site

_MIB = 1024 * 1024

#: Three rows, and a film of six: three slices and a piece of one.
LARGE = os.urandom(600_000)
FILM = os.urandom(3 * _MIB + 5)


_LONG_AGO = "Fri, 01 Jan 1999 00:00:00 GMT"


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            ("gunicorn", "default"),
            id="gunicorn-sqlite",
            marks=pytest.mark.django_db(transaction=True),
        ),
        pytest.param(
            ("uvicorn", "postgres"),
            id="uvicorn-postgres",
            marks=pytest.mark.django_db(transaction=True, databases=["postgres"]),
        ),
    ],
)
def site(
    request: pytest.FixtureRequest,
    django_db_setup: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OffloadSite]:
    """Serve one database through one kind of server, for all tests."""
    kind, alias = request.param
    served = f"{alias}:{connections[alias].settings_dict['NAME']}"
    log = tmp_path_factory.mktemp("offload") / "server.log"
    try:
        with offload_site(kind, log, {"DBSTORAGE_TEST_SERVED": served}) as site:
            yield site
    except Unavailable as error:
        skip_or_fail(str(error))


@pytest.fixture
def storage(request: pytest.FixtureRequest, site: OffloadSite, settings: Settings) -> Any:
    """Return the storage that the site serves, with a large file and a film."""
    alias = request.node.callspec.params["site"][1]
    settings.SECURE_DBSTORAGE = {"AUDIENCE": "tests", "ALLOW_OVERWRITE": True}
    entry = settings.STORAGES["default"]
    settings.STORAGES = {**settings.STORAGES, "default": {**entry, "OPTIONS": {"using": alias}}}
    storage = storages["default"]
    storage.save("a/large.bin", LARGE)
    storage.save("film.mp4", FILM)
    return storage


def test_a_cold_file_is_fetched_and_a_hot_one_is_not(
    site: OffloadSite, storage: DatabaseStorage
) -> None:
    url, before = storage.url("a/large.bin"), site.fetches()
    assert [site.get(url).content == LARGE for _ in range(3)] == [True] * 3
    assert site.fetches() - before == 1
    # Nor is it for somebody else: another link, without a token, or with a folder's.
    storage.set_public("a/large.bin", public=True)
    for other in (storage.url("a/large.bin"), f"{storage.folder_url('a')}large.bin"):
        assert site.get(other).content == LARGE
    assert site.fetches() - before == 1


def test_many_cold_clients_make_one_fetch_of_each_slice(
    site: OffloadSite, storage: DatabaseStorage
) -> None:
    before = site.fetches()
    with ThreadPoolExecutor(20) as pool:
        for name, content, count in (("a/large.bin", LARGE, 20), ("film.mp4", FILM, 4)):
            answers = pool.map(site.get, [storage.url(name)] * count)
            assert [answer.content == content for answer in answers] == [True] * count
    assert site.fetches() - before == 1 + 4


def test_who_seeks_in_a_cold_film_waits_for_no_other_part(
    site: OffloadSite, storage: DatabaseStorage
) -> None:
    before = site.fetches()
    for number, start in enumerate((2_500_000, 5, 2_600_000)):
        answer = site.get(storage.url("film.mp4"), Range=f"bytes={start}-{start + 9}")
        assert (answer.status_code, answer.content) == (206, FILM[start : start + 10])
        # One slice each; the third is one of the first.
        assert site.fetches() - before == min(number + 1, 2)


#: What may be asked for.
_REQUESTS: list[dict[str, str]] = [
    *(
        {"Range": f"bytes={asked}"}
        for asked in (
            *("0-0", "1048570-1048580", "1199999-", "-1", "0-", "-99999999", "99999999-"),
            *("9999999999999999999-", "-0", "5-2", "1-2,4-5", "a-b", " 1-2", "1-2,", "-", ""),
        )
    ),
    {"Range": "pages=1-2"},
    *({"If-None-Match": tags} for tags in ("{etag}", '"x"')),
    {"If-None-Match": '"x"', "Range": "bytes=5-9"},
    *({"If-Modified-Since": date} for date in ("{last_modified}", _LONG_AGO)),
    *({"If-Match": tags} for tags in ("{etag}", '"x"', "")),
    {"If-Unmodified-Since": _LONG_AGO},
    *(
        {"If-Range": condition, "Range": "bytes=1048570-1048580"}
        for condition in ("{etag}", "W/{etag}", '"x"', "{last_modified}", "nonsense", _LONG_AGO)
    ),
]


def test_every_answer_is_the_one_of_django(site: OffloadSite, storage: DatabaseStorage) -> None:
    storage.save("short.mp4", FILM[:1_200_000])
    url = storage.url("short.mp4", filename="é.mp4")
    told = site.get(url).headers
    for written in _REQUESTS:
        asked = {
            field: value.format(etag=told["ETag"], last_modified=told["Last-Modified"])
            for field, value in written.items()
        }
        assert_same(site, url, **asked)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_file_has_the_header_fields_of_django(
    site: OffloadSite, storage: DatabaseStorage, method: str
) -> None:
    storage.save("small.txt", b"small")
    storage.save("a/public.pdf", LARGE)
    storage.set_public("a/public.pdf", public=True)
    urls = [storage.url(name) for name in ("small.txt", "a/public.pdf", "film.mp4", "a/large.bin")]
    bound = storage.url("film.mp4", ip="127.0.0.1", attachment=True)
    for url in (*urls, bound, f"{storage.folder_url('a')}public.pdf"):
        assert_same(site, url, method=method)


def assert_same(site: OffloadSite, url: str, **asked: str) -> None:
    """Assert that nginx answers what Django does without offloading."""
    answer, theirs = site.get(url, **asked), site.ask_django(url, **asked)
    assert _compared(answer) == _compared(theirs), asked
    assert answer.content == theirs.content, asked


def _compared(answer: httpx.Response) -> tuple[int, dict[str, str]]:
    """Return the status, and all fields but those that say nothing of the file."""
    left_out = {"connection", "date", "server"}
    if answer.status_code == 206:
        left_out |= {"accept-ranges"}  # nginx says it with whole files alone.
    fields = answer.headers.items()
    return answer.status_code, {name: value for name, value in fields if name not in left_out}


def test_a_small_file_is_sent_by_django(site: OffloadSite, storage: DatabaseStorage) -> None:
    storage.save("one-row.bin", LARGE[: storage.options.chunk_size])
    before = site.fetches()
    answers = [site.get(storage.url("one-row.bin")) for _ in range(2)]
    assert [len(answer.content) for answer in answers] == [storage.options.chunk_size] * 2
    site.wait_for_log('name="one-row.bin"')
    assert site.fetches() == before


def test_what_is_changed_counts_at_once(site: OffloadSite, storage: DatabaseStorage) -> None:
    url = storage.url("a/large.bin")
    assert site.get(url).content == LARGE
    storage.save("a/large.bin", FILM)
    assert site.get(url).content == FILM
    storage.revoke_urls("a/large.bin")
    assert site.get(url).status_code == 403
    storage.set_public("a/large.bin", public=True)
    assert site.get("/files/a/large.bin").content == FILM
    storage.set_public("a/large.bin", public=False)
    assert site.get("/files/a/large.bin").status_code == 404
    url = storage.url("a/large.bin")
    assert site.get(url).content == FILM
    storage.delete("a/large.bin")
    assert site.get(url).status_code == 403


def test_a_one_time_link_keeps_its_rules(site: OffloadSite, storage: DatabaseStorage) -> None:
    whole, parts, conditional = (storage.url("film.mp4", uses=1) for _ in range(3))
    assert site.get(whole, method="HEAD").status_code == 200
    assert [site.get(whole).status_code for _ in range(2)] == [200, 403]
    ranges = ("0-1", "0-", "3145730-", "-5")
    assert [site.get(parts, Range=f"bytes={asked}").status_code for asked in ranges] == [206] * 4
    etag = site.get(storage.url("film.mp4")).headers["ETag"]
    assert site.get(parts, Range="bytes=1-2", If_Range=etag).status_code == 206
    for again in ({}, {"Range": "bytes=1-2,4-5"}, {"Range": "bytes=1-2", "If-Range": '"x"'}):
        assert site.get(parts, **again).status_code == 403
    # A precondition takes no use away.
    assert site.get(conditional, If_Match='"x"').content == FILM
    assert site.get(conditional, If_None_Match=etag).status_code == 403


def test_nobody_gets_in_by_the_internal_route(
    site: OffloadSite, storage: DatabaseStorage, settings: Settings
) -> None:
    settings.ROOT_URLCONF = "tests.support.offload_urls"
    path = spelled_content("default", _key(storage, "film.mp4"), ("default", _schema(storage)))
    fetch = storage.links.content(path, storage.audience, now=time.time())
    assert site.ask_django(fetch).content == FILM
    for target in (fetch, fetch.partition("?")[0], "/_content/", f"/_content/../_content/{path}"):
        assert site.get(target).status_code == 404


def test_what_a_visitor_says_of_offloading_is_overwritten(
    site: OffloadSite, storage: DatabaseStorage
) -> None:
    url, before = storage.url("a/large.bin"), site.fetches()
    assert site.get(url, X_Offload="no", X_Accel_Redirect="/static/x").content == LARGE
    assert site.fetches() - before == 1
    assert "X-Accel-Redirect" not in site.get(url, X_Offload="nginx").headers
    assert not {"x-link", "x-cache"} & set(site.get(url).headers)


def test_it_does_not_depend_on_the_visitors_address(
    site: OffloadSite, storage: DatabaseStorage
) -> None:
    url = storage.url("a/large.bin")
    passed_on = {"X-Offload": "nginx", "X-Forwarded-For": "203.0.113.9"}
    assert site.ask_django(url, **passed_on).status_code == 202


def test_a_fetch_that_fails_tells_nothing(site: OffloadSite, storage: DatabaseStorage) -> None:
    storage.save(VANISHING, LARGE)
    storage.set_public(VANISHING, public=True)
    answer = site.get(f"/files/{VANISHING}")
    assert answer.status_code == 502
    assert "no-store" in answer.headers["Cache-Control"]
    # nginx keeps these of the answer about the file.
    kept = {"cache-control", "content-disposition"}
    own = {"connection", "content-length", "content-type", "date", "server"}
    assert (set(answer.headers), answer.headers["Content-Type"]) == (own | kept, "text/html")


def test_tenants_have_their_own_files_by_their_hosts(
    site: OffloadSite, storage: DatabaseStorage, settings: Settings
) -> None:
    settings.SECURE_DBSTORAGE = {"AUDIENCE": "acme"}
    url = storages["default"].url("a/large.bin")
    assert site.get(url, Host="acme.tenants.example.com").content == LARGE
    assert site.get(url, Host="other.tenants.example.com").status_code == 403
    assert site.get(url).status_code == 403


def test_no_log_holds_a_token_and_each_names_the_link(
    site: OffloadSite, storage: DatabaseStorage
) -> None:
    storage.save(VANISHING, LARGE)
    urls = [
        storage.url("a/large.bin"),
        storage.url(VANISHING),
        f"{storage.folder_url('a')}large.bin",
    ]
    for url in urls:
        site.get(url)
    names = [link_id(url) for url in urls]
    site.wait_for_log(f'GET /files/~removed/a/large.bin" 200 600000 link={names[2]} cache=HIT')
    logs = site.logs()
    assert f'GET /files/a/large.bin" 200 600000 link={names[0]} cache=MISS' in logs
    for name in names:
        assert f"link={name} outcome=offloaded status=200 bytes=0 " in logs
    assert WHOLE_IN_TEXT.search(logs) is None


def _key(storage: DatabaseStorage, name: str) -> int:
    return storage.catalog.get(name).content.key


def _schema(storage: DatabaseStorage) -> str:
    return storage.catalog.place[1]
