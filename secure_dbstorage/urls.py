"""The route of a storage: include it once for each, under a path of its own."""

from django.urls import path

from secure_dbstorage.links import DEFAULT_NAMESPACE
from secure_dbstorage.views import serve

app_name = DEFAULT_NAMESPACE

urlpatterns = [path("<path:name>", serve, name="serve")]
