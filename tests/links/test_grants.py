"""A grant describes a link."""

from dataclasses import replace

import pytest
from django.core.exceptions import SuspiciousFileOperation

from secure_dbstorage.links.grants import Grant, PlaceKind, UploadPlace

EPOCH = 1785225600123456
GRANT = Grant(link_epoch=EPOCH, issued=1785240000, lifetime=3600)


def test_a_link_to_a_file_is_for_one_epoch() -> None:
    assert GRANT.opens(EPOCH)
    assert not GRANT.opens(EPOCH - 1)
    assert not GRANT.opens(EPOCH + 1)


def test_a_link_for_a_folder_is_for_files_that_were_there_when_it_was_made() -> None:
    grant = replace(GRANT, folder="a")
    assert grant.opens(EPOCH)
    assert grant.opens(EPOCH - 1)
    assert not grant.opens(EPOCH + 1)


def test_an_unseen_link_is_for_a_file_that_was_there_when_it_was_made() -> None:
    grant = replace(GRANT, unseen=True)
    assert grant.opens(EPOCH)
    assert grant.opens(EPOCH - 1)
    assert not grant.opens(EPOCH + 1)


@pytest.mark.parametrize(
    ("grant", "is_bound"),
    [
        (GRANT, False),
        (replace(GRANT, user="digest"), True),
        (replace(GRANT, network=(24, "digest")), True),
        (replace(GRANT, nonce="nonce"), False),
    ],
)
def test_a_link_is_bound_to_a_user_or_a_network(grant: Grant, *, is_bound: bool) -> None:
    assert grant.is_bound is is_bound


def test_a_one_time_link_has_a_nonce() -> None:
    assert replace(GRANT, nonce="nonce").is_for_once
    assert not GRANT.is_for_once


def test_a_link_ends_its_lifetime_after_its_issue() -> None:
    assert GRANT.expires == GRANT.issued + GRANT.lifetime


@pytest.mark.parametrize(
    ("name", "prefix", "kind", "path", "spelling"),
    [
        ("in/a.txt", None, PlaceKind.FILE, "in/a.txt", "in/a.txt"),
        ("in//./a.txt", None, PlaceKind.FILE, "in/a.txt", "in/a.txt"),
        ("~", None, PlaceKind.FILE, "~", "~"),
        (None, "in", PlaceKind.FOLDER, "in", "in/"),
        (None, "in/42/", PlaceKind.FOLDER, "in/42", "in/42/"),
        (None, "~", PlaceKind.FOLDER, "~", "~/"),
        (None, "", PlaceKind.FOLDER, "", "~"),
        (None, None, PlaceKind.NOWHERE, "", "~"),
    ],
)
def test_a_place_is_spelled_and_read_back(
    name: str | None, prefix: str | None, kind: PlaceKind, path: str, spelling: str
) -> None:
    place = UploadPlace.of(name, prefix)
    assert (place.kind, place.path, place.spelling) == (kind, path, spelling)
    assert UploadPlace.spelled(kind, spelling) == place


@pytest.mark.parametrize("name", ["../a", "/a", "", "a\n", "a" * 513, "a\u202eb"])
def test_no_place_is_a_name_that_no_file_can_have(name: str) -> None:
    with pytest.raises(SuspiciousFileOperation):
        UploadPlace.of(name, None)


@pytest.mark.parametrize("name", ["x/", "in/x//", "x/.", "x\\"])
def test_no_file_is_spelled_as_a_directory(name: str) -> None:
    with pytest.raises(ValueError, match=r"names a directory: give it as prefix="):
        UploadPlace.of(name, None)


def test_a_place_is_a_file_or_a_directory() -> None:
    with pytest.raises(ValueError, match="not both"):
        UploadPlace.of("a", "b")
