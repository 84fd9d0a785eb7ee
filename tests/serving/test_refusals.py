"""Refusals: pages and problems, and what a project may change about them."""

import json
import re
from gettext import NullTranslations
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import trans_real
from pytest_django import Settings

from secure_dbstorage.serving.headers import REFUSAL_HEADERS
from secure_dbstorage.serving.refusals import Reason, Refused, refuse
from tests.support.mounting import mounted
from tests.support.serving import Store


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_is_a_page_with_all_the_protective_headers(reason: Reason) -> None:
    request = RequestFactory().get("/files/secret.txt")
    response = refuse(request, Refused(reason, headers={"X-More": "1"}))
    assert response.status_code == reason.status
    assert dict(response.headers) == {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Language": "en",
        "Content-Length": str(len(response.content)),
        **REFUSAL_HEADERS,
        "X-More": "1",
    }
    assert b"<h1>" in response.content
    assert b"secret" not in response.content


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_refused_head_has_no_body(accept: str) -> None:
    refused, headers = Refused(Reason.MISSING), {"Accept": accept}
    body = refuse(RequestFactory().get("/", headers=headers), refused)
    head = refuse(RequestFactory().head("/", headers=headers), refused)
    assert head.content == b""
    assert head.headers == body.headers
    assert head["Content-Length"] == str(len(body.content))


@pytest.mark.parametrize("reason", Reason)
def test_a_client_that_prefers_json_gets_a_problem_with_the_same_headers(reason: Reason) -> None:
    request = RequestFactory().get(
        "/files/secret.txt", {"token": "SECRET"}, headers={"Accept": "application/json"}
    )
    response = refuse(request, Refused(reason, headers={"X-More": "1"}))
    assert response.status_code == reason.status
    assert dict(response.headers) == {
        "Content-Type": "application/problem+json",
        "Content-Language": "en",
        "Content-Length": str(len(response.content)),
        **REFUSAL_HEADERS,
        "X-More": "1",
    }
    assert json.loads(response.content) == {
        "type": "about:blank",
        "title": reason.status.phrase,
        "status": int(reason.status),
        "detail": f"{reason.title}. {reason.text}",
        "reason": reason.value,
    }
    assert b"secret" not in response.content.lower()


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("text/html", False),
        ("application/json", True),
        ("application/problem+json", True),
        ("text/html;q=0.5, application/json;q=0.4", False),
        ("text/html;q=0.4, application/json;q=0.5", True),
    ],
)
def test_accept_decides_between_page_and_problem(accept: str | None, *, is_json: bool) -> None:
    headers = {} if accept is None else {"Accept": accept}
    response = refuse(RequestFactory().get("/", headers=headers), Refused(Reason.MISSING))
    kind = "application/problem+json" if is_json else "text/html; charset=utf-8"
    assert response["Content-Type"] == kind


def test_no_two_reasons_share_their_texts() -> None:
    assert len({reason.value for reason in Reason}) == len(Reason)
    assert len({(str(reason.title), str(reason.text)) for reason in Reason}) == len(Reason)
    for reason in Reason:
        assert isinstance(reason.title, Promise)
        assert isinstance(reason.text, Promise)
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", reason.value)
        assert re.fullmatch(r"[A-Z].*[^.]", str(reason.title))
        assert re.fullmatch(r"[A-Z].*\.", str(reason.text))
        assert 400 <= reason.status < 600


