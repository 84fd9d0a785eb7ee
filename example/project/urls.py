"""Where everything is. The two storages bring their own URLs."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("library.urls")),
    path("files/", include("secure_dbstorage.urls")),
    path(
        "pictures/",
        include("secure_dbstorage.urls", namespace="pictures"),
        {"storage": "pictures"},
    ),
]
