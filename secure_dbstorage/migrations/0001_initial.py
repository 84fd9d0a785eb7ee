"""Create the one table."""

from typing import Any

from django.db import migrations, models

import secure_dbstorage.fields


def store_bytes_plain(apps: Any, schema_editor: Any) -> None:
    """Keep PostgreSQL from compressing the bytes.

    Of what is compressed, a part costs all that stands before it; and most files are compressed
    by themselves.
    """
    if schema_editor.connection.vendor == "postgresql":
        table = apps.get_model("secure_dbstorage", "StoredFile")._meta.db_table
        quote = schema_editor.quote_name
        schema_editor.execute(
            f"ALTER TABLE {quote(table)} ALTER COLUMN {quote('data')} SET STORAGE EXTERNAL"
        )


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="StoredFile",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("content", models.BigIntegerField(editable=False)),
                ("position", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "namespace",
                    secure_dbstorage.fields.ExactCharField(
                        editable=False, max_length=100, null=True
                    ),
                ),
                ("name", secure_dbstorage.fields.ExactCharField(max_length=560, null=True)),
                ("size", models.PositiveBigIntegerField(editable=False, null=True)),
                ("chunk_size", models.PositiveIntegerField(editable=False, null=True)),
                (
                    "sha256",
                    secure_dbstorage.fields.ExactCharField(
                        editable=False, max_length=64, null=True
                    ),
                ),
                (
                    "content_type",
                    secure_dbstorage.fields.ExactCharField(
                        editable=False, max_length=127, null=True
                    ),
                ),
                ("is_public", models.BooleanField(null=True)),
                ("created", secure_dbstorage.fields.InstantField(editable=False, null=True)),
                ("modified", secure_dbstorage.fields.InstantField(editable=False, null=True)),
                ("link_epoch", models.BigIntegerField(editable=False, null=True)),
                ("expires", secure_dbstorage.fields.InstantField(blank=True, null=True)),
                ("sealed_key", models.BinaryField(max_length=1024, null=True)),
                ("data", models.BinaryField()),
            ],
            options={
                "verbose_name": "stored file",
                "verbose_name_plural": "stored files",
                "permissions": [
                    ("open_storedfile", "Can open stored files and make links to them"),
                    ("erase_storedfile", "Can erase deleted files for good"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("content", "position"), name="secure_dbstorage_unique_chunk"
                    ),
                    models.UniqueConstraint(
                        fields=("namespace", "name"), name="secure_dbstorage_unique_name"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("position", 0),
                                ("chunk_size__isnull", False),
                                ("content_type__isnull", False),
                                ("created__isnull", False),
                                ("is_public__isnull", False),
                                ("link_epoch__isnull", False),
                                ("modified__isnull", False),
                                ("name__isnull", False),
                                ("namespace__isnull", False),
                                ("sha256__isnull", False),
                                ("size__isnull", False),
                            ),
                            models.Q(
                                ("position", 0),
                                ("chunk_size__isnull", False),
                                ("created__isnull", False),
                                ("expires__isnull", False),
                                ("namespace__isnull", False),
                                ("size__isnull", False),
                                ("content_type__isnull", True),
                                ("is_public__isnull", True),
                                ("link_epoch__isnull", True),
                                ("modified__isnull", True),
                                ("name__isnull", True),
                            ),
                            models.Q(
                                ("position__gt", 0),
                                ("chunk_size__isnull", True),
                                ("content_type__isnull", True),
                                ("created__isnull", True),
                                ("is_public__isnull", True),
                                ("link_epoch__isnull", True),
                                ("modified__isnull", True),
                                ("name__isnull", True),
                                ("namespace__isnull", True),
                                ("sealed_key__isnull", True),
                                ("sha256__isnull", True),
                                ("size__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="secure_dbstorage_kind_of_row",
                    ),
                ],
            },
        ),
        migrations.RunPython(store_bytes_plain, migrations.RunPython.noop, elidable=False),
    ]
