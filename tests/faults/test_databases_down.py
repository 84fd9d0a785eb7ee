"""The database server is killed while files are sent and saved, and comes back."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from django.db import connections

from tests.faults.conftest import SERVED, Serve
from tests.faults.contents import (
    CHUNK,
    MIB,
    WHOLE,
    content_of,
    digest_of,
    finish,
    open_download,
    receive,
)
from tests.faults.databases import VictimDatabase
from tests.faults.report import Tally
from tests.faults.savers import SaverProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.parametrize("_victim", SERVED, indirect=True)

#: Connections that are kept are asked whether they are alive, or the first request of each thread
#: after a crash is an error.
_KEPT: dict[str, Any] = {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
#: While the database is down, who asks a pool waits for so long; by default half a minute.
_POOL: dict[str, Any] = {
    "CONN_HEALTH_CHECKS": True,
    "OPTIONS": {"pool": {"min_size": 1, "max_size": 4, "timeout": 5}},
}


def test_a_body_whose_database_is_killed_never_looks_whole(
    victim: VictimDatabase, serve: Serve, tally: Tally
) -> None:
    content = content_of(1, 24 * MIB)
    storage = victim.storage()
    storage.save("a.bin", content)
    target, known = storage.url("a.bin"), [digest_of(content)]
    servers = [serve("gunicorn"), serve("gunicorn", **_KEPT), serve("uvicorn")]
    # Django has no pool for another database.
    has_pool = connections[victim.alias].vendor == "postgresql"
    pooled = [serve("uvicorn", **_POOL)] if has_pool else []
    servers += pooled
    with ExitStack() as clients:
        downloads = [
            clients.enter_context(open_download(server.port, target))
            for server in servers
            for _ in range(3)
        ]
        for number, download in enumerate(downloads):
            for _ in range(10 * number):
                assert download.read(16 * 1024)
        victim.kill()
        with ThreadPoolExecutor(4 * len(servers)) as pool:
            ends = [pool.submit(finish, download, known) for download in downloads]
            ends += [pool.submit(_ask_while_down, server.port, target) for server in servers]
            tally.add_all(end.result() for end in ends)
    victim.start()
    # psycopg's pool connects again after 1, 2, 4 and so on seconds. Until then, it refuses.
    for server in pooled:
        wait_until(partial(_is_whole, server.port, target, known))
    # The web servers were not restarted; each of their threads is asked.
    answers = [receive(server.port, target, known) for server in servers for _ in range(5)]
    tally.add_all(answers)
    tally.add("lost", sum(answer != WHOLE for answer in answers))
    number = len(servers)
    tally.expect(tried=9 * number, broken=3 * number, refused=number, whole=5 * number)


def _is_whole(port: int, target: str, known: list[str]) -> bool:
    return receive(port, target, known) == WHOLE


def test_a_save_whose_database_is_killed_leaves_nothing(
    victim: VictimDatabase, start_savers: Callable[[int], list[SaverProcess]], tally: Tally
) -> None:
    content, old = content_of(1, 12 * CHUNK), content_of(2, 3 * CHUNK)
    storage = victim.storage()
    storage.save("old.bin", old)
    rows = victim.rows()
    new, over, held = savers = start_savers(3)
    new.do("save", name="new.bin")
    over.do("save", name="old.bin", overwrite=True)
    held.do("save", name="held.bin", hold=True)
    for saver in savers:
        saver.feed(content)
    assert held.end() == "held"
    victim.kill()
    # The others find out with their next row, this one when it commits.
    held.send(b"go on")
    failures = [held.line(), *(_fail(saver) for saver in (new, over))]
    assert set(failures) == {"failed OperationalError"}
    tally.add("tried", 3)
    victim.start()
    tally.add("left", victim.rows() - rows)
    tally.add("lost", not victim.intact("old.bin", old))
    tally.add("visible", storage.exists("new.bin") + storage.exists("held.bin"))
    # The same processes save again, without a word to their connections.
    for saver, name in zip(savers, ("new.bin", "old.bin", "held.bin"), strict=True):
        saver.do("save", name=name, overwrite=True)
        saver.feed(content)
        tally.add("tried")
        tally.add("lost", saver.end() != f"saved {name}" or not victim.intact(name, content))
    tally.expect(tried=6, visible=0)


def test_saves_confirmed_before_the_database_is_killed_survive(
    victim: VictimDatabase, start_savers: Callable[[int], list[SaverProcess]], tally: Tally
) -> None:
    size = 3 * CHUNK + 5
    for number in range(2):
        savers = start_savers(3)
        for which, saver in enumerate(savers):
            saver.do("series", prefix=f"{number}-{which}-", size=size)
        told = [[saver.line()] for saver in savers]
        time.sleep(random.uniform(0, 0.1))  # anywhere in three saves
        victim.kill()
        for saver, lines in zip(savers, told, strict=True):
            while (line := saver.line()).startswith("saved"):
                lines.append(line)
            assert line in ("failed OperationalError", "failed InterfaceError")
        victim.start()
        for which, lines in enumerate(told):
            tally.add("tried", len(lines))
            for saved in range(1, len(lines) + 1):
                content = content_of(saved, size)
                tally.add("lost", not victim.intact(f"{number}-{which}-{saved}", content))
            # A commit whose answer did not come is one or none.
            name = f"{number}-{which}-{len(lines) + 1}"
            if victim.storage().exists(name):
                tally.add("committed, not told")
                tally.add("mixed", not victim.intact(name, content_of(len(lines) + 1, size)))
    tally.add("left", victim.rows() - 4 * (tally["tried"] + tally["committed, not told"]))
    tally.expect()
    assert tally["tried"] >= 6


def _ask_while_down(port: int, target: str) -> str:
    """Ask for a file, and return how that ended: with a refusal that says when to come again."""
    with open_download(port, target) as download:
        assert download.head.status == 503
        assert int(download.head["retry-after"]) >= 1
        assert download.head["cache-control"] == "no-store"
        return finish(download, ())


def _fail(saver: SaverProcess) -> str:
    """Feed a saver on until it fails."""
    piece = content_of(3, CHUNK)
    for _ in range(8):
        saver.send(piece)
        if (line := saver.line()) != "asked":
            return line
    return saver.end()
