"""Rollbacks: an instance that is saved again after a rollback has its files saved again."""

from collections.abc import Collection
from typing import Any

from django.db.models import Model
from django.db.models.fields.files import FieldFile
from django.db.models.signals import pre_save

from secure_dbstorage.saving import UnsettledName


def connect() -> None:
    """Connect the receiver to all models: any field may have one of our storages."""
    pre_save.connect(_before_save, dispatch_uid="secure_dbstorage.rollbacks")


def _before_save(
    sender: type[Model],
    instance: Model,
    update_fields: Collection[str] | None = None,
    **_: object,
) -> None:
    """Save the files again whose save was rolled back."""
    for attribute in [field.attname for field in instance._meta.concrete_fields]:
        value: Any = vars(instance).get(attribute)
        name = value.name if isinstance(value, FieldFile) else value
        if not isinstance(name, UnsettledName):
            continue
        if update_fields is not None and attribute not in update_fields:
            continue
        if (resaved := name.resaved()) is not None:
            setattr(instance, attribute, resaved)
