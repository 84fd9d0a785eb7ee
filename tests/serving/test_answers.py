"""An answer has the selected bytes of a file, and reads no others."""

import re

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from secure_dbstorage.models import StoredFile
from tests.support.serving import Store

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["private.txt", "public.txt"])
def test_a_small_file_takes_one_query(
    database: str, store: Store, client: Client, name: str
) -> None:
    url = store().url(name)
    with CaptureQueriesContext(connections[database]) as queries:
        answer = client.get(url)
    assert answer.content == name.removesuffix(".txt").encode()
    assert len(queries) == 1


@pytest.mark.parametrize(
    ("method", "field", "status"),
    [
        ("head", None, 200),
        ("get", ("If-None-Match", "*"), 304),
        ("head", ("If-None-Match", "*"), 304),
        ("get", ("If-Match", '"x"'), 412),
        ("get", ("If-Modified-Since", "Fri, 31 Dec 9999 23:59:59 GMT"), 304),
        ("get", ("Range", "bytes=7-"), 416),
    ],
)
def test_an_answer_without_content_reads_none(
    database: str,
    store: Store,
    client: Client,
    method: str,
    field: tuple[str, str] | None,
    status: int,
) -> None:
    url = store().url("private.txt")
    with CaptureQueriesContext(connections[database]) as queries:
        answer = getattr(client, method)(url, headers=dict([field] if field else []))
    assert answer.status_code == status
    (query,) = queries
    assert not re.search(r'["`]data["`]', query["sql"])


def test_bytes_that_were_changed_by_sql_are_served_under_the_old_etag(
    store: Store, client: Client
) -> None:
    url = store().url("private.txt")
    before = client.get(url)["ETag"]
    assert StoredFile.rows.filter(data=b"private").update(data=b"changed") == 1
    answer = client.get(url)
    assert (answer.content, answer["ETag"]) == (b"changed", before)
