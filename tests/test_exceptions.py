"""One tree of errors, whose branches are caught where people expect them."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator

import pytest
from django.core.exceptions import BadRequest, SuspiciousFileOperation

import secure_dbstorage
from secure_dbstorage import exceptions
from secure_dbstorage.exceptions import (
    BadToken,
    ContentVanished,
    ExpiredToken,
    FileChanged,
    FileTooLarge,
    SecureDBStorageError,
    UploadGone,
)
from secure_dbstorage.receiving.faults import Rejected
from secure_dbstorage.serving.refusals import Reason, Refused

TREE = [
    *(
        error
        for _, error in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(error, SecureDBStorageError)
    ),
    Refused,
    Rejected,
]


def subclasses(error: type[Exception]) -> Iterator[type[Exception]]:
    for subclass in error.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def test_there_are_no_other_errors() -> None:
    for module in pkgutil.walk_packages(secure_dbstorage.__path__, "secure_dbstorage."):
        if "migrations" not in module.name:
            importlib.import_module(module.name)
    assert {SecureDBStorageError, *subclasses(SecureDBStorageError)} == set(TREE)


def test_the_drawing_shows_every_error() -> None:
    assert exceptions.__doc__ is not None
    drawn = re.findall(r"^[\s│├└─]*(\w+)(?:  |$)", exceptions.__doc__.split("::")[1], re.MULTILINE)
    assert sorted(drawn) == sorted(error.__name__ for error in TREE)


@pytest.mark.parametrize("error", TREE)
def test_each_error_says_when_it_is_raised(error: type) -> None:
    assert error.__doc__ is not None
    assert error is SecureDBStorageError or error.__doc__.startswith("Raised ")


@pytest.mark.parametrize(
    ("error", "caught_as"),
    [
        (ExpiredToken, BadToken),
        (FileTooLarge, SuspiciousFileOperation),
        (FileChanged, OSError),
        (ContentVanished, OSError),
        (UploadGone, FileNotFoundError),
        (UploadGone, BadRequest),
    ],
)
def test_an_error_is_also_the_one_that_others_catch(error: type, caught_as: type) -> None:
    assert issubclass(error, caught_as)


def test_a_refusal_has_a_reason_and_its_headers() -> None:
    refused = Refused(Reason.MISSING)
    refused.headers["Allow"] = "GET"
    assert (refused.reason, str(refused)) == (Reason.MISSING, "missing")
    assert Refused(Reason.MISSING).headers == {}