class Spanish(NullTranslations):
    """A catalog in which all is translated."""

    def gettext(self, message: str) -> str:
        """Translate a text, or the code of the language, which has a context in front."""
        return "es" if "\x04" in message else f"¡{message}!"


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_refusal_is_in_the_active_language(accept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(trans_real._translations, "es", Spanish())
    request = RequestFactory().get("/", headers={"Accept": accept})
    with translation.override("es"):
        response = refuse(request, Refused(Reason.EXPIRED))
    assert response["Content-Language"] == "es"
    assert response["Content-Length"] == str(len(response.content))
    if accept == "text/html":
        assert '<html lang="es">' in response.content.decode()
        assert "¡This link has expired!" in response.content.decode()
    else:
        detail = json.loads(response.content)["detail"]
        assert detail == "¡This link has expired!. ¡Ask for a new one.!"


@pytest.mark.parametrize(
    ("language", "named", "title"),
    [
        ("de", "de", "Dieser Link ist abgelaufen"),
        ("de-at", "de", "Dieser Link ist abgelaufen"),
        ("fr", "fr", "Ce lien a expiré"),
    ],
)
def test_a_refusal_is_translated(language: str, named: str, title: str) -> None:
    with translation.override(language):
        response = refuse(RequestFactory().get("/"), Refused(Reason.EXPIRED))
    assert response["Content-Language"] == named
    assert f"<h1>{title}</h1>" in response.content.decode()


@pytest.mark.django_db
def test_the_language_is_that_of_the_visitor(
    store: Store, client: Client, settings: Settings
) -> None:
    settings.MIDDLEWARE = ["django.middleware.locale.LocaleMiddleware", *settings.MIDDLEWARE]
    store()
    with translation.override("fr"):
        url = mounted("/files/missing.txt")  # Some projects have the language in the path.
    with translation.override("en"):  # Afterwards it is as before.
        answer = client.get(url, headers={"Accept-Language": "fr, en;q=0.5"})
    assert answer["Content-Language"] == "fr"
    assert "Il n’y a rien ici" in answer.content.decode()


@pytest.mark.parametrize("language", ["xx", "en-gb", None])
def test_a_language_without_a_catalog_does_not_name_itself(language: str | None) -> None:
    with translation.override(language):
        response = refuse(RequestFactory().get("/"), Refused(Reason.EXPIRED))
    assert response["Content-Language"] == "en"
    assert b'<html lang="en">' in response.content


# --- in the view ---------------------------------------------------------------------------------


@pytest.mark.users
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
def test_a_project_without_templates_gets_the_page_too(
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
def test_a_project_can_replace_the_page(
    store: Store, client: Client, settings: Settings, tmp_path: Path
) -> None:
    directory = tmp_path / "secure_dbstorage"
    directory.mkdir()
    ours = "{{ reason }}|{{ language }}|{{ status }}|{{ title }}|{{ text }}"
    page = ours + "|{{ request }}{{ user }}{{ csrf_token }}"
    (directory / "refused.html").write_text(page)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    store()
    answer = client.get("/files/missing.txt")
    assert answer.content.decode() == (
        "missing|en|404|There is nothing here|"
        "Check that the address is complete, or ask the person who gave it to you.|"
    )
    assert not answer.cookies
    assert "sandbox" in answer["Content-Security-Policy"]


@pytest.mark.django_db
def test_head_of_a_refusal_has_the_length_of_its_page(store: Store, client: Client) -> None:
    store()
    page, head = client.get("/files/missing.txt"), client.head("/files/missing.txt")
    assert head.content == b""
    assert int(head["Content-Length"]) == len(page.content)


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize("name", ["missing.txt", "private.txt", "a//b"])
@pytest.mark.django_db
def test_shared_caches_keep_for_a_second_that_there_is_nothing(
    store: Store, client: Client, settings: Settings, name: str, method: str
) -> None:
    settings.SESSION_SAVE_EVERY_REQUEST = True
    store()
    answer = getattr(client, method)(f"/files/{name}")
    assert answer.status_code == 404
    assert answer["Cache-Control"] == "public, max-age=0, s-maxage=1"
    assert not answer.has_header("Vary")
    answer.set_cookie("a", "b")
    assert not answer.cookies


@pytest.mark.parametrize(
    "headers", [{"Accept": "application/json, text/plain, */*"}, {"Sec-Fetch-Dest": "script"}]
)
@pytest.mark.parametrize("name", ["private.txt", "missing.txt"])
@pytest.mark.django_db
def test_whoever_asks_for_nothing_renews_what_caches_keep(
    store: Store, client: Client, name: str, headers: dict[str, str]
) -> None:
    """Or a cache that renews in the background would keep a file that was made private."""
    store()
    answer = client.get(f"/files/{name}", headers=headers)
    assert answer.status_code == 404
    assert answer["Cache-Control"] == "public, max-age=0, s-maxage=1"


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("private.txt?token=bad", {}),
        ("private.txt?token=", {}),
        ("a//b?token=bad", {}),
        ("public.txt", {"Sec-Fetch-Dest": "script"}),
        ("public.txt", {"If-Match": '"x"'}),
        ("public.txt", {"Range": "bytes=99-"}),
    ],
)
@pytest.mark.django_db
def test_no_cache_keeps_any_other_refusal(
    store: Store, client: Client, name: str, headers: dict[str, str]
) -> None:
    store()
    answer = client.get(f"/files/{name}", headers=headers)
    assert answer.status_code >= 400
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_no_cache_keeps_a_refusal_to_a_link(store: Store, client: Client) -> None:
    storage = store()
    file, folder = storage.url("private.txt"), storage.folder_url("a") + "none.txt"
    storage.delete("private.txt")
    for url in (file, folder):
        answer = client.get(url)
        assert answer.status_code == 403
        assert answer["Cache-Control"] == "no-store"
