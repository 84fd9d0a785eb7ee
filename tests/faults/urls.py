"""A storage that fails closed while its cache is down, and one that fails open."""

from django.urls import include, path

urlpatterns = [
    path("files/", include("secure_dbstorage.urls")),
    path("open/", include("secure_dbstorage.urls", namespace="open"), {"storage": "open"}),
]
