"""The tests' URLs, and those of other packages."""

from django.urls import include, path
from wagtail.admin import urls as wagtail_admin
from wagtail.documents import urls as documents

from tests.urls import urlpatterns as tests_urls

urlpatterns = [
    *tests_urls,
    path("cms/", include(wagtail_admin)),
    path("documents/", include(documents)),
    path(
        "thumbnails/",
        include("secure_dbstorage.urls", namespace="thumbnails"),
        {"storage": "easy_thumbnails"},
    ),
    path(
        "private/",
        include("secure_dbstorage.urls", namespace="filer_private"),
        {"storage": "filer_private"},
    ),
    path(
        "static/",
        include("secure_dbstorage.urls", namespace="static"),
        {"storage": "staticfiles"},
    ),
]
