"""Processes that save or serve are killed in the middle, by SIGKILL."""

import random
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.conftest import StartNginx
from tests.faults.conftest import ONE_SQLITE, Serve
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
from tests.servers.web import Kind

StartSavers = Callable[[int], list[SaverProcess]]

#: How many bytes were fed when the saver is killed, and whether it had saved and not committed.
_POINTS = ((0, False), (CHUNK, False), (20 * CHUNK + 1, False), (3 * CHUNK, True))


@pytest.mark.parametrize("overwrite", [False, True], ids=["new", "over"])
def test_a_saver_killed_in_the_middle_leaves_nothing(
    victim: VictimDatabase, start_savers: StartSavers, tally: Tally, *, overwrite: bool
) -> None:
    other, old = content_of(1, 2 * CHUNK), content_of(2, 5 * CHUNK)
    storage = victim.storage()
    storage.save("other.bin", other)
    if overwrite:
        storage.save("a.bin", old)
    rows = victim.rows()
    for saver, (fed, hold) in zip(start_savers(len(_POINTS)), _POINTS, strict=True):
        saver.do("save", name="a.bin", overwrite=overwrite, hold=hold)
        saver.feed(content_of(3, fed))
        if hold:
            assert saver.end() == "held"
        assert saver.kill() == []
        tally.add("tried")
        tally.add("left", victim.rows() - rows)
        tally.add("lost", not victim.intact("other.bin", other))
        if overwrite:
            tally.add("lost", not victim.intact("a.bin", old))
        else:
            tally.add("visible", storage.exists("a.bin"))
    # The name is free, and nobody holds a lock on it.
    overwriting = victim.storage(allow_overwrite=overwrite)
    assert overwriting.save("a.bin", other) == "a.bin"
    tally.expect(tried=len(_POINTS), visible=0)


@pytest.mark.parametrize("overwrite", [False, True], ids=["new", "over"])
def test_saves_confirmed_by_a_killed_saver_survive(
    victim: VictimDatabase, start_savers: StartSavers, tally: Tally, *, overwrite: bool
) -> None:
    size = 3 * CHUNK + 5
    rounds = 4
    for number, saver in enumerate(start_savers(rounds)):
        prefix = f"{number}-"
        saver.do("series", prefix=prefix, size=size, overwrite=overwrite)
        told = [saver.line() for _ in range(random.randint(1, 4))]
        time.sleep(random.uniform(0, 0.03))  # anywhere in a save
        told += saver.kill()
        # The server may still commit what it was sent.
        assert victim.settled_sessions() == 0
        assert told == [f"saved {number}" for number in range(1, len(told) + 1)]
        tally.add("tried", len(told))
        last = len(told)
        if overwrite:
            # The next version may be there as well: committed, and not yet told.
            tally.add(
                "lost",
                not any(victim.intact(prefix, content_of(n, size)) for n in (last, last + 1)),
            )
            continue
        for saved in range(1, last + 1):
            tally.add("lost", not victim.intact(f"{prefix}{saved}", content_of(saved, size)))
        if victim.storage().exists(f"{prefix}{last + 1}"):
            tally.add("committed, not told")
            tally.add(
                "mixed", not victim.intact(f"{prefix}{last + 1}", content_of(last + 1, size))
            )
    files = rounds if overwrite else tally["tried"] + tally["committed, not told"]
    tally.add("left", victim.rows() - 4 * files)
    tally.expect()
    assert tally["tried"] >= rounds


@pytest.mark.parametrize("_victim", ONE_SQLITE, indirect=True)
@pytest.mark.parametrize("kind", ["gunicorn", "uvicorn"])
def test_a_body_whose_server_is_killed_never_looks_whole(
    victim: VictimDatabase, kind: Kind, serve: Serve, nginx: StartNginx, tally: Tally
) -> None:
    content = content_of(1, 64 * MIB)
    storage = victim.storage()
    storage.save("a.bin", content)
    target, known = storage.url("a.bin"), [digest_of(content)]
    server = serve(kind)
    # With buffering it would have taken all before the kill.
    front = nginx(f"location / {{ proxy_pass {server.url}; proxy_buffering off; }}")
    with ExitStack() as clients:
        downloads = [
            clients.enter_context(open_download(port, target))
            for port in (server.port, front.port) * 2
        ]
        for number, download in enumerate(downloads):
            for _ in range(50 * number):
                assert download.read(16 * 1024)
        server.kill()
        tally.add_all(finish(download, known) for download in downloads)
    # All is as it was for a new server.
    tally.add("lost", receive(serve(kind).port, target, known) != WHOLE)
    tally.add("left", victim.settled_sessions())
    tally.expect(tried=4, broken=4)
