"""Refusals: pages and problems, and what a project may change about them."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client, RequestFactory
from pytest_django import Settings

from secure_dbstorage.serving.headers import REFUSAL_HEADERS
from secure_dbstorage.serving.refusals import Reason, Refused, refuse
from tests.support.serving import Store


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_is_a_page_with_all_the_protective_headers(reason: Reason) -> None:
    request = RequestFactory().get("/files/secret.txt")
    response = refuse(request, Refused(reason, headers={"X-More": "1"}))
    assert response.status_code == reason.status
    assert dict(response.headers) == {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": str(len(response.content)),
        **REFUSAL_HEADERS,
        "X-More": "1",
    }
    assert b"<h1>" in response.content
    assert b"secret" not in response.content


def test_a_refused_head_has_no_body() -> None:
    refused = Refused(Reason.MISSING)
    page = refuse(RequestFactory().get("/"), refused)
    head = refuse(RequestFactory().head("/"), refused)
    assert head.content == b""
    assert head["Content-Length"] == page["Content-Length"] == str(len(page.content))


# --- in the view ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["private.txt", "private.txt?token=bad", "a//b"])
@pytest.mark.django_db
def test_a_refusal_touches_no_session_and_names_no_file(
    store: Store, client: Client, settings: Settings, name: str
) -> None:
    settings.SESSION_SAVE_EVERY_REQUEST = True
    store()
    answer = client.get(f"/files/{name}")
    assert not answer.cookies
    assert not answer.has_header("Vary")
    assert not answer.wsgi_request.session.accessed
    assert b"private" not in answer.content
    assert b"bad" not in answer.content


def _engine(**options: Any) -> dict[str, Any]:
    return {"BACKEND": "django.template.backends.django.DjangoTemplates", **options}


@pytest.mark.parametrize("templates", [[], [_engine()], [_engine(APP_DIRS=True)]])
@pytest.mark.django_db
def test_a_project_without_templates_gets_the_page_all_the_same(
    store: Store, client: Client, settings: Settings, templates: list[dict[str, Any]]
) -> None:
    store()
    page = client.get("/files/missing.txt").content
    settings.TEMPLATES = templates
    answer = client.get("/files/missing.txt")
    assert answer.status_code == 404
    assert answer.content == page
    assert b"There is nothing here" in page


@pytest.mark.django_db
def test_a_project_can_have_a_page_of_its_own(
    store: Store, client: Client, settings: Settings, tmp_path: Path
) -> None:
    directory = tmp_path / "secure_dbstorage"
    directory.mkdir()
    page = "{{ status }}|{{ title }}|{{ text }}|{{ request }}{{ user }}{{ csrf_token }}"
    (directory / "refused.html").write_text(page)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    store()
    answer = client.get("/files/missing.txt")
    assert answer.content.decode() == (
        "404|There is nothing here|"
        "Check that the address is complete, or ask whoever gave it to you.|"
    )
    assert not answer.cookies
    assert "sandbox" in answer["Content-Security-Policy"]


@pytest.mark.django_db
def test_head_of_a_refusal_has_the_length_of_its_page(store: Store, client: Client) -> None:
    store()
    page, head = client.get("/files/missing.txt"), client.head("/files/missing.txt")
    assert head.content == b""
    assert int(head["Content-Length"]) == len(page.content)
