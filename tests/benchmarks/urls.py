"""Where the benchmarks' files are served."""

from django.urls import include, path

urlpatterns = [path("files/", include("secure_dbstorage.urls"))]
