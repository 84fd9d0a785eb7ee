"""The servers start, answer, and are gone afterwards; fixtures give what they promise."""

import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import httpx
import psutil
import pymysql
import pytest
import redis
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.files.storage import storages
from django.db import connections

from tests.conftest import StartWebServer
from tests.servers import places
from tests.servers.drivers import require_driver, require_mysqlclient
from tests.servers.mariadb import MariaDBServer
from tests.servers.nginx import NginxServer
from tests.servers.postgres import PostgresServer
from tests.servers.process import LOOPBACK, ServerProcess, StartFailed, accepts, free_port
from tests.servers.unavailable import Unavailable, find_program, skip_or_fail
from tests.servers.valkey import ValkeyServer
from tests.servers.web import Kind

pytestmark = pytest.mark.servers

VENDORS = {"default": "sqlite", "postgres": "postgresql", "mariadb": "mysql"}


def test_a_database_is_of_its_vendor_and_migrated(database: str) -> None:
    User.objects.using(database).create(username="somebody")
    assert connections[database].vendor == VENDORS[database]
    assert User.objects.using(database).count() == 1


def test_a_database_is_empty_again(database: str) -> None:
    assert User.objects.using(database).count() == 0


def test_storages_use_the_database_of_the_test(database: str) -> None:
    for alias in ("default", "invoices"):
        storage: Any = storages[alias]
        assert storage.deconstruct()[2]["using"] == database


@pytest.mark.django_db(transaction=True)
def test_threads_see_commits_and_write_side_by_side(database: str) -> None:
    User.objects.using(database).create(username="first")

    def add(number: int) -> None:
        assert User.objects.using(database).filter(username="first").exists()
        User.objects.using(database).create(username=f"user{number}")
        connections[database].close()

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert User.objects.using(database).count() == 9


def test_valkey_is_the_cache_and_is_emptied(valkey: str) -> None:
    assert redis.Redis.from_url(valkey).dbsize() == 0
    cache.set("key", "value")
    assert redis.Redis.from_url(valkey).dbsize() == 1


@pytest.mark.sweep
@pytest.mark.parametrize("kind", get_args(Kind))
def test_each_web_server_answers_and_is_gone_after_stop(
    web_server: StartWebServer, kind: Kind
) -> None:
    server = web_server(kind)
    family = [server.pid, *(p.pid for p in psutil.Process(server.pid).children(recursive=True))]
    assert httpx.get(f"{server.url}/nowhere").status_code == 404
    assert server.rss() > 2**20
    server.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url)
    assert _are_gone(family)


@pytest.mark.parametrize("kind", ["uvicorn", "hypercorn"])
def test_a_long_request_is_answered_in_however_many_pieces_it_comes(
    web_server: StartWebServer, kind: Kind
) -> None:
    port = web_server(kind).port
    head = b"GET /files/a?token=%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"A" * 60 * 1024)
    with socket.create_connection((LOOPBACK, port), timeout=60) as connection:
        connection.sendall(head[: 20 * 1024])
        # The server has read that when it answers somebody who came later.
        assert httpx.get(f"http://{LOOPBACK}:{port}/nowhere").status_code == 404
        connection.sendall(head[20 * 1024 :])
        assert connection.recv(12) == b"HTTP/1.1 403"


@pytest.mark.sweep
def test_a_web_server_sees_files_saved_by_the_test(
    database: str, web_server: StartWebServer, valkey: str
) -> None:
    User.objects.db_manager(database).create_superuser("root", password="secret")
    server = web_server("gunicorn", workers=2)
    with httpx.Client(base_url=server.url, follow_redirects=True) as client:
        token = client.get("/admin/login/").cookies["csrftoken"]
        form = {"username": "root", "password": "secret", "csrfmiddlewaretoken": token}
        assert "Log out" in client.post("/admin/login/?next=/admin/", data=form).text


def test_a_web_server_that_cannot_start_says_why(web_server: StartWebServer) -> None:
    with pytest.raises(StartFailed, match="no_such_settings"):
        web_server("uvicorn", settings="tests.no_such_settings")


def test_nginx_stands_in_front(
    nginx: Callable[..., NginxServer], web_server: StartWebServer
) -> None:
    server = web_server("uvicorn")
    front = nginx(f"location / {{ proxy_pass {server.url}; }}")
    answer = httpx.get(f"{front.url}/nowhere")
    assert (answer.status_code, answer.headers["Server"].split("/")[0]) == (404, "nginx")
    front.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(front.url)


@pytest.mark.sweep
@pytest.mark.parametrize("kind", [PostgresServer, MariaDBServer, ValkeyServer])
def test_a_database_server_is_gone_after_stop(kind: type) -> None:
    try:
        with kind(places.unused("another")) as server:
            assert psutil.pid_exists(server.pid)
    except Unavailable as error:
        skip_or_fail(str(error))
    assert not psutil.pid_exists(server.pid)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_tests_are_killed(end: signal.Signals, tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from tests.servers.process import ServerProcess\n"
        "server = ServerProcess(['sleep', '600'], log=Path(sys.argv[1]))\n"
        "print(server.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    ) as tests:
        assert tests.stdout is not None
        pid = int(tests.stdout.readline())
        assert psutil.pid_exists(pid)
        tests.send_signal(end)
    assert _are_gone([pid])


def test_a_server_that_ends_at_once_is_not_waited_for(tmp_path: Path) -> None:
    process = ServerProcess(["sh", "-c", "echo broken; exit 3"], log=tmp_path / "log")
    with pytest.raises(StartFailed, match="broken"):
        process.wait_until(lambda: False)


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(Unavailable, match=r"no-such-program is not installed .*no-package"):
        find_program("no-such-program", package="no-package")


def test_a_server_without_a_driver_is_missing_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Unavailable, match="postgres has no driver here"):
        require_driver("postgres")


def test_pymysql_in_its_place_is_not_mysqlclient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "MySQLdb", pymysql)
    require_driver("mariadb")
    with pytest.raises(Unavailable, match="mysqlclient is not installed"):
        require_mysqlclient()


def test_no_port_for_servers_is_one_that_browsers_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = iter([10080, 10081, 10082, 10083])
    monkeypatch.setattr(random.SystemRandom, "randrange", lambda *_: next(chosen))
    assert free_port() > 10080


def test_anothers_server_on_the_port_is_not_taken_for_ours(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        sleeping = ServerProcess([sys.executable, "-c", "input()"], log=tmp_path / "log")
        try:
            assert accepts((LOOPBACK, port))
            assert not sleeping.listens(port)
        finally:
            sleeping.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the ports of clients")
def test_ports_for_servers_are_none_that_clients_get() -> None:
    first, _ = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert all(1024 < free_port() < first for _ in range(20))


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail), ("", pytest.skip)])
def test_a_missing_program_skips_but_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: Any
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome.Exception, match="the reason"):
        skip_or_fail("the reason")


def _are_gone(pids: list[int]) -> bool:
    """Wait until all these processes have ended, for which orphans may need a moment."""
    deadline = time.monotonic() + 60
    while (some_live := any(map(_lives, pids))) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not some_live


def _lives(pid: int) -> bool:
    # In a container an orphan may stay as a zombie that nobody collects.
    try:
        status: str = psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return False
    return bool(status != psutil.STATUS_ZOMBIE)
