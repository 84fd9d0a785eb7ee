"""Revisions: the names in what django-reversion keeps of earlier versions of a row."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from django.apps import apps
from django.core import serializers
from django.core.serializers.base import DeserializationError
from django.db.models import Model, Q, QuerySet

#: Up to so many names, the database looks for the versions that may hold one.
_MAX_NAMES_SOUGHT = 20


def names_in(
    fields: Mapping[str, Collection[str]],
    databases_of: Callable[[type[Model]], Iterable[str]],
    wanted: Collection[str] = (),
) -> Iterator[str]:
    """Yield the names in all versions; none in a project without django-reversion.

    :param fields: names of fields, by label of the model in lower case.
    :param databases_of: returns the databases that have a model's table.
    :param wanted: the canonical names to look for, in any spelling; others may be yielded too.
        Empty for all.
    """
    if not fields:
        return
    kept = _of_models(fields)
    if 0 < len(wanted) <= _MAX_NAMES_SOUGHT:
        kept &= ~Q(format="json") | _holding(wanted)
    for version in models():
        for using in databases_of(version):
            versions: QuerySet[Any] = QuerySet(model=version, using=using).filter(kept)
            columns = "content_type__app_label", "content_type__model", "format", "serialized_data"
            for app, model, kind, data in versions.values_list(*columns).iterator(chunk_size=500):
                yield from _names(kind, data, fields[f"{app}.{model}"])


def models() -> list[type[Model]]:
    """Return the model of versions; none in a project without django-reversion."""
    is_installed = apps.is_installed("reversion")
    return [apps.get_app_config("reversion").get_model("Version")] if is_installed else []


def _of_models(fields: Mapping[str, Collection[str]]) -> Q:
    kept = Q()
    for label in fields:
        app, _, model = label.partition(".")
        kept |= Q(content_type__app_label=app, content_type__model=model)
    return kept


def _holding(names: Collection[str]) -> Q:
    """Return a condition that is true for what holds all parts of one of these names."""
    found = Q()
    for name in names:
        parts = Q()
        for part in reversed(name.split("/")):  # The last one is the rarest.
            # Written with or without escapes for what is not ASCII.
            texts = {
                json.dumps(part, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)
            }
            parts &= Q.create(
                [("serialized_data__contains", text) for text in sorted(texts)], connector=Q.OR
            )
        found |= parts
    return found


def _names(kind: str, data: str, fields: Collection[str]) -> Iterator[str]:
    try:
        for row in serializers.deserialize(kind, data, ignorenonexistent=True):
            yield from (str(getattr(row.object, field, None) or "") for field in fields)
    except (DeserializationError, serializers.SerializerDoesNotExist):
        return  # django-reversion can't restore it either.
