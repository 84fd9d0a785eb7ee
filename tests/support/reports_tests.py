"""Tests of an app ``reports`` that is made of the pages' blocks; run in a separate project.

Nothing is imported from the app by name: this file is only there once it has been copied.
"""

import json
import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest import skipUnless
from urllib.parse import urlsplit

from django.apps import apps
from django.contrib.auth.models import AnonymousUser, User
from django.core import signing
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.template.loader import render_to_string
from django.test import Client, RequestFactory, TestCase, override_settings
from django.test.utils import override_script_prefix
from django.utils import timezone
from django.utils.module_loading import import_string

storage: Any = default_storage


def opened(url: str, client: Client | None = None) -> Any:
    """Return the answer to a link, whole or not."""
    parts = urlsplit(url.replace("&amp;", "&"))
    return (client or Client()).get(f"{parts.path}?{parts.query}" if parts.query else parts.path)


class ReportsTestCase(TestCase):
    """Has an owner, a stranger, and a report with a file."""

    def setUp(self) -> None:
        self.model: Any = import_string("reports.models.Report")
        self.owner: Any = User.objects.create_user("owner")
        self.stranger = User.objects.create_user("stranger")
        self.report = self.model.objects.create(
            owner=self.owner, title="Q3", file=ContentFile(b"report", "q3.pdf")
        )
        self.request = RequestFactory().get("/")

    def as_user(self, user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client


class Upload(ReportsTestCase):
    """The view of the first steps."""

    def post(self, **data: Any) -> Any:
        request = RequestFactory().post("/", data)
        request.user = self.owner
        return import_string("reports.views.upload")(request)

    def test_saves_the_file_with_its_row(self) -> None:
        upload = SimpleUploadedFile("../q4.pdf", b"uploaded")
        assert self.post(title="Q4", file=upload).status_code == 302
        saved = self.model.objects.get(title="Q4")
        assert (saved.owner, saved.file.name) == (self.owner, "reports/q4.pdf")
        assert saved.file.read() == b"uploaded"

    def test_is_for_those_who_are_signed_in(self) -> None:
        self.owner = AnonymousUser()
        assert self.post(title="Q4")["Location"].startswith("/accounts/login/")

    def test_shows_the_form_again_and_keeps_nothing(self) -> None:
        answer = self.post(title="", file=SimpleUploadedFile("q4.pdf", b"uploaded"))
        assert answer.status_code == 200
        assert b"This field is required" in answer.content
        assert not storage.exists("reports/q4.pdf")

    def test_a_rollback_takes_the_file_along(self) -> None:
        try:
            with transaction.atomic():
                self.post(title="Q4", file=SimpleUploadedFile("q4.pdf", b"uploaded"))
                raise RuntimeError
        except RuntimeError:
            assert not storage.exists("reports/q4.pdf")


class OwnerOnly(ReportsTestCase):
    """The hook of the first steps, which the settings name."""

    def test_lets_the_owner_in_and_nobody_else(self) -> None:
        url = self.report.file.url
        assert opened(url, self.as_user(self.owner)).getvalue() == b"report"
        assert opened(url, self.as_user(self.stranger)).status_code == 403
        assert opened(url).status_code == 403

    def test_refuses_a_file_without_a_report(self) -> None:
        storage.save("loose.txt", ContentFile(b"loose"))
        assert opened(storage.url("loose.txt"), self.as_user(self.owner)).status_code == 403

    def test_compares_names_exactly_where_the_database_does_not(self) -> None:
        class Found:
            """Finds whatever the case, as MariaDB does."""

            def filter(self, **_: object) -> "Found":
                return self

            def values_list(self, *_: object, **__: object) -> list[str]:
                return ["reports/tax.pdf"]

        self.request.user = SimpleNamespace(is_authenticated=True, reports=Found())  # type: ignore[assignment]
        hook = import_string("reports.access.owner_only")
        assert hook(self.request, SimpleNamespace(name="reports/tax.pdf"), None)
        assert not hook(self.request, SimpleNamespace(name="reports/TAX.pdf"), None)

    def test_answers_with_a_bool(self) -> None:
        hook = import_string("reports.access.owner_only")
        for user in (self.owner, self.stranger, AnonymousUser()):
            self.request.user = user
            assert isinstance(hook(self.request, SimpleNamespace(name="x"), None), bool)


class SignedIn(ReportsTestCase):
    """The hook that sends visitors away, and the view that they come back to."""

    def test_leads_back_to_the_link_with_no_token_in_the_way(self) -> None:
        storages = {
            "default": {
                "BACKEND": "secure_dbstorage.storage.DatabaseStorage",
                "OPTIONS": {"auth_hooks": ["reports.access.signed_in"]},
            }
        }
        with override_settings(STORAGES=storages):
            client = Client()
            url = self.report.file.url
            sent = opened(url, client)
            assert sent.status_code == 302
            assert "token" not in sent["Location"]
            client.force_login(self.stranger)
            back = client.get("/after-login/")
            assert back["Location"] == url
            assert opened(back["Location"], client).getvalue() == b"report"
            assert client.get("/after-login/")["Location"] == "/"


class Collect(ReportsTestCase):
    """The page for a mail, with a button."""

    def setUp(self) -> None:
        super().setUp()
        mailed = import_string("reports.views.address_to_mail")(self.request, "reports/q3.pdf")
        self.address = mailed.removeprefix("http://testserver")

    def test_only_the_button_leads_to_the_file_and_only_once(self) -> None:
        client = self.as_user(self.owner)
        for _ in range(3):  # as a scanner does
            page = client.get(self.address)
            assert (page.status_code, b"<button>" in page.content) == (200, True)
        for status in (200, 403):
            link = client.post(self.address)["Location"]
            assert opened(link, client).status_code == status

    def test_it_is_where_the_web_server_mounts_the_project(self) -> None:
        with override_script_prefix("/site/"):
            mailed = import_string("reports.views.address_to_mail")(self.request, "reports/q3.pdf")
        assert mailed.startswith("http://testserver/site/collect/?ticket=")

    def test_a_form_that_another_site_sends_is_refused(self) -> None:
        assert Client(enforce_csrf_checks=True).post(self.address).status_code == 403

    def test_nobody_is_sent_elsewhere(self) -> None:
        evil = signing.dumps("https://evil.example/", key="another")
        for query in ("", "?ticket=", f"?ticket={evil}", f"{self.address[9:]}x"):
            assert Client().post(f"/collect/{query}").status_code == 404


class Limits(ReportsTestCase):
    """What the settings of a project's tests turn off."""

    def test_no_number_of_bad_links_is_too_many(self) -> None:
        found = {opened("/files/reports/q3.pdf?token=bad").status_code for _ in range(70)}
        assert found == {403}


class Photos(ReportsTestCase):
    """A field with the storage of an alias."""

    def test_a_photo_is_in_its_own_storage(self) -> None:
        photo = import_string("reports.models.Photo").objects.create(
            file=ContentFile(b"photo", "a.jpg")
        )
        assert photo.file.url == "/pictures/a.jpg"
        assert opened(photo.file.url).getvalue() == b"photo"
        assert not storage.exists("a.jpg")


@skipUnless(apps.is_installed("rest_framework"), "Django REST Framework is not there")
class Serializers(ReportsTestCase):
    """The serializer, for one report and for many."""

    def serializer(self, *args: Any, **kwargs: Any) -> Any:
        serializer = import_string("reports.serializers.ReportSerializer")
        return serializer(*args, context={"request": self.request}, **kwargs)

    def more(self) -> list[Any]:
        for number in range(3):
            name = f"{number}.pdf"
            self.model.objects.create(
                owner=self.owner, title=name, file=ContentFile(b"report", name)
            )
        self.model.objects.create(owner=self.owner, title="without", file="")
        return list(self.model.objects.order_by("pk"))

    def test_a_detail_view(self) -> None:
        data = self.serializer(self.report).data
        assert data["title"] == "Q3"
        assert data["file"].startswith("http://testserver/files/reports/q3.pdf?token=")
        assert opened(data["file"], self.as_user(self.owner)).getvalue() == b"report"

    def test_a_list_takes_one_query(self) -> None:
        reports = self.more()
        with self.assertNumQueries(1):
            data = self.serializer(reports, many=True).data
        assert [each["title"] for each in data] == ["Q3", "0.pdf", "1.pdf", "2.pdf", "without"]
        assert data[-1]["file"] is None
        for each in data[:-1]:
            assert opened(each["file"], self.as_user(self.owner)).getvalue() == b"report"

    def test_a_queryset_a_manager_and_nothing(self) -> None:
        self.more()
        for many in (self.model.objects.all(), self.model.objects):
            assert len(self.serializer(many, many=True).data) == 5
        assert self.serializer(self.model.objects.none(), many=True).data == []

    def test_a_report_without_a_file(self) -> None:
        report = self.model(owner=self.owner, title="without")
        assert self.serializer(report).data == {"title": "without", "file": None}

    def test_a_list_that_is_nested(self) -> None:
        model_serializer = import_string("rest_framework.serializers.ModelSerializer")
        self.more()
        nested = type(
            "OwnerSerializer",
            (model_serializer,),
            {
                "reports": import_string("reports.serializers.ReportSerializer")(many=True),
                "Meta": type("Meta", (), {"model": User, "fields": ["username", "reports"]}),
            },
        )
        owners = [self.owner, self.stranger]
        data = nested(owners, many=True, context={"request": self.request}).data
        assert [len(each["reports"]) for each in data] == [5, 0]
        assert "token=" in data[0]["reports"][0]["file"]

    def test_an_upload(self) -> None:
        upload = SimpleUploadedFile("q4.pdf", b"uploaded")
        serializer = self.serializer(data={"title": "Q4", "file": upload})
        assert serializer.is_valid(), serializer.errors
        saved = serializer.save(owner=self.owner)
        assert saved.file.read() == b"uploaded"
        assert "q4.pdf?token=" in self.serializer(saved).data["file"]


class RichText(ReportsTestCase):
    """The recipe, and authors who mean no good."""

    def shown(self, html: str, *names: str) -> str:
        return str(import_string("reports.texts.with_links")(html, names))

    def test_signs_the_files_of_an_article_with_one_query(self) -> None:
        names = [storage.save(name, ContentFile(b"chart")) for name in ("q 3.png", "a&b.png")]
        html = """<img src="file:q%203.png"> <a href='file:a&amp;b.png'>x</a> <p>file:x</p>"""
        with self.assertNumQueries(1):
            shown = self.shown(html, *names)
        urls = re.findall(r"""=["'](.+?)["']""", shown)
        assert [urlsplit(url).path for url in urls] == ["/files/q%203.png", "/files/a%26b.png"]
        assert all("token=" in url for url in urls)
        assert shown.endswith("<p>file:x</p>")

    def test_signs_nothing_that_only_the_author_names(self) -> None:
        storage.save("charts/q3.png", ContentFile(b"chart"))
        storage.save("secret.pdf", ContentFile(b"secret"))
        hostile = [
            "secret.pdf",
            "charts/../secret.pdf",
            "charts/..%2Fsecret.pdf",
            "charts%2F..%5C..%5Csecret.pdf",
            "../x",
            "/etc/passwd",
            "//evil.example/x",
            "",
            "%00",
            "x%0d%0aSet-Cookie:a",
            "%ff",
            "x" * 5000,
            "charts/q3.png?token=1",
            "CHARTS/q3.png",
            "&#115;ecret.pdf",
        ]
        for name in hostile:
            shown = self.shown(f'<img src="file:{name}">', "charts/q3.png")
            assert shown == '<img src="about:blank">', name

    def test_a_name_does_not_leave_its_attribute(self) -> None:
        names = [
            storage.save(name, ContentFile(b"chart"))
            for name in ("x'/onerror='alert(1)/.png", 'x"/onerror="alert(1)/.png', "<b>.png")
        ]
        for name in names:
            quoted = name.replace("'", "%27").replace('"', "%22")
            for quote in "\"'":
                shown = self.shown(f"<img src={quote}file:{quoted}{quote}>", name)
                assert re.fullmatch(rf"<img src={quote}/files/[^\"'<>]+{quote}>", shown), shown

    def test_a_file_that_is_lost_breaks_no_page(self) -> None:
        assert self.shown('<img src="file:lost.png">', "lost.png") == '<img src="/files/lost.png">'


class Templates(ReportsTestCase):
    """The tags, on a page."""

    def test_each_link_opens(self) -> None:
        packed = storage.save("reports/2026/1.pdf", ContentFile(b"of 2026"))
        self.owner.reports.create(title="1", file=packed)
        context = {
            "report": self.report,
            "reports": [self.report, self.report],
            "film": {"playlist": self.report.file, "folder": "reports"},
        }
        html = render_to_string("pages.html", context)
        *urls, archive = re.findall(r'(?:href|src)="(.+?)"', html)
        assert len(urls) == 5
        for url in urls:
            assert opened(url, self.as_user(self.owner)).getvalue() == b"report", url
        assert b"of 2026" in opened(archive, self.as_user(self.owner)).getvalue()


class Examples(ReportsTestCase):
    """Standalone lines of the pages."""

    def test_each_runs(self) -> None:
        examples = import_string("reports.examples.EXAMPLES")
        assert len(examples) >= 5
        self.request.user = self.owner
        tomorrow = timezone.now() + timedelta(days=1)
        for example in examples:
            point = transaction.savepoint()
            for name in ("a.pdf", "reports/2026/1.pdf", "exports/all.zip", "films/7/index.m3u8"):
                storage.save(name, ContentFile(b"content"))
            if "storage.save" not in example.__doc__:
                storage.save("logo.png", ContentFile(b"logo"))
            example(self.request, tomorrow, ContentFile(b"logo"))
            transaction.savepoint_rollback(point)


class Logs(ReportsTestCase):
    """The filters that keep tokens out of logs and reports."""

    def test_an_error_tracker_gets_no_token(self) -> None:
        storage.save("films/7/1.ts", ContentFile(b"film"))
        file, folder = storage.url("films/7/1.ts"), f"{storage.folder_url('films/7')}1.ts"
        path, _, query = file.partition("?")
        event = {
            "request": {
                "url": f"https://example.com{folder}",
                "query_string": query,
                "headers": {"Referer": f"https://example.com{file}", "Accept": "*/*"},
            },
            "exception": {"values": [{"stacktrace": {"frames": [{"vars": {"url": repr(file)}}]}}]},
            "breadcrumbs": [{"message": f"GET {folder}"}, {"data": (file, 7, None)}],
            "level": "error",
        }
        secrets = [query.partition("=")[2], folder.partition("~")[2].partition("/")[0]]
        sent = json.dumps(import_string("site_.sentry.before_send")(event, {}))
        assert not any(secret in sent for secret in secrets)
        assert all(kept in sent for kept in (path, "error", "example.com", "*/*", "1.ts"))
