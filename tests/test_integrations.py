"""Other packages beside this one: see ``tests/integrations``."""

import pytest

from tests.support.sessions import run_session


@pytest.mark.servers
@pytest.mark.sweep
@pytest.mark.timeout(600)
def test_other_packages_work_with_our_storage() -> None:
    run_session("tests/integrations", settings="tests.integrations.settings")
