"""Ownership: with ``delete_with_instance``, a file is deleted together with its model instance."""

import logging
from functools import partial
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import FileField, Model, QuerySet
from django.db.models.fields.files import FieldFile
from django.db.models.signals import post_delete, post_save, pre_save

from secure_dbstorage.names import canonical_name
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.references import file_fields, referred

_logger = logging.getLogger("secure_dbstorage.upkeep")

#: The attribute that holds, during a save, the files that the instance no longer uses.
_ABANDONED = "_secure_dbstorage_abandoned"


def connect() -> None:
    """Connect receivers to the models that own files.

    Other models get none: Django deletes rows in bulk only where no receiver is connected.
    """
    for model in apps.get_models(include_auto_created=True):
        if _owning_fields(model):
            identity = f"secure_dbstorage.{model._meta.label}"
            pre_save.connect(_before_save, sender=model, dispatch_uid=identity)
            post_save.connect(_after_save, sender=model, dispatch_uid=identity)
            post_delete.connect(_after_delete, sender=model, dispatch_uid=identity)


def _owning_fields(model: type[Model]) -> list[FileField]:
    try:
        return [field for field in file_fields(model) if _owns(field.storage)]
    except ImproperlyConfigured:
        return []  # The system checks say what is wrong.


def _owns(storage: Any) -> bool:
    return bool(storage.options.delete_with_instance)


def _before_save(
    sender: type[Model],
    instance: Model,
    using: str,
    update_fields: frozenset[str] | None,
    **_: object,
) -> None:
    """Note which files the save will leave without an owner."""
    fields = [
        field
        for field in _owning_fields(sender)
        if update_fields is None or not update_fields.isdisjoint((field.name, field.attname))
    ]
    if instance._state.adding or not fields:  # noqa: SLF001 -- documented
        return
    rows: QuerySet[Any] = QuerySet(model=sender, using=using)
    for row in rows.filter(pk=instance.pk).values(*(field.attname for field in fields)):
        vars(instance)[_ABANDONED] = [
            field.attr_class(instance, field, row[field.attname])
            for field in fields
            if not _still_has(getattr(instance, field.attname), row[field.attname])
        ]


def _still_has(file: Any, name: str | None) -> bool:
    # An uncommitted file is saved with the instance, under a name that is not known yet.
    return bool(file) and file._committed and file.name == name  # noqa: SLF001


def _after_save(sender: type[Model], instance: Model, using: str, **_: object) -> None:
    for file in vars(instance).pop(_ABANDONED, ()):
        _forget(file, using)


def _after_delete(sender: type[Model], instance: Model, using: str, **_: object) -> None:
    for field in _owning_fields(sender):
        _forget(getattr(instance, field.attname), using)


def _forget(file: FieldFile, using: str) -> None:
    """Delete a file once the change is committed, unless another row still refers to it."""
    # The file's storage, not the field's: a subclass may choose one for each instance.
    storage: Any = file.storage
    if file.name and isinstance(storage, DatabaseStorage) and _owns(storage):
        forget = partial(_delete, storage, file.name, using)
        transaction.on_commit(forget, using=using, robust=True)


def _delete(storage: DatabaseStorage, name: str, using: str) -> None:
    if not referred(storage, {canonical_name(name)}, using=using):
        storage.delete(name)
        _logger.info("Deleted %r together with its model instance", name)
