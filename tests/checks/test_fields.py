"""Files that roll back apart from their rows, or are not seen, are found."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core.files.storage import FileSystemStorage, Storage, default_storage
from django.db import models
from django.test.utils import isolate_apps
from pytest_django import Settings

from secure_dbstorage.checks import declared, fields
from secure_dbstorage.storage import DatabaseStorage
from tests.support.checks import messages, storages


class TestModels:
    """W012."""

    def test_rows_and_files_in_one_database_are_no_problem(self) -> None:
        assert messages(fields.check_models) == []

    def test_a_storage_in_a_database_of_its_own_is_named(
        self, settings: Settings, another_database: str
    ) -> None:
        settings.STORAGES = storages(default={"using": another_database})
        (message,) = fields.check_models()
        assert message.id == "secure_dbstorage.W012"
        assert message.msg == (
            "testapp.Book.text keeps its rows in DATABASES['default'] and its files in "
            "DATABASES['another']. They roll back separately."
        )

    def test_a_storage_that_does_not_work_is_left_to_others(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"using": "nowhere"})
        assert messages(fields.check_models) == []
        settings.STORAGES = storages(default={"colour": 1})
        assert messages(fields.check_models) == []


class TestHistory:
    """W016."""

    def test_versions_that_nobody_sees_are_a_problem_where_files_are_deleted(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(apps, "is_installed", lambda app: app == "auditlog")
        assert messages(fields.check_history) == []
        settings.STORAGES = storages(default={"delete_with_instance": True})
        (message,) = fields.check_history()
        assert message.id == "secure_dbstorage.W016"
        assert "auditlog" in message.msg
        monkeypatch.setattr(apps, "is_installed", lambda app: app == "reversion")
        assert messages(fields.check_history) == []


class Wrapper(Storage):
    """Passes on to one of ours what it gets."""

    def __init__(self, inner: DatabaseStorage) -> None:
        self.inner = inner


class TestWrappers:
    """W017."""

    @pytest.fixture(autouse=True)
    def _own_models(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Let the project have the models that a test makes, and no others."""
        with isolate_apps("tests") as own:
            monkeypatch.setattr(declared, "apps", own)
            yield

    def find(self, storage: Any) -> list[Any]:
        class Book(models.Model):  # noqa: DJ008 -- nobody reads it
            cover = models.FileField(storage=storage)

            class Meta:
                app_label = "tests"

        return list(fields.check_wrappers())

    @pytest.mark.parametrize("inner", [DatabaseStorage(), default_storage], ids=["ours", "lazy"])
    def test_a_storage_that_holds_one_of_ours_is_named(self, inner: Any) -> None:
        (message,) = self.find(Wrapper(inner))
        assert message.id == "secure_dbstorage.W017"
        assert message.msg.startswith(
            "tests.Book.cover has a Wrapper, which holds a DatabaseStorage."
        )

    def test_a_default_storage_that_does_not_work_is_left_to_others(
        self, settings: Settings
    ) -> None:
        settings.STORAGES = storages(default={"colour": 1})
        assert self.find(Wrapper(default_storage)) == []  # type: ignore[arg-type]  # is one

    @pytest.mark.parametrize(
        "storage",
        [DatabaseStorage(), type("Own", (DatabaseStorage,), {})(), FileSystemStorage(), None],
        ids=["ours", "a subclass", "a folder", "the default"],
    )
    def test_all_others_are_no_problem(self, storage: Any) -> None:
        assert self.find(storage) == []
