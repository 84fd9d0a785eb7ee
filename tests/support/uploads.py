"""Uploads that nobody has finished, as rows."""

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from secure_dbstorage.models import StoredFile

#: When the deadline of an upload was.
PAST = datetime(2020, 1, 1, tzinfo=UTC)


def begin_upload(using: str, *, key: int, rows: int = 1, **changes: Any) -> StoredFile:
    """Insert the first row of an upload, and as many rows behind it as make up that number."""
    values = {
        "namespace": "",
        "size": 4096 * rows,
        "chunk_size": 4096,
        "created": timezone.now(),
        "expires": PAST,
        "data": b"x" * 4096,
        **changes,
    }
    stored = StoredFile.rows.using(using)
    first: StoredFile = stored.create(content=key, position=0, **values)
    for position in range(1, rows):
        stored.create(content=key, position=position, data=b"x" * 4096)
    return first


def finish_upload(using: str, *, key: int, name: str) -> int:
    """Give an upload its name, if it has none, and return how many rows that changed."""
    changed: int = (
        StoredFile.rows.using(using)
        .unfinished()
        .of(key)
        .update(
            name=name,
            sha256="0" * 64,
            content_type="text/plain",
            is_public=False,
            modified=timezone.now(),
            expires=None,
            link_epoch=1,
        )
    )
    return changed
