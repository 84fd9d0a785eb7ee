"""Tables of other packages, made and filled as those packages do."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.db import connections, models
from django.db.models import Model
from django.test.utils import isolate_apps

CREATED = datetime(2019, 6, 11, 11, 52, 1, 123456, tzinfo=UTC)
MODIFIED = datetime(2020, 2, 3, 4, 5, 6, 654321, tzinfo=UTC)


@contextmanager
def table(using: str, package: str) -> Iterator[type[Model]]:
    """Make the table of a package, with the fields of its migration."""
    model = _model(package)
    with connections[using].schema_editor() as editor:
        editor.create_model(model)
    try:
        yield model
    finally:
        with connections[using].schema_editor() as editor:
            editor.delete_model(model)


def _model(package: str) -> type[Model]:
    with isolate_apps("secure_dbstorage"):
        if package == "django-single-table-db-storage":

            class SingleTableDbFile(models.Model):  # noqa: DJ008 -- theirs
                name = models.CharField(max_length=500, unique=True)
                content = models.BinaryField(blank=True)
                created_ts = models.DateTimeField()
                updated_ts = models.DateTimeField()
                is_public = models.BooleanField(default=False)

                class Meta:
                    app_label = "secure_dbstorage"
                    db_table = "storage_file"

            return SingleTableDbFile
        if package == "django-dbfiles":

            class DBFile(models.Model):  # noqa: DJ008 -- theirs
                id = models.BigAutoField(primary_key=True)
                content = models.BinaryField()
                name = models.CharField(max_length=255, unique=True)
                size = models.IntegerField(default=0)
                created_on = models.DateTimeField()
                updated_on = models.DateTimeField()

                class Meta:
                    app_label = "secure_dbstorage"
                    db_table = "db_file"

            return DBFile
        if package == "django-binary-database-files":

            class File(models.Model):  # noqa: DJ008 -- theirs
                name = models.CharField(max_length=255, unique=True)
                size = models.PositiveIntegerField(db_index=True)
                content = models.BinaryField()
                created_datetime = models.DateTimeField(db_index=True)
                content_hash = models.CharField(max_length=128, null=True)  # noqa: DJ001 -- theirs

                class Meta:
                    app_label = "secure_dbstorage"
                    db_table = "binary_database_files_file"

            return File

        class ConsolePicture(models.Model):  # noqa: DJ008 -- theirs
            bytes = models.TextField()
            filename = models.CharField(max_length=255)
            mimetype = models.CharField(max_length=50)

            class Meta:
                app_label = "secure_dbstorage"
                db_table = "console_picture"

        return ConsolePicture


def row_of(package: str, name: str, content: bytes, *, is_public: bool = False) -> dict[str, Any]:
    """Return the columns of a row as a package fills them."""
    if package == "django-single-table-db-storage":
        times = {"created_ts": CREATED, "updated_ts": MODIFIED}
        return {"name": name, "content": content, "is_public": is_public, **times}
    if package == "django-dbfiles":
        times = {"created_on": CREATED, "updated_on": MODIFIED}
        return {"name": name, "content": content, "size": len(content), **times}
    if package == "django-binary-database-files":
        return {
            "name": name,
            "content": content,
            "size": len(content),
            "created_datetime": CREATED,
            "content_hash": None,
        }
    encoded = base64.b64encode(content).decode()
    return {"filename": name, "bytes": encoded, "mimetype": "text/plain"}
