"""A PostgreSQL with two tenants."""

from collections.abc import Iterator

import pytest
from django.test.utils import setup_databases, teardown_databases
from pytest_django import DjangoDbBlocker

from tests.servers import places
from tests.servers.postgres import PostgresServer
from tests.servers.unavailable import Unavailable, skip_or_fail

TENANTS = ("a", "b")


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Start the server, and give each tenant a schema."""
    from tests.tenants.models import Domain, Tenant

    try:
        server = PostgresServer(places.POSTGRES_DIRECTORY)
    except Unavailable as error:
        skip_or_fail(str(error))
    with server, django_db_blocker.unblock():
        created = setup_databases(verbosity=0, interactive=False)
        for name in ("public", *TENANTS):
            tenant = Tenant(schema_name=name)
            tenant.save(verbosity=0)
            Domain.objects.create(tenant=tenant, domain=f"{name}.localhost")
            Domain.objects.create(tenant=tenant, domain=name)  # for subfolders
        yield
        teardown_databases(created, verbosity=0)
