"""What a request of a small private file costs, in counts that no other work changes.

Times are of no use here: beside other work they differ by more than any change of ours makes.
``python -m tests.benchmarks instructions`` counts the instructions of the processor, but takes
minutes, and depends on how Python was built. The bytecodes of Python are the same on every
machine, and fewer of them are fewer instructions. They are counted in our modules and in all that
these call, so that one more look at a setting counts too.

They depend on the versions of Python and Django: there is a figure for each pair that CI runs. A
change that makes requests cheaper, or dearer for a reason, brings the new figures along.

How many queries a request takes, and which rows they fetch, is tested where it is decided: in
``test_views``, ``table/test_streams`` and ``receiving/test_upload_costs``.
"""

import sys
from typing import Any

import django
import pytest
from django.core.files.storage import storages
from django.core.handlers.wsgi import WSGIRequest
from django.urls import resolve

from tests.support.bytecodes import count_bytecodes
from tests.support.environ import environ

pytestmark = pytest.mark.django_db

#: Bytecodes of one request by the versions of Python and Django: ours, and all.
FIGURES = {
    ((3, 11), (5, 2)): (4148, 8732),
    ((3, 13), (6, 1)): (3810, 7958),
}

#: A request may cost this much more, or less, than its figure.
TOLERANCE = 0.05

OURS = "/secure_dbstorage/"


def ask(url: str) -> None:
    request: Any = WSGIRequest(environ(url))
    match = request.resolver_match = resolve(request.path_info)
    answer = match.func(request, *match.args, **match.kwargs)
    assert (answer.status_code, answer.content) == (200, b"x" * 10240)


def counted(url: str) -> tuple[int, int]:
    """Return how many bytecodes a request takes: ours, and all."""
    for _ in range(20):  # Until each cache has what it keeps.
        ask(url)
    counts = count_bytecodes(lambda: ask(url))
    ours = sum(number for code, number in counts.items() if OURS in code.co_filename)
    return ours, sum(counts.values())


def test_a_request_takes_as_many_bytecodes_as_it_did() -> None:
    versions = sys.version_info[:2], django.VERSION[:2]
    if versions not in FIGURES:
        pytest.skip(f"There is no figure for Python {versions[0]} with Django {versions[1]}")
    storage: Any = storages["default"]
    storage.save("2026/july.bin", b"x" * 10240)
    found = counted(storage.url("2026/july.bin"))
    assert found == pytest.approx(FIGURES[versions], rel=TOLERANCE)
