"""Programs read films and fetch files in parts, also through links that work once."""

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_dbstorage.storage import DatabaseStorage
from tests.conftest import StartWebServer
from tests.servers.unavailable import Unavailable, find_program, skip_or_fail

pytestmark = pytest.mark.django_db(transaction=True)

#: Enough for several connections of aria2.
_LARGE = hashlib.shake_256(b"large").digest(5 * 1024 * 1024)

#: Calls a program with the site of the files before each target, and returns what it printed.
Run = Callable[..., bytes]


@pytest.fixture
def run(web_server: StartWebServer, tmp_path: Path) -> Run:
    """Return a function that runs a program and fails with what it complains of."""
    site = web_server("uvicorn", settings="tests.support.serving_settings").url

    def run(program: str, *arguments: str, package: str = "") -> bytes:
        try:
            found = find_program(program, package=package or program)
        except Unavailable as reason:
            skip_or_fail(str(reason))
        spelled = [site + each if each.startswith("/files/") else each for each in arguments]
        done = subprocess.run([found, *spelled], cwd=tmp_path, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


def test_ffmpeg_reads_and_seeks_films_by_their_links(
    run: Run, media: dict[str, bytes], storage: DatabaseStorage
) -> None:
    asked = ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]
    seeking = ["-v", "error", "-ss", "2", "-i"]
    frame = ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    for name, terms in (("a.mp4", {}), ("a.mp4", {"uses": 1}), ("a.webm", {"uses": 1})):
        if not storage.exists(name):
            storage.save(name, media[name])
        duration = run("ffprobe", *asked, storage.url(name, **terms), package="ffmpeg")
        assert 2.9 < float(duration) < 3.2
        picture = run("ffmpeg", *seeking, storage.url(name, **terms), *frame)
        assert len(picture) == 64 * 48


def test_a_film_in_parts_is_read_by_a_link_for_its_folder(
    run: Run, media: dict[str, bytes], storage: DatabaseStorage
) -> None:
    for name in ("index.m3u8", "0.ts", "1.ts", "2.ts"):
        storage.save(f"films/7/{name}", media[name])
    playlist = storage.folder_url("films/7") + "index.m3u8"
    copied = ["-c", "copy", "-f", "mpegts", "-"]
    assert len(run("ffmpeg", "-v", "error", "-i", playlist, *copied)) > len(media["1.ts"])


def test_safaris_probe_is_no_use_of_its_own(run: Run, storage: DatabaseStorage) -> None:
    storage.save("a.mp4", _LARGE)
    url = storage.url("a.mp4", uses=1)
    assert run("curl", "-sf", "-r", "0-1", url) == _LARGE[:2]
    assert run("curl", "-sf", "-r", f"0-{len(_LARGE) - 1}", url) == _LARGE
    assert run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url) == b"403"


def test_a_download_that_broke_off_goes_on_by_a_link_that_works_once(
    run: Run, storage: DatabaseStorage, tmp_path: Path
) -> None:
    storage.save("a.bin", _LARGE)
    for program, *options in (("curl", "-sf", "-C", "-", "-o"), ("wget", "-q", "-c", "-O")):
        url = storage.url("a.bin", uses=1)
        assert run("curl", "-sf", "-r", "0-999999", "-o", program, url) == b""
        run(program, *options, program, url)
        assert (tmp_path / program).read_bytes() == _LARGE


def test_aria2_fetches_by_several_connections_what_may_be_opened_once(
    run: Run, storage: DatabaseStorage, tmp_path: Path
) -> None:
    storage.save("a.bin", _LARGE)
    options = ["-q", "--no-conf", "-o", "a.bin", "-x", "4", "-s", "4", "-k", "1M"]
    run("aria2c", *options, storage.url("a.bin", uses=1), package="aria2")
    assert (tmp_path / "a.bin").read_bytes() == _LARGE
