"""Links open only for the user or network that they are bound to."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from tests.support.serving import Store, body_of

pytestmark = pytest.mark.django_db


@pytest.mark.users
def test_a_link_for_a_user_opens_for_them_alone(store: Store, client: Client) -> None:
    ada, eve = (User.objects.create_user(name) for name in ("ada", "eve"))
    url = store().url("private.txt", user=ada)
    assert client.get(url).status_code == 403
    client.force_login(eve)
    assert client.get(url).status_code == 403
    client.force_login(ada)
    answer = client.get(url)
    assert body_of(answer) == b"private"
    assert answer["Cache-Control"] == "private, no-store"


def test_a_link_for_a_user_opens_for_nobody_where_there_are_no_users(
    store: Store, client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.MIDDLEWARE = []
    assert client.get(store().url("private.txt", user=1)).status_code == 403
    assert "AuthenticationMiddleware" in caplog.text


@pytest.mark.parametrize(
    ("meta", "status"),
    [
        ({"REMOTE_ADDR": "203.0.113.9"}, 200),
        ({"REMOTE_ADDR": "::ffff:203.0.113.9"}, 200),
        ({"REMOTE_ADDR": "203.0.114.9"}, 403),
        ({"REMOTE_ADDR": "2001:db8::1"}, 403),
        ({"REMOTE_ADDR": "203.0.114.9", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}, 403),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}, 200),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9, 1.2.3.4"}, 403),
    ],
)
def test_a_link_for_a_network_opens_from_there_alone(
    store: Store, client: Client, meta: dict[str, Any], status: int
) -> None:
    url = store(trusted_proxies=["10.0.0.0/8"]).url("private.txt", ip="203.0.113.0/24")
    answer = client.get(url, **meta)
    assert answer.status_code == status
    if status == 403:
        assert "doesn’t work from here".encode() in answer.content


def test_behind_a_proxy_that_nobody_configured_a_link_for_a_network_opens_nowhere(
    store: Store, client: Client
) -> None:
    url = store().url("private.txt", ip="127.0.0.1")
    assert client.get(url, HTTP_X_FORWARDED_FOR="127.0.0.1").status_code == 403
    assert client.get(url).status_code == 200


@pytest.mark.parametrize("peer", ["unknown", "nonsense", "1.2.3"])
def test_a_peer_that_is_no_address_opens_no_link_for_a_network(
    store: Store, client: Client, peer: str
) -> None:
    for proxies in ([], ["127.0.0.0/8"]):
        url = store(trusted_proxies=proxies).url("private.txt", ip="203.0.113.9")
        meta = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": "203.0.113.9"}
        assert client.get(url, **meta).status_code == 403
        local = store(trusted_proxies=proxies).url("private.txt", ip="127.0.0.1")
        assert client.get(local, REMOTE_ADDR=peer).status_code == 403


def test_a_file_is_not_read_before_the_binding_of_its_link_is_checked(
    store: Store, client: Client
) -> None:
    url = store().url("private.txt", ip="203.0.113.9")
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 403
    assert not any('"data"' in query["sql"] for query in queries)


def test_bindings_come_before_hooks(store: Store, client: Client) -> None:
    asked: list[object] = []
    storage = store(auth_hooks=[lambda *arguments: asked.append(arguments)])
    client.get(storage.url("private.txt", ip="203.0.113.9"))
    assert asked == []


def test_behind_an_unnamed_proxy_no_link_for_a_network_opens(store: Store, client: Client) -> None:
    url = store().url("private.txt", ip="10.0.0.0/8")
    assert client.get(url, REMOTE_ADDR="10.0.0.5").status_code == 200
    through = {"REMOTE_ADDR": "10.0.0.5", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}
    assert client.get(url, **through).status_code == 403
    url = store(trusted_proxies=["10.0.0.5/32"]).url("private.txt", ip="203.0.113.9")
    assert client.get(url, **through).status_code == 200


def test_a_link_for_nobody_opens_for_nobody(store: Store, client: Client) -> None:
    storage = store()
    for user in ("0", "-1"):
        assert client.get(storage.url("private.txt", user=user)).status_code == 403
