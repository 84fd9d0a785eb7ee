"""Files are served in other projects as well: see the settings of each in ``tests/support``."""

import pytest

from tests.support.sessions import run_session

#: What asks the view; the rest of the wing knows no settings.
_MODULES = (
    *("audiences", "folders", "guards", "hooks", "limits", "one_time_links", "outages"),
    *("refusals", "subresources", "token_leaks", "unseen_links", "views", "visits"),
)

pytestmark = [pytest.mark.servers, pytest.mark.sweep, pytest.mark.timeout(600)]


def test_files_are_served_below_a_path_without_time_zones_and_in_transactions() -> None:
    _run("not servers", settings="tests.support.local_time_settings")


def test_files_are_served_without_sessions_and_users_and_on_debug() -> None:
    _run("not servers and not users", settings="tests.support.bare_settings")


def _run(chosen: str, *, settings: str) -> None:
    modules = [f"tests/serving/test_{module}.py" for module in _MODULES]
    # pytest-django turns DEBUG off unless it is told otherwise.
    run_session("-m", chosen, "-o", "django_debug_mode=keep", *modules, settings=settings)
