"""The admin as a browser meets it: its pages, forms, actions and messages."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from secure_dbstorage.admin.homes import key_of
from secure_dbstorage.models import StoredFile

LIST = "/admin/secure_dbstorage/storedfile/"
ADD = f"{LIST}add/"
BROWSE = f"{LIST}browse/"

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
    b"\x1f\x15\xc4\x89\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99"
    b"=\x1d\x00\x00\x00\x00IEND\xaeB`\x82"
)

#: The answer to the page that asks first.
YES = {"post": "yes"}

LINK = {"operation": "link", "lifetime": "3600", "presentation": "inline"}


def nobody(request: object, file: object, grant: object) -> bool:
    """Let nobody in, as an auth hook."""
    return False


def storage(alias: str = "default") -> Any:
    return storages[alias]


def save(name: str, content: bytes = b"content", alias: str = "default") -> StoredFile:
    saved = storage(alias).save(name, ContentFile(content))
    return row(saved, alias)


def row(name: str, alias: str = "default") -> StoredFile:
    files = StoredFile.objects.using(storage(alias).catalog.writer)
    found: StoredFile = files.get(namespace=storage(alias).options.namespace, name=name)
    return found


def add_heads(database: str, count: int, namespace: str = "") -> None:
    now = timezone.now()
    StoredFile.rows.using(database).bulk_create(
        [
            StoredFile(
                content=number + 1,
                namespace=namespace,
                name=f"many/{number:05}.txt",
                size=0,
                chunk_size=4096,
                sha256="0" * 64,
                content_type="text/plain",
                is_public=False,
                created=now,
                modified=now,
                link_epoch=1,
                data=b"",
            )
            for number in range(count)
        ],
        batch_size=500,
    )


def page(file: StoredFile, which: str = "change") -> str:
    return f"{LIST}{key_of(file).replace(':', '_3A')}/{which}/"


def signed_in(*permissions: str) -> Client:
    """Return the browser of a user who has only these permissions."""
    user = User.objects.create_user(f"user-{User.objects.count()}", is_staff=True)
    codenames = [f"{permission}_storedfile" for permission in permissions]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    assert user.user_permissions.count() == len(permissions)
    client = Client()
    client.force_login(user)
    return client


def body(client: Client, url: str, **data: str) -> str:
    response = client.get(url, data)
    assert response.status_code == 200, response
    return response.text


def messages_of(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def names_in(html: str) -> list[str]:
    """Return the names in the list, in order."""
    return re.findall(r'class="field-full_name"><a href="[^"]+">([^<]+)<', html)


def link_in(response: Any) -> str:
    assert response.status_code == 200
    (link,) = re.findall(r'value="(http://testserver/[^"]+)" readonly', response.text)
    return str(link).replace("&amp;", "&")


def run(client: Client, action: str, files: list[StoredFile], **more: str) -> Any:
    chosen = {"action": action, "_selected_action": [str(file.pk) for file in files], **more}
    if "post" not in more:
        chosen["index"] = "0"
    return client.post(LIST, chosen, follow=True)


def upload(client: Client, **data: Any) -> Any:
    given = {"storage": "default", "file": SimpleUploadedFile("a b.txt", b"words"), **data}
    return client.post(ADD, given, follow=True)


@contextmanager
def no_content_selected(alias: str) -> Iterator[None]:
    """Check that no statement reads the column that holds the content."""
    with CaptureQueriesContext(connections[alias]) as queries:
        yield
    statements = [query["sql"] for query in queries]
    assert statements
    for statement in statements:
        selected, _, _ = statement.partition(" FROM ")
        reads = statement.lstrip("( ").upper().startswith(("SELECT", "WITH"))
        assert not (reads and re.search(r"\bdata\b|\*(?!\))", selected)), statement
