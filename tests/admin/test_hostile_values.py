"""No value in a form, a query string or a path of the admin causes a server error."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from tests.support.admin import ADD, BROWSE, LINK, LIST, YES, messages_of, page, save

# Users and sessions are in "default", wherever the files are.
pytestmark = pytest.mark.django_db(databases=["default"])

#: What an attacker may put into a field, as the bytes of a request.
HOSTILE = [
    *(b"", b"\0", b"garbage", b"-1", b"0", b"1.5", b"1e999", b"nan", b"9" * 30, b"true"),
    *("\u0663".encode(), b"\xff\xfe", b"\xed\xa0\x80", "\u202e".encode(), b"a" * 5000),
    *(b"default:1", b"nowhere:1", b":", b"../x", b"%00", b"<b>'\"", b"[]"),
]

FORMS = {
    "action": {"action": "make_public", "index": "0", "select_across": "0", **YES},
    "links": {"action": "make_links", "lifetime": "3600", "presentation": "inline", **YES},
    "deletion": {"action": "delete_selected", "index": "0"},
    "link": {**LINK, "once": "on"},
    "rename": {"operation": "rename", "name": "b.txt", **YES},
    "visibility": {"operation": "public", **YES},
}


@pytest.fixture
def stubborn(chief: Client) -> Client:
    """Return a browser that gets a page for an error, as visitors do."""
    chief.raise_request_exception = False
    return chief


class _UndoneError(Exception):
    pass


@contextmanager
def undone() -> Iterator[None]:
    """Roll back what a request changes."""
    with suppress(_UndoneError), transaction.atomic():
        yield
        raise _UndoneError


def post(client: Client, url: str, fields: dict[str, bytes]) -> int:
    body = "&".join(f"{name}={quote(value)}" for name, value in fields.items())
    with undone():
        answer = client.post(url, body, content_type="application/x-www-form-urlencoded")
    return int(answer.status_code)


@pytest.mark.sweep
@pytest.mark.parametrize("form", FORMS)
def test_no_value_in_a_form_is_an_error(stubborn: Client, form: str) -> None:
    file = save("a.txt")
    given = {name: value.encode() for name, value in FORMS[form].items()}
    url = page(file)
    if "action" in given:
        url, given["_selected_action"] = LIST, str(file.pk).encode()
    assert post(stubborn, url, given) in (200, 302)
    failed = [
        (name, value[:20])
        for name in given
        for value in HOSTILE
        if post(stubborn, url, given | {name: value}) >= 500
    ]
    assert failed == []


@pytest.mark.parametrize("field", ["storage", "directory", "name", "visibility", "file"])
def test_no_value_in_an_upload_is_an_error(stubborn: Client, field: str) -> None:
    for value in HOSTILE:
        text = value.decode("utf-8", "replace")
        given: dict[str, Any] = {"storage": "default", "directory": "", "name": "", field: text}
        if field != "file":
            given["file"] = SimpleUploadedFile("a b.txt", b"words")
        with undone():
            answer = stubborn.post(ADD, given)
        assert answer.status_code in (200, 302), value[:20]


def test_no_key_or_path_in_a_url_is_an_error(stubborn: Client) -> None:
    save("a.txt")
    for value in HOSTILE:
        key = quote(value, safe="")
        pages = [f"{LIST}{key}/{which}/" for which in ("change", "delete", "history", "open")]
        for url in (*pages, f"{LIST}{key}/", f"{BROWSE}{key}/", f"{BROWSE}default/{key}"):
            for answer in (stubborn.get(url), stubborn.post(url)):
                assert answer.status_code < 500, url


@pytest.mark.parametrize("more", [{"index": "0"}, YES])
def test_a_selection_of_garbage_says_that_nothing_was_selected(
    stubborn: Client, more: dict[str, str]
) -> None:
    file = save("a.txt")
    chosen = {"action": "delete_selected", "_selected_action": ["garbage", "9" * 30], **more}
    answer = stubborn.post(LIST, chosen, follow=True)
    assert messages_of(answer) == ["No file was selected."]
    chosen["_selected_action"] = ["garbage", str(file.pk)]
    assert "a.txt" in stubborn.post(LIST, chosen, follow=True).text
