"""Django REST Framework: a serializer's FileField gives links, as it does with S3."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.files.base import ContentFile
from django.db.models.fields.files import FieldFile
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries
from rest_framework import serializers

from secure_dbstorage.storage import DatabaseStorage

pytestmark = pytest.mark.django_db


class ReportSerializer(serializers.Serializer[Any]):
    """The usual serializer."""

    file = serializers.FileField(use_url=True)


class LinkedReports(serializers.ListSerializer[Any]):
    """Makes all links of a list with one query, as in the README."""

    def to_representation(self, data: Any) -> Any:
        reports = list(data)
        storage = DatabaseStorage()
        self.context["urls"] = storage.urls(report.file.name for report in reports)
        return super().to_representation(reports)


class LinkedReportSerializer(serializers.Serializer[Any]):
    """Takes its links from the list serializer."""

    file = serializers.SerializerMethodField()

    class Meta:
        list_serializer_class = LinkedReports

    def get_file(self, report: Any) -> str:
        url = self.context["urls"][report.file.name]
        return str(self.context["request"].build_absolute_uri(url))


@pytest.fixture
def reports() -> list[Any]:
    """Return objects that look like model instances to a serializer."""
    storage = DatabaseStorage()
    names = [storage.save(f"{number}.pdf", ContentFile(b"report")) for number in range(3)]
    field: Any = SimpleNamespace(storage=storage)
    return [SimpleNamespace(file=FieldFile(None, field, name)) for name in names]  # type: ignore[arg-type]


def test_a_file_field_gives_a_whole_url_that_opens(reports: list[Any], client: Client) -> None:
    context = {"request": RequestFactory().get("/")}
    url = ReportSerializer(reports[0], context=context).data["file"]
    assert url.startswith("http://testserver/files/0.pdf?token=")
    parts = urlsplit(url)
    assert client.get(f"{parts.path}?{parts.query}").content == b"report"


def test_a_list_can_take_one_query(
    reports: list[Any], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    context = {"request": RequestFactory().get("/")}
    with django_assert_num_queries(1):
        data = LinkedReportSerializer(reports, many=True, context=context).data
    assert [urlsplit(each["file"]).path for each in data] == [
        "/files/0.pdf",
        "/files/1.pdf",
        "/files/2.pdf",
    ]
