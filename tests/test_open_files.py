"""The usual uses of the open files of any storage."""

import csv
import gzip
import hashlib
import io
import json
import pickle
import shutil
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest
from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage
from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.mail import EmailMessage
from django.db import connections
from django.http import FileResponse
from PIL import Image

from secure_dbstorage.storage import DatabaseStorage
from tests.support.files import CHUNK_SIZE, LARGE


class OpenFiles:
    """The same on any storage, so that nothing here asks for something odd."""

    def test_a_table_is_read_and_written(self, storage: Storage) -> None:
        rows = [["name", "note"], ["Müller", 'two\nlines, "quoted"'], ["x" * CHUNK_SIZE, ""]]
        with storage.open("a.csv", "w") as file:
            csv.writer(file).writerows(rows)
        with storage.open("a.csv", "r") as file:
            assert list(csv.reader(file)) == rows
        with io.TextIOWrapper(storage.open("a.csv"), encoding="utf-8", newline="") as file:
            assert list(csv.reader(file)) == rows

    def test_an_archive_is_written_added_to_and_read(self, storage: Storage) -> None:
        with storage.open("a.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
            archive.writestr("large.bin", LARGE)
        with storage.open("a.zip", "rb+") as file, zipfile.ZipFile(file, "a") as archive:
            archive.writestr("small.txt", "small")
        with storage.open("a.zip") as file, zipfile.ZipFile(file) as archive:
            assert archive.testzip() is None
            assert archive.read("large.bin") == LARGE
            assert archive.read("small.txt") == b"small"

    def test_compressed_streams_are_written_and_read(self, storage: Storage) -> None:
        with storage.open("a.gz", "wb") as file, gzip.open(file, "wb") as stream:
            stream.write(LARGE)
        with storage.open("a.gz") as file, gzip.open(file) as stream:
            assert stream.read() == LARGE
        storage.save("inside.bin", io.BytesIO(LARGE))
        with storage.open("a.tar", "wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
            member = tarfile.TarInfo("inside.bin")
            member.size = storage.size("inside.bin")
            with storage.open("inside.bin") as inside:
                archive.addfile(member, inside)
        with storage.open("a.tar") as file, tarfile.open(fileobj=file) as archive:
            extracted = archive.extractfile("inside.bin")
            assert extracted is not None
            assert extracted.read() == LARGE

    def test_a_picture_is_opened_changed_and_saved(self, storage: Storage) -> None:
        noise = Image.effect_noise((200, 150), 80)
        with storage.open("a.png", "wb") as file:
            noise.save(file, "PNG")
        assert storage.size("a.png") > 2 * CHUNK_SIZE
        with storage.open("a.png") as file, Image.open(file) as image:
            assert image.size == (200, 150)
            assert image.tobytes() == noise.tobytes()
            half = image.resize((100, 75))
        buffer = io.BytesIO()
        half.save(buffer, "JPEG")
        storage.save("a.jpg", File(buffer))
        with storage.open("a.jpg") as file, Image.open(file) as image:
            image.load()
            assert (image.format, image.size) == ("JPEG", (100, 75))

    def test_bytes_are_copied_in_both_directions(self, storage: Storage, tmp_path: Path) -> None:
        source, target = tmp_path / "source.bin", tmp_path / "target.bin"
        source.write_bytes(LARGE)
        with source.open("rb") as outside, storage.open("a.bin", "wb") as file:
            shutil.copyfileobj(outside, file)
        with storage.open("a.bin") as file, target.open("wb") as outside:
            shutil.copyfileobj(file, outside)
        assert target.read_bytes() == LARGE
        with storage.open("a.bin") as file, storage.open("b.bin", "wb") as copied:
            shutil.copyfileobj(file, copied, 1000)
        with storage.open("b.bin") as file:
            assert file.read() == LARGE

    def test_objects_are_written_and_read(self, storage: Storage) -> None:
        value = {"name": "Müller", "numbers": list(range(2000))}
        with storage.open("a.json", "w") as file:
            json.dump(value, file)
        with storage.open("a.json") as file:
            assert json.load(file) == value
        with storage.open("a.pickle", "wb") as file:
            pickle.dump(value, file)
        with storage.open("a.pickle") as file:
            assert pickle.load(file) == value  # noqa: S301 -- written above

    def test_a_digest_is_made(self, storage: Storage) -> None:
        storage.save("a.bin", File(io.BytesIO(LARGE)))
        with storage.open("a.bin") as file:
            digest = hashlib.file_digest(file, "sha256")
        assert digest.hexdigest() == hashlib.sha256(LARGE).hexdigest()

    def test_a_table_in_columns_is_read_from_its_end(self, storage: Storage) -> None:
        """As pandas, Parquet and Arrow do: a footer says where the columns begin."""
        storage.save("a.parquet", File(io.BytesIO(LARGE + (12).to_bytes(4, "little") + b"PAR1")))
        with storage.open("a.parquet") as file:
            assert file.seekable()
            assert file.readable()
            assert not file.writable()
            assert file.read(4) == LARGE[:4]
            end = file.seek(-8, io.SEEK_END)
            assert int.from_bytes(file.read(4), "little") == 12
            assert file.read() == b"PAR1"
            file.seek(end - 12)
            assert file.read(12) == LARGE[-12:]
            buffer = bytearray(CHUNK_SIZE + 7)
            file.seek(100)
            with io.BufferedReader(file) as buffered:
                assert buffered.readinto(buffer) == len(buffer)
                assert buffer == LARGE[100 : 100 + len(buffer)]
                assert buffered.tell() == 100 + len(buffer)

    def test_a_view_sends_a_file_by_hand(self, storage: Storage) -> None:
        storage.save("reports/a.pdf", File(io.BytesIO(LARGE)))
        file = storage.open("reports/a.pdf")
        response = FileResponse(file, as_attachment=True)
        assert response.headers["Content-Type"] == "application/pdf"
        assert response.headers["Content-Length"] == str(len(LARGE))
        assert response.headers["Content-Disposition"] == 'attachment; filename="a.pdf"'
        assert b"".join(response) == LARGE
        response.close()
        assert file.closed

    def test_a_file_can_be_attached_to_a_mail(self, storage: Storage) -> None:
        storage.save("a.pdf", File(io.BytesIO(LARGE)))
        mail = EmailMessage("subject", "body", to=["user@example.com"])
        with storage.open("a.pdf") as file:
            mail.attach("a.pdf", file.read(), "application/pdf")
        attached = mail.message().get_payload(1)
        assert attached.get_payload(decode=True) == LARGE

    def test_an_upload_from_memory_is_saved(self, storage: Storage) -> None:
        buffer = io.BytesIO(LARGE)
        upload = InMemoryUploadedFile(buffer, "file", "a.bin", None, len(LARGE), None)
        assert upload.read(10) == LARGE[:10]
        assert storage.save(upload.name, upload) == "a.bin"
        with storage.open("a.bin") as file:
            assert file.read() == LARGE


class TestOnDatabase(OpenFiles):
    """Files in the table."""

    @pytest.fixture
    def storage(self, database: str) -> Storage:
        return DatabaseStorage(using=database, chunk_size=CHUNK_SIZE)


@pytest.mark.django_db  # A response that is closed looks at the connections.
class TestOnDisk(OpenFiles):
    """Files in Django's storage on disk."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return FileSystemStorage(location=tmp_path)


@pytest.mark.django_db(transaction=True)
def test_a_worker_thread_reads_and_writes(database: str) -> None:
    """As tasks of Celery or Django's own do: with a connection of their own."""
    storage = DatabaseStorage(using=database, chunk_size=CHUNK_SIZE)
    storage.save("a.bin", LARGE)

    def task() -> None:
        try:
            with storage.open("a.bin") as file, storage.open("b.bin", "wb") as copied:
                shutil.copyfileobj(file, copied)
        finally:
            connections.close_all()

    thread = threading.Thread(target=task)
    thread.start()
    thread.join()
    with storage.open("b.bin") as file:
        assert file.read() == LARGE
