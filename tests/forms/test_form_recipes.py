"""The code of the page about uploads, for forms and for APIs."""

from types import SimpleNamespace
from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models
from django.test.utils import isolate_apps
from rest_framework import serializers

from secure_dbstorage.forms import UploadField, UploadInput
from secure_dbstorage.storage import DatabaseStorage
from tests.support.pages import UPLOADS, blocks, section
from tests.support.uploads import CONTENT, Uploader

pytestmark = pytest.mark.django_db

SIZE = len(CONTENT)


def sent(name: str) -> str:
    return Uploader().sent(DatabaseStorage().upload_url(max_size=SIZE), CONTENT, name)


@isolate_apps("tests.testapp")
def run_blocks(title: str, **names: Any) -> SimpleNamespace:
    """Run the code of a chapter in a module that has a model with a file."""

    class Report(models.Model):
        title = models.CharField(max_length=20)
        file = models.FileField()

        class Meta:
            app_label = "testapp"

        def __str__(self) -> str:
            return self.title

    given = {"admin": admin, "forms": forms, "models": models, "Report": Report}
    module = given | {"UploadInput": UploadInput, "storage": DatabaseStorage(), **names}
    for block in blocks(section(UPLOADS, title), "python"):
        exec(block, module)  # noqa: S102 -- ours
    return SimpleNamespace(**module)


def test_the_form_takes_an_upload_within_its_limits() -> None:
    form_class = run_blocks("In a form").ReportForm
    form = form_class({"title": "x", "file-upload": sent("a.pdf")})
    assert form.is_valid(), form.errors
    assert not form_class({"title": "x", "file-upload": sent("a.txt")}).is_valid()


def test_the_form_of_a_user_makes_a_link_for_them() -> None:
    form_class, user = run_blocks("In a form").OwnReportForm, User.objects.create_user("ada")
    form = form_class({"title": "x", "file-upload": sent("a.pdf")}, user=user)
    assert not form.is_valid()
    begin = form.as_p().partition('data-begin="')[2].partition('"')[0]
    assert Uploader().create(begin, 1).status_code == 403


def test_the_admin_has_the_field_and_its_widget() -> None:
    code = run_blocks("In a form")
    report_admin: Any = code.ReportAdmin(code.Report, admin.AdminSite())
    form_class = report_admin.get_form(None, fields=["file"])
    field: Any = form_class.base_fields["file"]
    assert isinstance(field, UploadField)
    assert type(field.widget).__name__ == "UploadInput"
    assert field.max_size == 2 * 2**30


def test_the_field_of_the_rest_framework_takes_an_upload() -> None:
    class ReportSerializer(serializers.Serializer[Any]):
        file = run_blocks("In an API", serializers=serializers).UploadedFileField()

    good = ReportSerializer(data={"file": sent("a.mp4")})
    assert good.is_valid(), good.errors
    assert good.validated_data["file"].read() == CONTENT
    for value, code in [
        (sent("a.txt"), "file_type"),
        ("x", "upload_invalid"),
        (7, "invalid"),
        ("", "upload_invalid"),
    ]:
        bad = ReportSerializer(data={"file": value})
        assert not bad.is_valid()
        assert bad.errors["file"][0].code == code
