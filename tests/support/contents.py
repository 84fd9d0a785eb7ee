"""Contents in the table, without a file that has them."""

from collections.abc import Iterable

from secure_dbstorage.files.contents import Content
from secure_dbstorage.models import StoredFile
from secure_dbstorage.table import chunks
from tests.support.uploads import begin_upload

DATA = bytes(range(53))


def save_content(
    using: str, pieces: Iterable[bytes | str] = (DATA,), chunk_size: int = 10
) -> Content:
    """Write content with its first chunk in a first row, as a head row would hold it."""
    written = chunks.write(pieces, using=using, chunk_size=chunk_size, max_size=None)
    content = written.content
    begin_upload(using, key=content.key, size=content.size, data=written.first_chunk)
    return content


def rows_of(content: Content) -> list[bytes]:
    """Return the bytes of its rows."""
    found = StoredFile.rows.using(content.using).filter(content=content.key).order_by("position")
    return [bytes(data) for data in found.values_list("data", flat=True)]
