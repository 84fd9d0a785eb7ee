"""The rows of the table, in SQL for every database that Django supports."""

from secure_dbstorage.table.batches import BatchRows
from secure_dbstorage.table.upload_rows import UploadRows


class Rows(BatchRows, UploadRows):
    """Reads and writes rows: heads, chunks and uploads. Each method is one statement."""
