"""What is offloaded has an internal route, and a proxy that fetches from it."""

from django.urls import include, path
from pytest_django import Settings

from secure_dbstorage.checks import offloading
from secure_dbstorage.serving.internal import send
from tests.support.checks import messages, storages


class TestOffloading:
    """E009, W020 and W021."""

    OFFLOADING = storages(default={"offload": "nginx", "trusted_proxies": ["127.0.0.0/8"]})

    def test_without_offloading_there_is_no_problem(self) -> None:
        assert messages(offloading.check_internal_route) == []
        assert messages(offloading.check_internal_route_is_used) == []
        assert messages(offloading.check_offloading_proxies) == []

    def test_offloading_as_it_is_documented_is_no_problem(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = "tests.support.offload_urls"
        settings.STORAGES = self.OFFLOADING
        assert messages(offloading.check_internal_route) == []
        assert messages(offloading.check_internal_route_is_used) == []
        assert messages(offloading.check_offloading_proxies) == []

    def test_offloading_without_an_internal_route_is_an_error(self, settings: Settings) -> None:
        settings.STORAGES = self.OFFLOADING
        (message,) = offloading.check_internal_route()
        assert message.id == "secure_dbstorage.E009"
        assert "secure_dbstorage.urls_internal" in str(message.hint)

    def test_a_pattern_above_the_internal_route_is_an_error(self, settings: Settings) -> None:
        internal = path("_content/", include("secure_dbstorage.urls_internal"))
        settings.ROOT_URLCONF = path("<path:content>", send), internal
        settings.STORAGES = self.OFFLOADING
        (message,) = offloading.check_internal_route()
        assert message.id == "secure_dbstorage.E009"
        assert message.msg.endswith(
            "'<path:content>', matches the URLs of the internal route first."
        )
        assert "move the internal route above that pattern" in str(message.hint)

    def test_an_internal_route_that_nothing_needs_is_a_warning(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = "tests.support.offload_urls"
        (message,) = offloading.check_internal_route_is_used()
        assert message.id == "secure_dbstorage.W020"

    def test_offloading_to_a_proxy_that_is_not_trusted_is_a_warning(
        self, settings: Settings
    ) -> None:
        settings.STORAGES = storages(default={"offload": "nginx"})
        (message,) = offloading.check_offloading_proxies()
        assert message.id == "secure_dbstorage.W021"
