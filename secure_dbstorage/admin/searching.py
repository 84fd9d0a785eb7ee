"""Searching: files by a part of their names."""

from django.db.models import Value
from django.db.models.functions import Lower

from secure_dbstorage.admin.homes import namespaces_in
from secure_dbstorage.models import StoredFileQuerySet


def find_files(files: StoredFileQuerySet, text: str) -> StoredFileQuerySet:
    """Keep the files whose names begin with a text; if there are none, those that contain it.

    The first is a range of the index. The second reads all names, and takes capitals and small
    letters for the same; a star in front of the text asks for it at once.
    """
    contained = text.removeprefix("*")
    if contained == text:
        begin = _beginning_with(files, text)
        if begin.exists():
            return begin
    return files.alias(lower=Lower("name")).filter(lower__contains=Lower(Value(contained)))


def _beginning_with(files: StoredFileQuerySet, text: str) -> StoredFileQuerySet:
    # The index begins with the namespace, and no name holds a character above the last one.
    return files.filter(
        namespace__in=namespaces_in(files.db), name__gte=text, name__lt=f"{text}\U0010ffff"
    )
