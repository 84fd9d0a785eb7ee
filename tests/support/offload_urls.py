"""The tests' routes, and the internal one."""

from django.urls import include, path

from tests.urls import urlpatterns as _usual

urlpatterns = [path("_content/", include("secure_dbstorage.urls_internal")), *_usual]
