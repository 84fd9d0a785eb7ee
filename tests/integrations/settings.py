"""Settings of a project with all these packages, which use the default storage throughout."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIGRATION_MODULES

ROOT_URLCONF = "tests.integrations.urls"
STATIC_URL = "/static/"

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "django.contrib.staticfiles",
    "easy_thumbnails",
    "filer",
    "import_export",
    "polymorphic",
    "rest_framework",
    "reversion",
    "simple_history",
    "sorl.thumbnail",
    "taggit",
    "wagtail.contrib.settings",
    "wagtail.admin",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.snippets",
    "wagtail.users",
    "wagtail",
    "tests.integrations",
    "django_cleanup.apps.CleanupConfig",
]

# Their tables as their models are now; migrating there would cost half a minute.
MIGRATION_MODULES = MIGRATION_MODULES | dict.fromkeys(
    (
        "easy_thumbnails",
        "filer",
        "reversion",
        "taggit",
        "thumbnail",
        "wagtailadmin",
        "wagtailcore",
        "wagtaildocs",
        "wagtailimages",
        "wagtailsearch",
        "wagtailusers",
    )
)

_FILER_PRIVATE = {
    "namespace": "filer_private",
    "auth_hooks": ["secure_dbstorage.access.authenticated"],
}

STORAGES = {
    "default": {"BACKEND": "secure_dbstorage.storage.DatabaseStorage"},
    "easy_thumbnails": {
        "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
        "OPTIONS": {"namespace": "thumbnails", "default_public": True},
    },
    "filer_private": {
        "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
        "OPTIONS": _FILER_PRIVATE,
    },
    "staticfiles": {
        "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
        "OPTIONS": {"namespace": "static", "default_public": True},
    },
}

# filer makes its private storages itself; those of its public files are the default one.
FILER_STORAGES = {
    "private": {
        "main": {
            "ENGINE": "secure_dbstorage.storage.DatabaseStorage",
            "OPTIONS": _FILER_PRIVATE,
        },
        "thumbnails": {
            "ENGINE": "secure_dbstorage.storage.DatabaseStorage",
            "OPTIONS": _FILER_PRIVATE,
            "THUMBNAIL_OPTIONS": {"base_dir": "thumbnails"},
        },
    }
}

IMPORT_EXPORT_TMP_STORAGE_CLASS = "import_export.tmp_storages.MediaStorage"
IMPORT_EXPORT_USE_TRANSACTIONS = True

WAGTAIL_SITE_NAME = "Integrations"
WAGTAILADMIN_BASE_URL = "http://testserver"
