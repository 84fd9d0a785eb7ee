"""The site's models in the admin. The package adds the stored files itself."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html

from .models import Document, Picture, document_storage


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin):
    """Putting "file" in `list_display` would work too, but query once for each row's link."""

    list_display = ["title", "owner", "link", "uploaded"]
    list_select_related = ["owner"]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Make all links of a page with one query."""
        changelist = super().get_changelist_instance(request)
        documents = changelist.result_list
        urls = document_storage().urls(document.file.name for document in documents)
        for document in documents:
            document.url = urls[document.file.name]
        return changelist

    @admin.display(description="file")
    def link(self, document: Document) -> str:
        return format_html(
            '<a href="{}" rel="noreferrer noopener">{}</a>', document.url, document.file.name
        )


admin.site.register(Picture)
