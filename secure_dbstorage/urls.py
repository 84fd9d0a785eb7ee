"""The route of a storage: include it once for each storage, each under another path."""

from django.urls import path, register_converter

from secure_dbstorage.links.paths import NameConverter
from secure_dbstorage.links.routes import DEFAULT_NAMESPACE
from secure_dbstorage.receiving.door import serve_or_receive

app_name = DEFAULT_NAMESPACE

register_converter(NameConverter, "file_name")

urlpatterns = [path("<file_name:name>", serve_or_receive, name="serve")]
