"""Each storage has a route and a namespace of its own."""

import pytest
from django.test.utils import override_script_prefix
from django.urls import include, path
from pytest_django import Settings

from secure_dbstorage.checks import options, routes
from tests.support.checks import messages, storages

urlpatterns = [
    path("docs/", include("secure_dbstorage.urls", namespace="docs")),
    path("p é/", include("secure_dbstorage.urls", namespace="pages"), {"storage": "pages"}),
    path("static/", include("secure_dbstorage.urls", namespace="css"), {"storage": "staticfiles"}),
]


class TestRoutes:
    """E003 and W025."""

    def test_storages_with_a_route_are_no_problem(self) -> None:
        assert messages(routes.check_routes) == []

    def test_a_storage_that_nothing_serves_is_an_error(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={}, papers={"namespace": "papers"})
        (message,) = routes.check_routes()
        assert message.id == "secure_dbstorage.E003"
        assert message.msg == (
            "No route serves STORAGES['papers']. No URLconf has 'papers:serve': include "
            "'secure_dbstorage.urls', or set the option base_url."
        )
        assert message.hint == (
            'Add path("papers/", include("secure_dbstorage.urls", namespace="papers"), '
            '{"storage": "papers"}) to your URLconf.'
        )

    @pytest.mark.parametrize(
        ("alias", "hint"),
        [
            ("default", 'Add path("files/", include("secure_dbstorage.urls")) to your URLconf.'),
            (
                "other",
                (
                    'Add path("other/", include("secure_dbstorage.urls"), {"storage": "other"}) '
                    "to your URLconf."
                ),
            ),
        ],
    )
    def test_the_hint_is_the_line_to_add(self, settings: Settings, alias: str, hint: str) -> None:
        settings.ROOT_URLCONF = __name__
        settings.STORAGES = storages(**{alias: {}})
        (message,) = routes.check_routes()
        assert message.hint == hint

    def test_a_base_url_needs_no_route(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"namespace": "papers", "base_url": "/papers/"})
        assert messages(routes.check_routes) == []

    def test_a_route_of_the_namespace_is_one(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = __name__
        settings.STORAGES = storages(default={"namespace": "docs"})
        assert messages(routes.check_routes) == []

    @pytest.mark.parametrize("prefix", ["/", "/the project/", "/files%20/"])
    def test_a_route_of_the_alias_is_one(self, settings: Settings, prefix: str) -> None:
        settings.ROOT_URLCONF = __name__
        settings.STORAGES = storages(pages={"namespace": "pages"})
        with override_script_prefix(prefix):
            assert messages(routes.check_routes) == []

    @pytest.mark.parametrize(
        ("namespace", "served"),
        [("docs", "default"), ("pages", "pages"), ("css", "staticfiles")],
    )
    def test_a_route_that_serves_another_storage_is_an_error(
        self, settings: Settings, namespace: str, served: str
    ) -> None:
        settings.ROOT_URLCONF = __name__
        settings.STORAGES = storages(ours={"namespace": namespace})
        (message,) = routes.check_routes()
        assert message.id == "secure_dbstorage.E003"
        assert message.msg == f"The route of STORAGES['ours'] serves STORAGES['{served}']."
        assert str(message.hint).startswith(
            f'Write its route as path("{namespace}/", include("secure_dbstorage.urls", '
            f'namespace="{namespace}"), {{"storage": "ours"}}).'
        )

    @pytest.mark.parametrize(
        ("alias", "fault"),
        [
            ("invoces", "does not exist"),
            ("staticfiles", "is not a DatabaseStorage"),
            ("invoices", None),
        ],
    )
    def test_a_route_that_serves_no_storage_of_ours_is_a_warning(
        self, settings: Settings, alias: str, fault: str | None
    ) -> None:
        settings.ROOT_URLCONF = (
            path("files/", include("secure_dbstorage.urls")),
            path(
                "in/<slug:tenant>/",
                include([path("", include("secure_dbstorage.urls", namespace="i"))]),
                {"storage": alias},
            ),
        )
        warnings = list(routes.check_served_storages())
        assert [warning.msg for warning in warnings] == [
            f"A route serves STORAGES['{alias}'], which {fault}: every request to it gets a 404."
        ][: fault is not None]
        assert {warning.id for warning in warnings} <= {"secure_dbstorage.W025"}

    def test_the_settings_of_tests_may_silence_a_storage_in_memory(
        self, settings: Settings
    ) -> None:
        memory = {"default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
        settings.STORAGES = memory
        settings.ROOT_URLCONF = (path("files/", include("secure_dbstorage.urls")),)
        (warning,) = routes.check_served_storages()
        assert str(warning.hint).endswith("In the settings of tests, you may silence this check.")

    @pytest.mark.parametrize(
        ("route", "given", "hint"),
        [
            ("files/", {}, 'Add {"storage": ...}'),
            ("files/", {"storage": ["unhashable"]}, 'Correct {"storage": ...}'),
            ("<slug:storage>/", {}, None),
            ("<slug:storage>/below/<slug:more>/", {}, None),
        ],
    )
    def test_a_route_without_the_name_of_a_storage_serves_the_default_one(
        self, settings: Settings, route: str, given: dict[str, object], hint: str | None
    ) -> None:
        settings.STORAGES = storages(pages={"namespace": "pages"})
        nested = include([path("deep/", include("secure_dbstorage.urls", namespace="pages"))])
        settings.ROOT_URLCONF = (path(route, nested, given),)
        hints = [str(warning.hint) for warning in routes.check_served_storages()]
        assert [found.split(" in ")[0] for found in hints] == ([] if hint is None else [hint])

    def test_a_project_without_urls_is_told_to_set_a_base_url(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={})
        del settings.ROOT_URLCONF
        (message,) = routes.check_routes()
        assert message.msg == (
            "No route serves STORAGES['default']. The project has no URLconf: set ROOT_URLCONF, "
            "or the option base_url."
        )
        assert messages(routes.check_served_storages) == []
        settings.STORAGES = storages(default={"base_url": "https://files.example.com/"})
        assert messages(routes.check_routes) == []

    def test_one_route_serves_one_storage(self, settings: Settings, another_database: str) -> None:
        settings.STORAGES = storages(default={}, two={"using": another_database})
        (message,) = routes.check_routes()
        assert message.msg == "The route of STORAGES['two'] serves STORAGES['default']."
        assert str(message.hint) == (
            "Set the option namespace to 'two', and write its route as path(\"two/\", "
            'include("secure_dbstorage.urls", namespace="two"), {"storage": "two"}).'
        )

    def test_a_storage_with_the_namespace_of_another_is_told_to_change_it(
        self, settings: Settings
    ) -> None:
        settings.ROOT_URLCONF = __name__
        settings.STORAGES = storages(pages={"namespace": "pages"}, more={"namespace": "pages"})
        (message,) = routes.check_routes()
        assert message.msg == "The route of STORAGES['more'] serves STORAGES['pages']."
        assert str(message.hint).startswith("Set the option namespace to 'more', and write ")


class TestInternalRoute:
    """E009, W020 and W021."""

    OFFLOADING = storages(default={"offload": "nginx", "trusted_proxies": ["127.0.0.0/8"]})

    def test_without_offloading_there_is_no_problem(self) -> None:
        assert messages(routes.check_internal_route) == []
        assert messages(routes.check_internal_route_is_used) == []
        assert messages(routes.check_offloading_proxies) == []

    def test_offloading_as_it_is_documented_is_no_problem(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = "tests.support.offload_urls"
        settings.STORAGES = self.OFFLOADING
        assert messages(routes.check_internal_route) == []
        assert messages(routes.check_internal_route_is_used) == []
        assert messages(routes.check_offloading_proxies) == []

    def test_offloading_without_an_internal_route_is_an_error(self, settings: Settings) -> None:
        settings.STORAGES = self.OFFLOADING
        (message,) = routes.check_internal_route()
        assert message.id == "secure_dbstorage.E009"
        assert "secure_dbstorage.urls_internal" in str(message.hint)

    def test_an_internal_route_that_nothing_needs_is_a_warning(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = "tests.support.offload_urls"
        (message,) = routes.check_internal_route_is_used()
        assert message.id == "secure_dbstorage.W020"

    def test_offloading_to_a_proxy_that_is_not_trusted_is_a_warning(
        self, settings: Settings
    ) -> None:
        settings.STORAGES = storages(default={"offload": "nginx"})
        (message,) = routes.check_offloading_proxies()
        assert message.id == "secure_dbstorage.W021"


class TestIdentities:
    """E004."""

    def test_namespaces_of_their_own_are_no_problem(self) -> None:
        assert messages(routes.check_identities) == []

    def test_one_namespace_in_one_database_is_an_error(self, settings: Settings) -> None:
        settings.STORAGES = storages(one={}, two={"using": "default"}, three={"namespace": "n"})
        (message,) = routes.check_identities()
        assert message.id == "secure_dbstorage.E004"
        assert message.msg == (
            "STORAGES['one'] and STORAGES['two'] have the same namespace '': each would open the "
            "other's files."
        )

    @pytest.mark.parametrize("urls", [{}, {"base_url": "https://two.example/"}])
    def test_one_namespace_in_two_databases_is_an_error(
        self, settings: Settings, another_database: str, urls: dict[str, str]
    ) -> None:
        settings.STORAGES = storages(one={}, two={"using": another_database, **urls})
        assert messages(options.check_options) == []
        (message,) = routes.check_identities()
        assert message.id == "secure_dbstorage.E004"
        assert "can't tell them apart" in message.msg

    def test_two_namespaces_in_two_databases_are_no_problem(
        self, settings: Settings, another_database: str
    ) -> None:
        settings.STORAGES = storages(one={}, two={"using": another_database, "namespace": "two"})
        assert messages(routes.check_identities) == []

    def test_each_storage_beyond_the_first_is_named(self, settings: Settings) -> None:
        settings.STORAGES = storages(one={}, two={}, three={})
        assert messages(routes.check_identities) == ["E004", "E004"]
