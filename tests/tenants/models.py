"""The tenants of the project, and the hosts that they are served at."""

from django.db import models
from django_tenants.models import DomainMixin, TenantMixin


class Tenant(TenantMixin):  # type: ignore[misc]  # has no types
    """A customer."""

    auto_create_schema = True

    def __str__(self) -> str:
        return str(self.schema_name)


class Domain(DomainMixin):  # type: ignore[misc]  # has no types
    """A host, or a subfolder, of one tenant."""

    note = models.CharField(max_length=10, blank=True)
