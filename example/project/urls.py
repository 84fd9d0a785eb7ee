"""The site's URLs. Each of the two storages has its own prefix."""

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
