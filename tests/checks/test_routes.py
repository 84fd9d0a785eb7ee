"""Each storage has a route and a namespace of its own."""

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.conf.urls.static import static
from django.contrib.auth.decorators import login_required
from django.core import checks
from django.http import HttpRequest, HttpResponse
from django.test.utils import override_script_prefix
from django.urls import URLPattern, URLResolver, include, path, re_path
from pytest_django import Settings

from secure_dbstorage.checks import options, routes
from secure_dbstorage.links.routes import DEFAULT_NAMESPACE as OWN
from secure_dbstorage.serving.views import serve
from tests.support.checks import messages, storages

urlpatterns = [
    path("docs/", include("secure_dbstorage.urls", namespace="docs")),
    path("p é/", include("secure_dbstorage.urls", namespace="pages"), {"storage": "pages"}),
    path("static/", include("secure_dbstorage.urls", namespace="css"), {"storage": "staticfiles"}),
]

FILES = path("files/", include("secure_dbstorage.urls"))
PICTURES = path(
    "pictures/", include("secure_dbstorage.urls", namespace="pictures"), {"storage": "pictures"}
)


def page(request: HttpRequest, page: str = "", name: str = "") -> HttpResponse:
    """Stand for the view of a site."""
    raise NotImplementedError


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
            f"Write the route of STORAGES['ours'] as "
            f'path("{namespace}/", include("secure_dbstorage.urls", '
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
            "If STORAGES['two'] has no files yet, set its option namespace to 'two', and write "
            'its route as path("two/", include("secure_dbstorage.urls", namespace="two"), '
            '{"storage": "two"}).'
        )

    def test_a_storage_with_the_namespace_of_another_is_told_to_change_it(
        self, settings: Settings
    ) -> None:
        settings.ROOT_URLCONF = __name__
        settings.STORAGES = storages(pages={"namespace": "pages"}, more={"namespace": "pages"})
        (message,) = routes.check_routes()
        assert message.msg == "The route of STORAGES['more'] serves STORAGES['pages']."
        assert "set its option namespace to 'more', and write " in str(message.hint)

    def test_a_storage_is_never_told_to_leave_its_files(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = (
            path("pictures/", include("secure_dbstorage.urls"), {"storage": "pictures"}),
            path("files/", include("secure_dbstorage.urls")),
        )
        settings.STORAGES = storages(default={}, pictures={"namespace": "pictures"})
        message, _without_route = routes.check_routes()
        assert message.msg == "The route of STORAGES['default'] serves STORAGES['pictures']."
        assert message.hint == (
            "Write the route of STORAGES['pictures'] as path(\"pictures/\", "
            'include("secure_dbstorage.urls", namespace="pictures"), {"storage": "pictures"}), '
            "and that of STORAGES['default'] as "
            'path("files/", include("secure_dbstorage.urls")).'
        )

    def test_of_two_storages_with_one_namespace_the_default_one_keeps_it(
        self, settings: Settings
    ) -> None:
        route = path("files/", include("secure_dbstorage.urls"), {"storage": "pictures"})
        settings.ROOT_URLCONF = (route,)
        settings.STORAGES = storages(default={}, pictures={})
        (message,) = routes.check_routes()
        assert str(message.hint).startswith("If STORAGES['pictures'] has no files yet, set its ")
        (message,) = routes.check_identities()
        assert str(message.hint).startswith("Give the one that has no files yet ")


class TestOrder:
    """E003: no pattern takes the URLs of a storage before its route does."""

    @pytest.fixture(autouse=True)
    def _storages(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={}, pictures={"namespace": "pictures"})

    @pytest.mark.parametrize(
        ("above", "route"),
        [
            (re_path(r"^(?!api/).*$", page), "^(?!api/).*$"),
            (path("<path:page>", page), "<path:page>"),
            (path("files/<path:page>", page), "files/<path:page>"),
            (re_path(r"^files/([^/]+)$", page), "^files/([^/]+)$"),
            (
                re_path(r"^files/(.+)/", include([path("<str:page>", page)])),
                "^files/(.+)/<str:page>",
            ),
            (path("", include([path("<path:page>", page)])), "<path:page>"),
        ],
    )
    @pytest.mark.parametrize("base_url", [None, "/files/", "https://cdn.example.com/"])
    def test_a_pattern_above_a_route_is_a_warning(
        self, settings: Settings, above: URLPattern, route: str, base_url: str | None
    ) -> None:
        settings.STORAGES = storages(default={"base_url": base_url})
        settings.ROOT_URLCONF = above, FILES
        (message,) = routes.check_routes()
        assert (message.id, message.level) == ("secure_dbstorage.W027", checks.WARNING)
        assert message.msg == (
            f"Another pattern, {route!r}, matches the URLs of STORAGES['default'] first."
        )
        assert message.hint == (
            "In your URLconf, move the route of STORAGES['default'] above that pattern, or give "
            "it a path that the pattern doesn't match. If its view calls ours, silence this check."
        )

    def test_the_url_of_a_folder_is_told_to_go(self, settings: Settings) -> None:
        settings.DEBUG = True
        settings.ROOT_URLCONF = *static("/files/", document_root="/nowhere"), FILES, PICTURES
        (message,) = routes.check_routes()
        assert (message.id, message.level) == ("secure_dbstorage.E003", checks.ERROR)
        assert message.msg.startswith("Another pattern, '^files/(?P<path>.*)$', matches ")
        assert str(message.hint).startswith("Remove static(settings.MEDIA_URL, ...) from your ")

    def test_the_route_of_another_storage_above_a_route_is_an_error(
        self, settings: Settings
    ) -> None:
        settings.ROOT_URLCONF = path("", include("secure_dbstorage.urls")), PICTURES
        (message,) = routes.check_routes()
        assert message.msg == (
            "Another pattern, '<file_name:name>', matches the URLs of STORAGES['pictures'] first."
        )
        assert (message.id, message.level) == ("secure_dbstorage.E003", checks.ERROR)
        assert "move the route of STORAGES['pictures'] above" in str(message.hint)

    @pytest.mark.parametrize(
        "patterns",
        [
            (FILES, PICTURES, path("<path:page>", page)),
            (path("<slug:page>/", page), PICTURES, path("", include("secure_dbstorage.urls"))),
            (PICTURES, *i18n_patterns(FILES, path("<path:page>", page))),
            (path("app/", include([FILES, PICTURES])), path("<path:page>", page)),
            # Another route to the same storage, and a view that holds ours.
            (FILES, FILES, PICTURES, PICTURES),
            (path("files/<path:name>", login_required(serve)), FILES, PICTURES),
            (path("files/", include(([path("<path:name>", page, name="serve")], OWN))), PICTURES),
        ],
    )
    def test_a_route_that_gets_its_urls_is_no_problem(
        self, settings: Settings, patterns: tuple[URLPattern | URLResolver, ...]
    ) -> None:
        settings.ROOT_URLCONF = patterns
        assert messages(routes.check_routes) == []


class TestBaseUrls:
    """E003: each file has a URL to itself, which leads to its storage."""

    @pytest.mark.parametrize(
        ("one", "two"),
        [
            ("https://cdn.example.com/", "https://cdn.example.com"),
            ("https://cdn.example.com/a%20b", "http://CDN.example.com/a%20b/"),
            ("/f%69les/", "/files/"),
        ],
    )
    def test_two_storages_with_one_base_url_are_an_error(
        self, settings: Settings, one: str, two: str
    ) -> None:
        settings.STORAGES = storages(
            default={"base_url": one}, pictures={"namespace": "p", "base_url": two}
        )
        (message,) = routes.check_base_urls()
        assert message.id == "secure_dbstorage.E003"
        assert message.msg.startswith(
            "STORAGES['default'] and STORAGES['pictures'] have the same base_url "
        )

    def test_one_base_url_as_the_default_of_all_is_an_error(self, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"BASE_URL": "https://cdn.example.com/"}
        settings.STORAGES = storages(default={}, pictures={"namespace": "pictures"})
        (message,) = routes.check_base_urls()
        assert message.hint == (
            "Set a different base_url in the OPTIONS of each; None asks the URLconf."
        )
        settings.STORAGES["pictures"]["OPTIONS"]["base_url"] = None
        assert messages(routes.check_base_urls) == []

    @pytest.mark.parametrize("base_url", ["/pictures/", "/pictures/of/cats"])
    def test_a_base_url_that_leads_to_another_storage_is_an_error(
        self, settings: Settings, base_url: str
    ) -> None:
        settings.ROOT_URLCONF = FILES, PICTURES
        settings.STORAGES = storages(
            default={"base_url": base_url}, pictures={"namespace": "pictures"}
        )
        (message,) = routes.check_base_urls()
        assert message.id == "secure_dbstorage.E003"
        assert message.msg.endswith(" leads to the route of STORAGES['pictures'].")

    @pytest.mark.parametrize(
        "base_url",
        ["/files/", "/nowhere/", "/page/", "https://cdn.example.com/pictures/", "/alias/default/"],
    )
    def test_any_other_base_url_is_no_problem(self, settings: Settings, base_url: str) -> None:
        settings.ROOT_URLCONF = (
            *(FILES, PICTURES, path("page/<path:page>", page)),
            path("alias/<slug:storage>/", include("secure_dbstorage.urls", namespace="any")),
        )
        settings.STORAGES = storages(
            default={"base_url": base_url}, pictures={"namespace": "pictures"}
        )
        assert messages(routes.check_base_urls) == []

    def test_a_project_without_urls_may_have_a_path(self, settings: Settings) -> None:
        settings.STORAGES = storages(default={"base_url": "/files/"})
        del settings.ROOT_URLCONF
        assert messages(routes.check_base_urls) == []


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
