"""The Django app."""

from django.apps import AppConfig


class SecureDBStorageConfig(AppConfig):
    """Brings the table and the system checks."""

    name = "secure_dbstorage"
    verbose_name = "Secure database storage"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, and listen to models whose files go with them."""
        from secure_dbstorage import checks  # noqa: PLC0415 -- need the app registry
        from secure_dbstorage.upkeep import ownership  # noqa: PLC0415 -- as checks

        checks.register()
        ownership.connect()
