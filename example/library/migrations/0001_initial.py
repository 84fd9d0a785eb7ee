import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import library.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Document",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("title", models.CharField(max_length=255)),
                (
                    "file",
                    models.FileField(
                        db_index=True,
                        max_length=255,
                        storage=library.models.document_storage,
                        upload_to=library.models.owners_folder,
                    ),
                ),
                ("size", models.PositiveBigIntegerField()),
                ("shared", models.BooleanField(default=False)),
                ("uploaded", models.DateTimeField(auto_now_add=True)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="documents",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-pk",),
            },
        ),
        migrations.CreateModel(
            name="Picture",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("description", models.CharField(max_length=200)),
                (
                    "image",
                    models.ImageField(
                        max_length=255,
                        storage=library.models.picture_storage,
                        upload_to=library.models.owners_folder,
                    ),
                ),
                (
                    "thumbnail",
                    models.ImageField(
                        max_length=255,
                        storage=library.models.picture_storage,
                        upload_to=library.models.thumbnails_folder,
                    ),
                ),
                ("uploaded", models.DateTimeField(auto_now_add=True)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="pictures",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-pk",),
            },
        ),
    ]
