"""A grant describes a link."""

from dataclasses import replace

import pytest

from secure_dbstorage.links.grants import Grant

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
