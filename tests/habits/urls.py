"""The tests' URLs, and those of other packages."""

from django.urls import include, path
from wagtail.documents import urls as documents

from tests.urls import urlpatterns as tests_urls

urlpatterns = [
    *tests_urls,
    path("documents/", include(documents)),
    path(
        "thumbnails/",
        include("secure_dbstorage.urls", namespace="thumbnails"),
        {"storage": "easy_thumbnails"},
    ),
    path("static/", include("secure_dbstorage.urls", namespace="static"), {"storage": "staticfiles"}),
]
