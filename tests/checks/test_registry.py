"""The checks as a project runs them."""

import gc
import re
from pathlib import Path
from typing import Any

import pytest
from django.core import checks as django_checks
from django.core.checks import Tags
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections
from pytest_django import Settings

from secure_dbstorage.checks import registry
from tests.support.checks import SHARED_CACHE, storages


class TestAll:
    """The checks as a project runs them."""

    def run(self, settings: Settings, **given: Any) -> list[str]:
        """Return the ids of all that our checks find."""
        gc.collect()  # Forms of other tests would be found too.
        # From 6.1 on, Django would ask the tests' MariaDB which release it is.
        found = django_checks.run_checks(databases=["default"], **given)
        return sorted(str(m.id) for m in found if str(m.id).startswith("secure_dbstorage"))

    @pytest.mark.django_db
    def test_a_good_project_hears_nothing(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.CACHES = SHARED_CACHE
        settings.SECURE_DBSTORAGE = {"TRUSTED_PROXIES": ["127.0.0.0/8"], "MAX_SIZE": 10**8}
        monkeypatch.setitem(connections["default"].settings_dict, "CONN_MAX_AGE", None)
        assert self.run(settings, include_deployment_checks=True) == []

    @pytest.mark.django_db
    def test_a_new_project_hears_nothing_in_development(self, settings: Settings) -> None:
        assert self.run(settings) == []

    @pytest.mark.django_db
    def test_some_checks_run_only_with_deploy(self, settings: Settings) -> None:
        settings.CACHES = SHARED_CACHE
        settings.STORAGES = {
            **settings.STORAGES,
            **storages(
                default={"rate_limit_fail_open": True, "rate_limits": {"plain": None}},
                invoices={"namespace": "invoices", "max_size": 1},
            ),
        }
        assert self.run(settings) == []
        assert set(self.run(settings, include_deployment_checks=True)) == {
            "secure_dbstorage.W004",
            "secure_dbstorage.W005",
            "secure_dbstorage.W006",
            "secure_dbstorage.W013",
            "secure_dbstorage.W014",
        }

    def test_every_check_is_registered(self, settings: Settings) -> None:
        all_checks = django_checks.registry.registry
        ours = {
            check.__name__
            for check in all_checks.get_checks(include_deployment_checks=True)
            if check.__module__.startswith("secure_dbstorage.checks.")
        }
        assert ours == {name for name in vars(registry) if name.startswith("check_")}
        texts = [path.read_text() for path in Path(registry.__file__).parent.glob("*.py")]
        assert ours == set(re.findall(r"^def (check_\w+)", "\n".join(texts), re.MULTILINE))

    def test_the_command_names_the_option(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"expires_in": 0})
        with pytest.raises(
            SystemCheckError, match=r"STORAGES\['default'\]\['OPTIONS'\]: expires_in must be"
        ):
            call_command("check", tags=[Tags.security])

    @pytest.mark.parametrize(
        ("option", "expected"), [({"expire_in": 60}, "E001"), ({"expires_in": 0}, "E002")]
    )
    def test_all_checks_run_where_no_storage_can_be_used(
        self, settings: Settings, option: dict[str, int], expected: str
    ) -> None:
        settings.STORAGES = storages(default=option, invoices=option)
        # Without the mark django_db a query is an error.
        found = self.run(settings, include_deployment_checks=True)
        assert set(found) == {f"secure_dbstorage.{expected}"}

    @pytest.mark.parametrize("tag", [Tags.security, Tags.compatibility])
    def test_no_check_without_a_database_asks_one(self, settings: Settings, tag: str) -> None:
        settings.STORAGES = storages(
            **{alias: {"using": alias, "namespace": "docs"} for alias in settings.DATABASES}
        )
        # Without the mark django_db a query is an error.
        django_checks.run_checks(tags=[tag], include_deployment_checks=True)


def test_an_app_that_gets_ready_again_registers_no_check_twice() -> None:
    before = len(django_checks.registry.registry.get_checks(include_deployment_checks=True))
    registry.register()
    after = len(django_checks.registry.registry.get_checks(include_deployment_checks=True))
    assert after == before
