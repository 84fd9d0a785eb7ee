"""The example, as a process, under requests that nobody sends by accident."""

import contextlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.process import LOOPBACK, ServerProcess, free_port
from tests.support.attacks import Attack, Generator, Judge, Target
from tests.support.example import EXAMPLE, MANAGE, environment, manage
from tests.support.http_client import exchange

pytestmark = [pytest.mark.servers, pytest.mark.sweep]

#: As deploy/ has it, and as it is tried out: with DEBUG.
COMMANDS = {
    "runserver": [str(MANAGE), "runserver", "--noreload", "{address}"],
    "gunicorn": [
        *("-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "project.wsgi"),
        *("--bind", "{address}", "--workers", "1", "--graceful-timeout", "1"),
    ],
    "uvicorn": [
        *("-m", "uvicorn", "project.asgi:application", "--host", LOOPBACK, "--port", "{port}"),
        *("--lifespan", "off", "--no-access-log"),
    ],
}

#: Ada's documents, one of them for whoever has a link, and a public picture.
MAKE_FILES = """
import json
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from library.models import Document
ada = get_user_model().objects.create_user("ada")
documents = [
    Document.objects.create(owner=ada, title=name, file=ContentFile(SECRET * size, name), size=1)
    for name, size in SIZES.items()
]
Document.objects.exclude(title="own.txt").update(shared=True)
pictures = storages["pictures"]
picture = pictures.save("grace/a b.png", ContentFile(b"public"))
links = {document.file.url: document.title for document in documents}
print(json.dumps({
    "links": dict(url.partition("?token=")[::2] for url in [*links, pictures.url(picture)]),
    "shared": [url.partition("?")[0] for url, title in links.items() if title != "own.txt"],
    "etags": [storages["default"].stat(document.file.name).sha256 for document in documents],
}))
"""

SECRET = b"a-well-kept-secret."

#: How often the secret stands in each document.
SIZES = {"own.txt": 9, "large.bin": 60_000, "Reé+a & b.pdf": 9, "page.html": 9}


@dataclass(frozen=True, slots=True)
class Site:
    """An example that runs, and what is in it."""

    port: int
    target: Target
    log: Path
    is_debugged: bool


@contextlib.contextmanager
def running(kind: str, folder: Path) -> Iterator[Site]:
    """Run the example with new files."""
    manage(folder, "migrate", "-v", "0")
    program = MAKE_FILES.replace("SECRET", repr(SECRET)).replace("SIZES", repr(SIZES))
    made = manage(folder, "shell", "-v", "0", "-c", program)
    assert made.returncode == 0, made.stderr
    found = json.loads(made.stdout)
    target = Target(
        links=found["links"],
        shared=frozenset(found["shared"]),
        secret=SECRET,
        etags=frozenset(found["etags"]),
    )
    port = free_port()
    values = {"address": f"{LOOPBACK}:{port}", "port": port}
    server = ServerProcess(
        [sys.executable, *(argument.format(**values) for argument in COMMANDS[kind])],
        log=folder / f"{kind}.log",
        cwd=EXAMPLE,
        env=environment(
            folder,
            DEBUG="1" if kind == "runserver" else "0",
            ALLOWED_HOSTS=LOOPBACK,
            TRUSTED_PROXIES=LOOPBACK,
        ),
    )
    try:
        server.wait_until(lambda: server.listens(port))
        yield Site(port, target, server.log, is_debugged=kind == "runserver")
    finally:
        server.stop()


def fails_in_djangos_hands(attack: Attack) -> bool:
    """Tell whether DEBUG itself fails: its static files, and its page for too many parameters."""
    return b"static" in attack.target or attack.target.count(b"&") > 1000


def wrong_answers(site: Site, judge: Judge, *, seed: int, count: int) -> list[str]:
    """Attack, and return what went wrong."""
    wrong = []
    for attack in Generator(site.target, seed).attacks(count):
        if site.is_debugged and fails_in_djangos_hands(attack):
            continue
        answer = exchange(site.port, attack.spelled(), is_head=attack.is_head)
        if answer is not None:
            wrong += [f"{fault}: {attack!r:.2000}" for fault in judge.judge(attack, answer)]
    return wrong


@pytest.mark.parametrize("kind", list(COMMANDS))
def test_no_request_breaks_the_example_or_opens_a_forbidden_file(
    kind: str, tmp_path: Path
) -> None:
    with running(kind, tmp_path) as site:
        judge = Judge(site.target)
        assert wrong_answers(site, judge, seed=20260728, count=500) == []
        log = site.log.read_text(errors="replace")
    assert "Internal Server Error" not in log
    assert site.is_debugged or "Traceback" not in log
    for token in filter(None, site.target.links.values()):
        assert not re.search(rf"[?&]token={re.escape(token)}", log)
    # The requests reached the view, which opened some files and refused others.
    assert judge.opened > 10
    assert {200, 206, 302, 304, 403, 404, 405, 412, 416} <= judge.statuses.keys()
