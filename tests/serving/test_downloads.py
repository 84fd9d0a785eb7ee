"""Programs that download save each file by a safe name, and never by its token."""

import os
import subprocess
from pathlib import Path

import pytest

from secure_dbstorage.serving.headers import Presentation, file_headers
from secure_dbstorage.storage import DatabaseStorage
from tests.conftest import StartWebServer
from tests.servers.unavailable import Unavailable, find_program, skip_or_fail
from tests.support.file_names import NAMES

pytestmark = pytest.mark.django_db(transaction=True)

_COMMANDS = {
    "curl": ["--silent", "--show-error", "--fail", "--remote-name", "--remote-header-name"],
    "wget": ["--quiet", "--content-disposition"],
    "aria2c": ["--quiet", "--no-conf"],
}


@pytest.mark.parametrize("program", _COMMANDS)
def test_a_download_has_a_safe_name_and_no_token(
    program: str, web_server: StartWebServer, tmp_path: Path
) -> None:
    try:
        command = [str(find_program(program, package=program)), *_COMMANDS[program]]
    except Unavailable as reason:
        skip_or_fail(str(reason))
    site = web_server("gunicorn", settings="tests.support.serving_settings").url
    storage = DatabaseStorage()
    wrong = {}
    for number, name in enumerate(NAMES):
        storage.save(name, b"x")
        directory = tmp_path / str(number)
        directory.mkdir()
        url = f"{site}{storage.url(name, attachment=True)}"
        done = subprocess.run(
            [*command, url],
            cwd=directory,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            check=False,
            capture_output=True,
        )
        saved = [str(path.relative_to(directory)) for path in directory.rglob("*")]
        if done.returncode or not _is_right(program, name, saved, _ascii(storage, name)):
            wrong[name] = saved, done.stderr
    assert wrong == {}


def _is_right(program: str, name: str, saved: list[str], ascii_name: str) -> bool:
    if len(saved) != 1 or "token" in saved[0]:
        return False
    if program == "curl":  # It reads no other.
        return saved[0] in (name, ascii_name)
    if program == "wget" and len(name) > 100:  # It cuts what is too long once it is quoted.
        return name.startswith(saved[0][:50])
    if program == "wget" and "%" in name:  # It decodes a name twice, and leaves no path.
        return "/" not in saved[0]
    return saved[0] in (name, ascii_name, name.replace('"', "_").replace(":", "_"))


def _ascii(storage: DatabaseStorage, name: str) -> str:
    shown = Presentation(inline=False, filename=None, private=True, cache_control="")
    disposition = file_headers(storage.stat(name), shown)["Content-Disposition"]
    return disposition.split('"')[1]
