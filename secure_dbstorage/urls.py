"""The route of a storage: include it once for each, under a path of its own."""

from django.urls import re_path

from secure_dbstorage.links import DEFAULT_NAMESPACE
from secure_dbstorage.views import serve

app_name = DEFAULT_NAMESPACE

# Not `<path:name>`, which takes no line feed: Django's own page would refuse it, token and all.
urlpatterns = [re_path(r"^(?P<name>[\s\S]+)\Z", serve, name="serve")]
