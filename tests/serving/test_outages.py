"""What is logged of an outage, and what a visitor gets while the database is down."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError, connection, connections
from django.http import HttpRequest
from django.test import Client
from pytest_django import Settings

from secure_dbstorage.exceptions import DatabaseUnavailable
from secure_dbstorage.models import StoredFile
from secure_dbstorage.serving import outages
from secure_dbstorage.serving.headers import REFUSAL_HEADERS
from secure_dbstorage.storage import DatabaseStorage
from tests.support.serving import Store, ask


def test_an_outage_is_logged_when_it_begins_and_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outages.end("lamp")
    for _ in range(2):
        outages.begin("lamp", OSError("dark"))
    for _ in range(2):
        outages.end("lamp")
    assert [record.getMessage() for record in caplog.records] == [
        "The lamp is down",
        "The lamp is back",
    ]
    assert caplog.records[0].exc_info


def test_one_database_that_is_down_is_logged_once_while_another_answers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(connections.settings, "broken", connections.settings["default"])
    broken, other = DatabaseStorage(using="broken"), DatabaseStorage(using="default")
    for _ in range(2):
        outages.database_failed(broken, DatabaseUnavailable("gone"))
        outages.database_answered(other)
    outages.database_answered(broken)
    assert caplog.messages == [
        "The database 'broken' is down",
        "The database 'broken' is back",
    ]


def failing(error: Exception, *, word: str = "") -> Callable[..., Any]:
    """Return a wrapper of statements that fail, or of those with this word."""

    def execute(run: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        if word in sql:
            raise error
        return run(sql, params, many, context)

    return execute


@pytest.mark.parametrize("error", [OperationalError("gone away"), InterfaceError("closed")])
@pytest.mark.parametrize("name", ["private.txt", "public.txt", "missing.txt"])
@pytest.mark.django_db
def test_while_the_database_is_down_there_is_a_503_and_one_line(
    store: Store,
    client: Client,
    error: Exception,
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    storage = store()
    url = f"/files/{name}" if name == "missing.txt" else storage.url(name)
    with connection.execute_wrapper(failing(error)):
        answers = [client.get(url) for _ in range(3)]
    for answer in answers:
        assert answer.status_code == 503
        assert int(answer["Retry-After"]) >= 1
        assert REFUSAL_HEADERS.items() <= answer.headers.items()
    assert client.get(url).status_code == (404 if name == "missing.txt" else 200)
    logged = [each.getMessage() for each in caplog.records if "database" in each.getMessage()]
    assert logged == ["The database 'default' is down", "The database 'default' is back"]


@pytest.mark.django_db
def test_a_use_that_can_not_be_kept_opens_nothing(store: Store, client: Client) -> None:
    url = store().url("private.txt", uses=1)
    with connection.execute_wrapper(failing(OperationalError("full"), word="INSERT")):
        assert ask(client, url)[0] == 503
    assert ask(client, url) == (200, b"private")


@pytest.mark.users
@pytest.mark.django_db
def test_limits_by_user_are_refused_too_while_the_users_can_not_be_asked(
    store: Store, client: Client, django_user_model: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client.force_login(django_user_model.objects.create_user("ada"))
    url = store(rate_limit_key="user").url("private.txt")
    with connection.execute_wrapper(failing(OperationalError("gone away"), word="session")):
        for _ in range(2):
            assert client.get(url).status_code == 503
            # The database of the files answers, which says nothing of the users.
            assert client.get("/files/public.txt").status_code == 200
    assert client.get(url).status_code == 200
    logged = [each for each in caplog.messages if "database" in each]
    assert logged == ["The database of the users is down", "The database of the users is back"]


@pytest.mark.django_db
def test_limits_by_a_callable_are_refused_too_while_it_can_not_ask(
    store: Store, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    def tenant(group: str, request: HttpRequest) -> str:
        with connection.cursor() as cursor:
            return str(cursor.execute("SELECT 'tenant'"))

    url = store(rate_limit_key=tenant).url("private.txt")
    with connection.execute_wrapper(failing(OperationalError("gone away"), word="'tenant'")):
        assert client.get(url).status_code == 503
    assert client.get(url).status_code == 200
    logged = [each for each in caplog.messages if "database" in each]
    what = "The database of the rate_limit_key of 'default'"
    assert logged == [f"{what} is down", f"{what} is back"]


def _counts_users(*_: object) -> bool:
    return User.objects.count() >= 0


async def _counts_users_later(*_: object) -> bool:
    return await User.objects.acount() >= 0


@pytest.mark.users
@pytest.mark.parametrize("error", [OperationalError("gone away"), InterfaceError("closed")])
@pytest.mark.parametrize("guard", ["hook", "async hook", "binding"])
@pytest.mark.django_db
def test_while_the_users_can_not_be_asked_the_guards_let_nobody_in_and_say_so_once(
    store: Store, client: Client, error: Exception, guard: str, caplog: pytest.LogCaptureFixture
) -> None:
    user = User.objects.create_user("ada")
    client.force_login(user)
    hooks = {"hook": [_counts_users], "async hook": [_counts_users_later]}
    storage = store(auth_hooks=hooks.get(guard, []))
    bound = {"user": user} if guard == "binding" else {}
    url = storage.url("private.txt", **bound)
    with connection.execute_wrapper(failing(error, word="auth_user")):
        answers = [client.get(url) for _ in range(3)]
        # Public files ask nobody.
        assert client.get("/files/public.txt").status_code == 200
    for answer in answers:
        assert answer.status_code == 503
        assert int(answer["Retry-After"]) >= 1
        assert REFUSAL_HEADERS.items() <= answer.headers.items()
    assert ask(client, url) == (200, b"private")
    logged = [each.getMessage() for each in caplog.records if "database" in each.getMessage()]
    what = "the users" if guard == "binding" else "the auth hooks of 'default'"
    assert logged == [f"The database of {what} is down", f"The database of {what} is back"]


@pytest.mark.django_db
def test_a_table_that_was_not_migrated_is_an_error(
    store: Store, client: Client, settings: Settings
) -> None:
    url = store().url("private.txt")
    client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {StoredFile._meta.db_table} RENAME TO elsewhere")
    assert client.get(url).status_code == 500


@pytest.mark.django_db
def test_a_conflict_is_a_503_and_no_outage(
    store: Store, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends an outage: the database has answered."""
    url = store().url("private.txt", uses=1)
    gone, deadlock = OperationalError("gone away"), OperationalError(1213, "Deadlock found")
    for error in (deadlock, gone, deadlock, deadlock):
        with connection.execute_wrapper(failing(error, word="INSERT")):
            answer = client.get(url)
        assert (answer.status_code, "Retry-After" in answer) == (503, True)
    assert ask(client, url) == (200, b"private")
    refused = "The database 'default' refused a change that conflicts with others"
    logged = [each for each in caplog.messages if "database" in each]
    down, back = (f"The database 'default' is {word}" for word in ("down", "back"))
    assert logged == [refused, down, back, refused, refused]
