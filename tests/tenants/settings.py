"""Settings of a project with tenants. The table is there for each of them, and for all."""

from tests.servers import places
from tests.settings import *  # noqa: F403
from tests.settings import MIDDLEWARE

ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.tenants.urls"

DATABASES = {
    "default": {
        "ENGINE": "django_tenants.postgresql_backend",
        "NAME": "dbstorage",
        "HOST": str(places.POSTGRES_DIRECTORY),
        "USER": "postgres",
    }
}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
MIGRATION_MODULES = {}  # type: ignore[no-redef, var-annotated]  # django-tenants migrates them all

TENANT_MODEL, TENANT_DOMAIN_MODEL = "tenants.Tenant", "tenants.Domain"
SHARED_APPS = [
    "django_tenants",
    "tests.tenants",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "secure_dbstorage",
]
TENANT_APPS = ["secure_dbstorage"]
INSTALLED_APPS = SHARED_APPS

MIDDLEWARE = ["django_tenants.middleware.main.TenantMainMiddleware", *MIDDLEWARE]

STORAGES = {
    "default": {"BACKEND": "secure_dbstorage.storage.DatabaseStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
SECURE_DBSTORAGE = {"RATE_LIMITS": dict.fromkeys(("signed", "plain", "refused"))}
