"""Searching: finds files by part of their names."""

from django.db.models import Value
from django.db.models.functions import Lower

from secure_dbstorage.admin.homes import namespaces_in
from secure_dbstorage.models import StoredFileQuerySet


def find_files(files: StoredFileQuerySet, text: str) -> StoredFileQuerySet:
    """Keep the files whose names start with a text; if there are none, those that contain it.

    The first is a range of the index. The second reads all names and ignores case. A star in front
    of the text skips the first.
    """
    contained = text.removeprefix("*")
    if contained == text:
        begin = _beginning_with(files, text)
        if begin.exists():
            return begin
    return files.alias(lower=Lower("name")).filter(lower__contains=Lower(Value(contained)))


def _beginning_with(files: StoredFileQuerySet, text: str) -> StoredFileQuerySet:
    # The index starts with the namespace, and no character of a name sorts after U+10FFFF.
    return files.filter(
        namespace__in=namespaces_in(files.db), name__gte=text, name__lt=f"{text}\U0010ffff"
    )
