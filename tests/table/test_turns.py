"""Turns at uploads: one request has it, on any number of servers, and none has it for ever."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from secure_dbstorage.models import StoredFile
from secure_dbstorage.table import turns
from secure_dbstorage.upkeep.pruning import prune_rows

KEY = 5


def let_time_pass(using: str, length: timedelta = turns.LENGTH) -> None:
    for mark in StoredFile.rows.using(using).use_marks():
        assert mark.expires is not None
        StoredFile.rows.using(using).filter(pk=mark.pk).update(expires=mark.expires - length)


def test_one_request_has_the_turn_until_it_ends(database: str) -> None:
    ours, theirs = turns.new(KEY, 1), turns.new(KEY, 1)
    assert turns.take(ours, using=database)
    assert not turns.take(theirs, using=database)
    turns.end(theirs, using=database)  # Not theirs to end.
    assert not turns.take(theirs, using=database)
    turns.end(ours, using=database)
    assert not StoredFile.rows.using(database).exists()
    assert turns.take(theirs, using=database)


def test_each_upload_has_turns_of_its_own(database: str) -> None:
    assert all(turns.take(turns.new(key, 1), using=database) for key in (0, 1, 2**63 - 1))


def test_its_row_is_no_part_of_the_upload(database: str) -> None:
    assert turns.take(turns.new(KEY, 1), using=database)
    assert not StoredFile.rows.using(database).of(KEY).exists()
    assert not StoredFile.rows.using(database).strays().exists()


def test_who_took_it_and_did_not_get_the_answer_has_it(database: str) -> None:
    turn = turns.new(KEY, 1)
    assert turns.take(turn, using=database)
    assert turns.take(turn, using=database)


def test_the_turn_of_a_server_that_died_is_over_in_a_minute(database: str) -> None:
    died, next_one = turns.new(KEY, 1), turns.new(KEY, 1)
    assert turns.take(died, using=database)
    let_time_pass(database, turns.LENGTH - timedelta(seconds=20))
    assert not turns.take(next_one, using=database)
    let_time_pass(database, timedelta(seconds=20))
    assert turns.take(next_one, using=database)
    turns.end(died, using=database)  # It was only slow.
    assert not turns.take(turns.new(KEY, 1), using=database)


@pytest.mark.parametrize(("gib", "minutes"), [(0, 1), (1, 2), (10, 10)])
def test_the_turn_at_a_large_upload_lasts_until_it_is_read(
    database: str, gib: int, minutes: int
) -> None:
    one, other = turns.new(KEY, gib * 2**30), turns.new(KEY, gib * 2**30)
    assert turns.take(one, using=database)
    let_time_pass(database, timedelta(minutes=minutes, seconds=-20))
    assert not turns.take(other, using=database)
    let_time_pass(database, timedelta(minutes=1))
    assert turns.take(other, using=database)


def test_what_is_left_of_one_is_pruned(database: str) -> None:
    assert turns.take(turns.new(KEY, 1), using=database)
    assert not [*prune_rows(database, dry_run=False)]
    StoredFile.rows.using(database).update(expires=datetime.now(UTC))
    assert len([*prune_rows(database, dry_run=False)]) == 1
    assert not StoredFile.rows.using(database).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_left", [False, True])
def test_of_eight_at_once_one_takes_it(database: str, *, is_left: bool) -> None:
    if is_left:
        assert turns.take(turns.new(KEY, 1), using=database)
        let_time_pass(database)

    def take(turn: turns.Turn) -> bool:
        try:
            return turns.take(turn, using=database)
        finally:
            connections[database].close()

    with ThreadPoolExecutor(8) as pool:
        taken = [*pool.map(take, [turns.new(KEY, 1) for _ in range(8)])]
    assert sorted(taken) == [False] * 7 + [True]
