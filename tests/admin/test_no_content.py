"""No page of the admin loads the content of files."""

import pytest
from django.test import Client

from secure_dbstorage.models import StoredFile
from tests.support.admin import BROWSE, LIST, YES, body, no_content_selected, page, run

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])


def test_the_check_that_no_content_is_read_can_fail(database: str) -> None:
    with pytest.raises(AssertionError), no_content_selected(database):
        list(StoredFile.rows.using(database).all())


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"q": "a/"},
        {"q": "*large"},
        {"q": "picture"},
        {"o": "-6"},
        {"o": "6"},
        {"o": "-1"},
        {"storage": "default"},
        {"storage": "invoices"},
        {"visibility": "private"},
        {"type": "image"},
        {"type": "other"},
        {"size": "1m"},
        {"modified": "today"},
        {"modified": "older"},
    ],
    ids=str,
)
def test_the_list_reads_no_content(
    crowd: list[StoredFile], database: str, chief: Client, query: dict[str, str]
) -> None:
    with no_content_selected(database):
        body(chief, LIST, **query)


def test_the_pages_of_a_file_read_no_content(
    crowd: list[StoredFile], database: str, chief: Client
) -> None:
    large = crowd[1]
    for which in ("change", "history", "delete"):
        with no_content_selected(database):
            body(chief, page(large, which))
    for data in (
        {"operation": "rename", "name": "a/other.bin"},
        {"operation": "public", **YES},
        {"operation": "private"},
        {"operation": "revoke", **YES},
        {"operation": "link", "lifetime": "3600", "presentation": "inline"},
    ):
        with no_content_selected(database):
            response = chief.post(page(large), data, follow=True)
        assert response.status_code == 200
    with no_content_selected(database):
        assert chief.post(page(large, "delete"), {"post": "yes"}).status_code == 302
    assert not StoredFile.rows.using(database).filter(content=large.content).exists()


def test_browsing_reads_no_content(crowd: list[StoredFile], database: str, chief: Client) -> None:
    with no_content_selected(database):
        html = body(chief, f"{BROWSE}default/a")
    assert "large.bin" in html
    assert "text.txt" not in html


def test_actions_read_no_content(crowd: list[StoredFile], database: str, chief: Client) -> None:
    terms = {"post": "yes", "lifetime": "3600", "presentation": "inline"}
    for action, more in (
        ("make_public", YES),
        ("make_private", {}),
        ("revoke_links", YES),
        ("make_links", {}),
        ("make_links", terms),
        ("delete_selected", {}),
        ("delete_selected", {"post": "yes"}),
    ):
        with no_content_selected(database):
            assert run(chief, action, crowd, **more).status_code == 200
    assert not StoredFile.rows.using(database).exists()


def test_deleting_reads_no_content_even_with_a_signal_receiver(
    crowd: list[StoredFile], database: str, chief: Client
) -> None:
    from django.db.models.signals import post_delete

    def listen(**_: object) -> None:
        """Make QuerySet.delete() load whole rows."""

    post_delete.connect(listen, sender=StoredFile)
    try:
        with no_content_selected(database):
            run(chief, "delete_selected", crowd, post="yes")
    finally:
        post_delete.disconnect(listen, sender=StoredFile)
    assert not StoredFile.rows.using(database).exists()
