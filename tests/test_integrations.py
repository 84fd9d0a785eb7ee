"""Other packages beside this one: see ``tests/integrations``."""

from importlib.util import find_spec

import pytest

from tests.servers.unavailable import skip_or_fail
from tests.support.sessions import run_session


@pytest.mark.servers
@pytest.mark.sweep
@pytest.mark.timeout(600)
def test_other_packages_work_with_our_storage() -> None:
    if find_spec("wagtail") is None:
        skip_or_fail("The other packages are not installed (pip install '.[integrations]')")
    run_session("tests/integrations", settings="tests.integrations.settings")
