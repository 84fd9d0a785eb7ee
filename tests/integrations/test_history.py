"""django-simple-history and django-reversion: the files of earlier versions stay."""

from datetime import timedelta
from typing import Any

import pytest
import reversion
from django.core import serializers
from django.core.files.base import ContentFile
from django.utils import timezone
from reversion.models import Version

from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep import revisions
from secure_dbstorage.upkeep.pruning import prune_unreferenced
from secure_dbstorage.upkeep.references import ReferredNames, referred
from tests.integrations.models import ByLaw, Contract, Statute

pytestmark = pytest.mark.django_db(transaction=True)


def file(content: bytes, name: str = "c.pdf") -> "ContentFile[bytes]":
    return ContentFile(content, name)


@pytest.fixture
def storage() -> DatabaseStorage:
    storage = Contract._meta.get_field("file").storage
    assert isinstance(storage, DatabaseStorage)
    return storage


def prune(storage: DatabaseStorage) -> list[str]:
    storage.catalog.files().update(modified=timezone.now() - timedelta(days=2))
    found = prune_unreferenced(storage, older_than=timedelta(days=1), dry_run=False)
    return [pruned.name for pruned in found]


def change(instance: Any, name: str = "c.pdf") -> str:
    """Give it another file, and return the name of the old one."""
    old: str = instance.file.name
    instance.file = file(b"version 2", name)
    instance.save()
    assert instance.file.name != old
    return old


def test_a_row_goes_back_in_its_history(storage: DatabaseStorage) -> None:
    contract = Contract.objects.create(file=file(b"version 1"))
    old = change(contract)
    assert prune(storage) == []
    contract.history.earliest().instance.save()
    again = Contract.objects.get()
    assert again.file.name == old
    assert again.file.read() == b"version 1"


def test_a_deleted_row_comes_back_from_its_history(storage: DatabaseStorage) -> None:
    contract = Contract.objects.create(file=file(b"version 1"))
    contract.delete()
    assert prune(storage) == []
    Contract.history.latest().instance.save()
    assert Contract.objects.get().file.read() == b"version 1"


def test_a_file_goes_when_its_history_has_gone(storage: DatabaseStorage) -> None:
    contract = Contract.objects.create(file=file(b"version 1"))
    old = change(contract)
    Contract.history.filter(file=old).delete()
    assert prune(storage) == [old]
    contract.delete()
    Contract.history.all().delete()
    assert prune(storage) == ["contracts/" + contract.file.name.rpartition("/")[2]]


@pytest.mark.parametrize("name", ["c.pdf", 'Müller & "Söhne" 100% _.pdf'])
@pytest.mark.parametrize("kind", ["json", "xml"])
def test_a_row_goes_back_to_a_revision(
    storage: DatabaseStorage, monkeypatch: pytest.MonkeyPatch, kind: str, name: str
) -> None:
    options = reversion.revisions._get_options(Statute)._replace(format=kind)
    monkeypatch.setitem(
        reversion.revisions._registered_models, ("integrations", "statute"), options
    )
    with reversion.create_revision():
        statute = Statute.objects.create(file=file(b"version 1", name))
    with reversion.create_revision():
        old = change(statute, name)
    assert prune(storage) == []
    assert old in ReferredNames(storage)
    Version.objects.get_for_object(statute).last().revision.revert()
    again = Statute.objects.get()
    assert again.file.name == old
    assert again.file.read() == b"version 1"


def test_a_deleted_row_comes_back_from_a_revision(storage: DatabaseStorage) -> None:
    with reversion.create_revision():
        law = ByLaw.objects.create(file=file(b"law"), annex=file(b"annex"))
    law.delete()
    assert prune(storage) == []
    Version.objects.get_deleted(ByLaw).get().revision.revert()
    again = ByLaw.objects.get()
    assert (again.file.read(), again.annex.read()) == (b"law", b"annex")


def test_a_file_goes_when_no_revision_names_it(storage: DatabaseStorage) -> None:
    with reversion.create_revision():
        statute = Statute.objects.create(file=file(b"version 1"))
    old = change(statute)
    Version.objects.all().delete()
    assert prune(storage) == [old]
    statute.delete()
    assert not storage.exists("statutes")


def test_a_name_in_a_revision_is_compared_exactly(storage: DatabaseStorage) -> None:
    with reversion.create_revision():
        Statute.objects.create(file=file(b"", "tax.pdf"))
    names = ["statutes/tax.pdf", "statutes/TAX.pdf", "statutes/t_x.pdf", "tax.pdf"]
    assert referred(storage, names) == {"statutes/tax.pdf"}


@pytest.mark.parametrize("spelling", ["statutes\\täx.pdf", "./statutes//täx.pdf"])
def test_a_name_in_a_revision_counts_in_any_spelling(
    storage: DatabaseStorage, spelling: str
) -> None:
    with reversion.create_revision():
        Statute.objects.create(file=spelling)
    assert referred(storage, ["statutes/täx.pdf"]) == {"statutes/täx.pdf"}


def test_no_revision_is_read_for_the_namesake_of_its_file(
    storage: DatabaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reversion.create_revision():
        Statute.objects.create(file="2025/scan.pdf")
    monkeypatch.setattr(revisions, "_names", None)
    assert referred(storage, ["2026/scan.pdf"]) == set()


def test_a_version_that_can_not_be_read_harms_nothing(storage: DatabaseStorage) -> None:
    with reversion.create_revision():
        statute = Statute.objects.create(file=file(b"version 1"))
    Version.objects.update(format="unknown")
    assert "unknown" not in serializers.get_serializer_formats()
    Statute.objects.all().delete()
    Version.objects.update(format="json", serialized_data="{")
    assert not storage.exists(statute.file.name)
