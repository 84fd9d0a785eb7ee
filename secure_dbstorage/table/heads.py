"""The columns of a head row when a file is saved, replaced or renamed."""

import time
from datetime import UTC, datetime

from secure_dbstorage.content_types import content_type_of
from secure_dbstorage.files.records import FileRecord
from secure_dbstorage.models import StoredFile
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.table.chunks import Written, columns_of

Columns = dict[str, object]

#: The columns that an unfinished upload has already.
_UPLOAD_COLUMNS = {"content", "position", "namespace", "size", "chunk_size", "data"}


def new_head(
    name: str, written: Written, options: StorageOptions, kept: FileRecord | None
) -> Columns:
    """Return the columns of a new file.

    :param kept: the public flag and the times that the file had elsewhere.
    """
    now = datetime.now(UTC)
    columns = _content_columns(name, written, options, now) | {
        "position": 0,
        "namespace": options.namespace,
        "name": name,
        "created": now,
        "link_epoch": later_epoch(0),
    }
    columns |= _kept_columns(kept)
    if "is_public" not in columns:
        columns["is_public"] = is_public_by_default(name, options)
    return columns


def replaced_head(
    row: StoredFile, written: Written, options: StorageOptions, kept: FileRecord | None
) -> Columns:
    """Return the columns that change when a file is overwritten.

    :param kept: the public flag and the times that the file had elsewhere. With it, the file
        counts as a different one, and no existing link opens it.
    """
    columns = _content_columns(str(row.name), written, options, datetime.now(UTC))
    if kept is not None:
        columns |= _kept_columns(kept) | {"link_epoch": later_epoch(row.link_epoch or 0)}
    return columns


def named_head(columns: Columns) -> Columns:
    """Return those columns of a file that an unfinished upload doesn't have yet.

    :param columns: of :func:`new_head`.
    """
    kept = {name: value for name, value in columns.items() if name not in _UPLOAD_COLUMNS}
    return {"expires": None, **kept}


def renamed_head(row: StoredFile, name: str, options: StorageOptions) -> Columns:
    """Return the columns that change when a file is renamed."""
    return {
        "name": name,
        "content_type": content_type_of(name, options.content_types),
        "link_epoch": later_epoch(row.link_epoch or 0),
    }


def later_epoch(link_epoch: int) -> int:
    """Return a new link epoch: the clock's, or a later one if the clock was set back."""
    return max(time.time_ns() // 1000, link_epoch + 1)


def is_public_by_default(name: str, options: StorageOptions) -> bool:
    """Tell whether a new file of this name is public.

    :raises TypeError: when the project's function returns no bool.
    """
    is_public = options.default_public(name)
    if not isinstance(is_public, bool):
        raise TypeError(f"default_public returned {is_public!r} for {name!r}, and not a bool")
    return is_public


def _content_columns(
    name: str, written: Written, options: StorageOptions, now: datetime
) -> Columns:
    lifetime = options.delete_after(name)
    return (
        ({} if lifetime is None else {"expires": now + lifetime})
        | columns_of(written)
        | {"content_type": content_type_of(name, options.content_types), "modified": now}
    )


def _kept_columns(kept: FileRecord | None) -> Columns:
    if kept is None:
        return {}
    times = {"created": kept.created, "modified": kept.modified, "expires": kept.expires}
    columns: Columns = {name: value for name, value in times.items() if value is not None}
    if kept.is_public is not None:
        columns["is_public"] = kept.is_public
    return columns
