"""Storages that take or show too much are found."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from secure_dbstorage.checks import content
from secure_dbstorage.parsers.media_types import INLINE_TYPES
from secure_dbstorage.signals import file_changed
from tests.support.checks import messages, storages


class TestSizes:
    """W013."""

    def test_a_storage_without_a_limit_is_named(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"max_size": 10**8}, other={"namespace": "other"})
        (message,) = content.check_sizes()
        assert message.id == "secure_dbstorage.W013"
        assert "STORAGES['other']" in message.msg


class TestKeptBriefly:
    """W010."""

    @pytest.mark.parametrize(
        ("kept", "found"),
        [(None, []), (30, ["W010"]), (3599, ["W010"]), (3600, []), (timedelta(days=30), [])],
    )
    def test_a_time_that_was_meant_in_days_is_named(
        self, settings: Settings, kept: Any, found: list[str]
    ) -> None:
        settings.STORAGES = storages(default={"keep_deleted": kept})
        assert messages(content.check_kept_briefly) == found

    @pytest.mark.parametrize(("kept", "text"), [(1, "1 second."), (30, "30 seconds.")])
    def test_the_time_is_named(self, settings: Settings, kept: int, text: str) -> None:
        settings.STORAGES = storages(default={"keep_deleted": kept})
        (message,) = content.check_kept_briefly()
        assert message.msg == f"STORAGES['default'] keeps deleted files for {text}"


class TestAges:
    """W011 and W024."""

    @pytest.mark.parametrize(
        ("max_age", "found"),
        [(300, []), ((60, 900), []), ((60, 60), []), ((900, 60), ["W011"]), ((900, 0), [])],
    )
    def test_times_the_wrong_way_round_are_named(
        self, settings: Settings, max_age: Any, found: list[str]
    ) -> None:
        settings.STORAGES = storages(default={"public_max_age": max_age})
        assert messages(content.check_order_of_ages) == found

    @pytest.mark.parametrize(
        ("max_age", "found"), [(86400, []), ((60, 3600), []), ((60, 3601), ["W024"])]
    )
    def test_shared_caches_that_are_not_purged_are_named(
        self, settings: Settings, max_age: Any, found: list[str]
    ) -> None:
        settings.STORAGES = storages(default={"public_max_age": max_age})
        assert messages(content.check_purging) == found

        def purge(**_: object) -> None:
            pass

        file_changed.connect(purge)
        try:
            assert messages(content.check_purging) == []
        finally:
            file_changed.disconnect(purge)


class TestAddedTypes:
    """W018."""

    @pytest.mark.parametrize(
        ("options", "found"),
        [
            ({}, []),
            ({"inline_types": ["image/png"]}, []),
            ({"inline_types": [*INLINE_TYPES, "model/gltf-binary"]}, ["W018"]),
            ({"inline_types": ["model/gltf-binary"], "base_url": "/f/"}, ["W018"]),
            ({"inline_types": ["model/gltf-binary"], "base_url": "https://f.example/"}, []),
        ],
    )
    def test_only_types_that_a_project_adds_beside_its_pages_are_named(
        self, settings: Settings, options: dict[str, Any], found: list[str]
    ) -> None:
        settings.STORAGES = storages(default=options)
        assert messages(content.check_added_types) == found
