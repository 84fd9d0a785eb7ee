"""Where the benchmarks' files are served: ours, the floor, and each installed peer's own view."""

from django.apps import apps
from django.urls import URLPattern, URLResolver, include, path

from tests.benchmarks import upload_views, views

#: The URLconf of each app that has a view, and where it goes.
_PEERS = {
    "django_single_table_db_storage": "single/",
    "binary_database_files": "binary/",
    "private_storage": "private/",
    "dbfiles": "",  # Puts MEDIA_URL in front itself.
}

#: One route for several storages: each is found by as many comparisons.
_any = include("secure_dbstorage.urls", namespace="any")

urlpatterns: list[URLPattern | URLResolver] = [
    path("files/", include("secure_dbstorage.urls")),
    path("any/<slug:storage>/", _any),
    path("_content/", include("secure_dbstorage.urls_internal")),
    path("uploaded/", upload_views.save),
    path("uploaded/forget/", upload_views.forget),
    path("uploaded/nothing/", upload_views.nothing),
    path("nothing/", views.nothing),
    path("floor/<path:name>", views.serve, name="floor"),
    *(
        path(prefix, include(f"{app}.urls"))
        for app, prefix in _PEERS.items()
        if apps.is_installed(app)
    ),
]
