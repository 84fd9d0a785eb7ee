"""Two storages, each with its own path."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("files/", include("secure_dbstorage.urls")),
    path(
        "invoices/",
        include("secure_dbstorage.urls", namespace="invoices"),
        {"storage": "invoices"},
    ),
]
