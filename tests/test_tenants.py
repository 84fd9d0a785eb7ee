"""Tenants with a schema each: see ``tests/tenants``, whose settings no other test can have."""

import pytest

from tests.support.sessions import run_session


@pytest.mark.servers
@pytest.mark.timeout(600)
def test_links_of_one_tenant_open_nothing_of_another() -> None:
    run_session("tests/tenants", settings="tests.tenants.settings")
