"""Saving and reading take little memory, whatever the size of the file.

``DBSTORAGE_TEST_MEMORY_MIB=1024`` takes a file of 1 GiB instead of 256 MiB.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connections

MIB = 2**20
SIZE_MIB = int(os.environ.get("DBSTORAGE_TEST_MEMORY_MIB", "256"))
MOST_MIB = 40

#: Runs alone: the memory of this process has seen too much.
CHILD = """
import io, json, resource, sys
import django
from django.conf import settings

from tests.servers.mysql_driver import install_mysql_driver

install_mysql_driver()
database, size, way = json.loads(sys.argv[1])
settings.configure(
    DATABASES={"default": database},
    INSTALLED_APPS=["secure_dbstorage"],
    SECRET_KEY="k" * 50,
    USE_TZ=True,
)
django.setup()

from secure_dbstorage.storage import DatabaseStorage


class Upload:
    def __init__(self, size):
        self.left = size

    def read(self, size=-1):
        given = min(self.left, size)
        self.left -= given
        return bytes(given)


def save_and_read(name, size):
    if way != "open":
        storage.save(name, Upload(size))
    else:
        upload = Upload(size)
        with storage.open(name, "wb") as file:
            while piece := upload.read(64 * 1024):
                file.write(piece)
    with storage.open(name) as file:
        read = sum(len(piece) for piece in iter(lambda: file.read(64 * 1024), b""))
    head = storage.catalog.find(name, with_chunk=True)
    streamed = sum(len(piece) for piece in storage.catalog.stream(head, 0, head.stat.size))
    storage.delete(name)
    assert read == streamed == size


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


storage = DatabaseStorage(encryption_keys=["A" * 43 + "="] if way == "encrypt" else None)
save_and_read("small.bin", 600_000)
before = peak()
save_and_read("large.bin", size)
print(peak() - before)
"""


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("database", "way"),
    [
        *(("sqlite", "save"), ("sqlite", "open"), ("sqlite", "encrypt")),
        *(("postgres", "save"), ("mariadb", "save")),
    ],
    indirect=["database"],
)
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
@pytest.mark.sweep
@pytest.mark.timeout(60 + SIZE_MIB)
def test_a_large_file_takes_little_memory(database: str, way: str) -> None:
    known = connections[database].settings_dict
    used = {key: known[key] for key in ("ENGINE", "NAME", "HOST", "USER", "OPTIONS")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, json.dumps([used, SIZE_MIB * MIB, way])],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < MOST_MIB * MIB
