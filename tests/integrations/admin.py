"""The admin with import and export."""

from django.contrib import admin
from import_export.admin import ImportExportModelAdmin

from tests.integrations.models import Picture


@admin.register(Picture)
class PictureAdmin(ImportExportModelAdmin):
    """The usual code."""

    list_display = ["title"]
