"""Instances: files that go with the model instance that has them, by ``delete_with_instance``."""

import logging
from functools import partial
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import FileField, Model, QuerySet
from django.db.models.fields.files import FieldFile
from django.db.models.signals import post_delete, post_save, pre_save

from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.references import file_fields, referred

_logger = logging.getLogger("secure_dbstorage.upkeep")

#: The attribute of an instance that holds, while it is saved, what it gives up.
_GIVEN_UP = "_secure_dbstorage_given_up"


def connect() -> None:
    """Listen to the models with a file that goes with its instance.

    To no others: Django deletes many rows at once only where nobody listens.
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
    """Note which files an instance may give up."""
    fields = [
        field
        for field in _owning_fields(sender)
        if update_fields is None or not update_fields.isdisjoint((field.name, field.attname))
    ]
    if instance._state.adding or not fields:  # noqa: SLF001 -- documented
        return
    rows: QuerySet[Any] = QuerySet(model=sender, using=using)
    for row in rows.filter(pk=instance.pk).values(*(field.attname for field in fields)):
        vars(instance)[_GIVEN_UP] = [
            field.attr_class(instance, field, row[field.attname])
            for field in fields
            if not _still_has(getattr(instance, field.attname), row[field.attname])
        ]


def _still_has(file: Any, name: str | None) -> bool:
    # What is not committed is saved with the instance, under a name that is not known yet.
    return bool(file) and file._committed and file.name == name  # noqa: SLF001


def _after_save(sender: type[Model], instance: Model, using: str, **_: object) -> None:
    for file in vars(instance).pop(_GIVEN_UP, ()):
        _forget(file, using)


def _after_delete(sender: type[Model], instance: Model, using: str, **_: object) -> None:
    """Note which files an instance had."""
    for field in _owning_fields(sender):
        _forget(getattr(instance, field.attname), using)


def _forget(file: FieldFile, using: str) -> None:
    """Delete a file as soon as the change is committed, unless somebody else refers to it."""
    # Not the field's: a subclass may have another storage for each instance.
    storage: Any = file.storage
    if file.name and isinstance(storage, DatabaseStorage) and _owns(storage):
        forget = partial(_delete, storage, file.name, using)
        transaction.on_commit(forget, using=using, robust=True)


def _delete(storage: DatabaseStorage, name: str, using: str) -> None:
    if not referred(storage, [name], using=using):
        storage.delete(name)
        _logger.info("Deleted %r with its instance", name)
