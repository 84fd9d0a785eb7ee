"""The Django app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SecureDBStorageConfig(AppConfig):
    """Registers the table and the system checks."""

    name = "secure_dbstorage"
    verbose_name = _("Secure database storage")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, and the receivers that keep files and model instances together."""
        from secure_dbstorage.checks import registry  # noqa: PLC0415 -- needs the app registry
        from secure_dbstorage.upkeep import ownership, rollbacks  # noqa: PLC0415 -- as checks

        registry.register()
        rollbacks.connect()  # First: it may change the names that the others compare.
        ownership.connect()
