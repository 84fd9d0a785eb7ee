"""What a request of a small private file costs, in counts that no other work changes.

Times are of no use here: beside other work they differ by more than any change of ours makes.
``python -m tests.benchmarks instructions`` counts the instructions of the processor, but takes
minutes, and depends on how Python was built. The bytecodes of Python are the same on every
machine, and fewer of them are fewer instructions. They are counted in our modules and in all that
these call, so that one more look at a setting counts too.

They depend on the version of Python; that of Django makes less than 1 %. A change that makes
requests cheaper, or dearer for a reason, brings the new figures along.

Queries and rows are counted here for files of each size, and in detail where they are decided: in
``test_views``, ``table/test_streams`` and ``receiving/test_upload_costs``.
"""

import re
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from django.core.files.storage import storages
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import resolve

from tests.support.bytecodes import count_bytecodes
from tests.support.environ import environ

pytestmark = pytest.mark.django_db

#: Bytecodes of one request by the version of Python: ours, and all. First with a link that was
#: used a moment ago, then with one that was never used. Both are for a file that was sent before,
#: to a client who was there before: a few of their header fields and addresses are kept.
FIGURES = {
    (3, 11): ((3409, 6843), (3712, 7260)),
    (3, 12): ((3136, 6274), (3403, 6640)),
    (3, 13): ((3157, 6246), (3417, 6605)),
}

#: A request may cost this much more, or less, than its figure.
TOLERANCE = 0.02

OURS = "/secure_dbstorage/"


def ask(url: str) -> None:
    request: Any = WSGIRequest(environ(url))
    match = request.resolver_match = resolve(request.path_info)
    answer = match.func(request, *match.args, **match.kwargs)
    assert (answer.status_code, answer.content) == (200, b"x" * 10240)


def counted(urls: Sequence[str]) -> tuple[int, int]:
    """Return how many bytecodes the last of these requests takes: ours, and all."""
    for url in urls[:-1]:
        ask(url)
    counts = count_bytecodes(lambda: ask(urls[-1]))
    ours = sum(number for code, number in counts.items() if OURS in code.co_filename)
    return ours, sum(counts.values())


@pytest.mark.parametrize("is_new_link", [False, True])
def test_a_request_takes_as_many_bytecodes_as_it_did(*, is_new_link: bool) -> None:
    version = sys.version_info[:2]
    if version not in FIGURES:
        pytest.skip(f"There is no figure for Python {version}")
    storage: Any = storages["default"]
    storage.save("2026/july.bin", b"x" * 10240)
    # So many that each cache has what it keeps.
    lifetimes = range(3600, 3620) if is_new_link else [3600] * 20
    found = counted([storage.url("2026/july.bin", expires_in=seconds) for seconds in lifetimes])
    assert found == pytest.approx(FIGURES[version][is_new_link], rel=TOLERANCE)


KIB, MIB = 1024, 1024 * 1024
RUN = re.compile(r"position\W+>= (\d+) AND \W*position\W+< (\d+)")


def rows_of(sql: str) -> int:
    """Return how many rows a query asks for: a run of them, or a head row."""
    run = RUN.search(sql)
    return int(run[2]) - int(run[1]) if run else 1


@pytest.mark.parametrize(
    ("size", "queries", "rows"),
    [(10 * KIB, 1, 1), (100 * KIB, 1, 1), (MIB, 2, 5), (2 * MIB, 2, 9), (5 * MIB, 6, 21)],
)
def test_a_request_takes_few_queries_and_each_row_once(
    client: Client, size: int, queries: int, rows: int
) -> None:
    """A larger file is read in runs of 1, 2, 4 and 8 rows, since a player may soon stop."""
    storage: Any = storages["default"]
    storage.save("a.bin", bytes(size))
    url = storage.url("a.bin")
    with CaptureQueriesContext(connection) as captured:
        assert sum(map(len, client.get(url))) == size
    asked = [rows_of(query["sql"]) for query in captured]
    assert (len(asked), sum(asked)) == (queries, rows)
