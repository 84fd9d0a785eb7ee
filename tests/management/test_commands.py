"""The commands that print links and maintain a storage."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import call_command, get_commands
from django.core.management.base import CommandError
from django.db import OperationalError, connection, connections
from django.test import Client
from django.utils import timezone, translation
from pytest_django import Settings

from secure_dbstorage.files.contents import Content
from secure_dbstorage.models import StoredFile
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.table import chunks, streams
from tests.support.sealing import KEY, OLD_KEY, id_of
from tests.support.uploads import begin_upload
from tests.testapp.models import Book

pytestmark = pytest.mark.django_db

PAST = datetime(2020, 1, 1, tzinfo=UTC)

COMMANDS = sorted(name for name, app in get_commands().items() if app == "secure_dbstorage")


@dataclass
class Ran:
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> Any:
        """The JSON object that it printed."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run() -> Run:
    """Return a function that runs a command as ``manage.py`` would."""

    def run(name: str, *arguments: str) -> Ran:
        out, err, code = io.StringIO(), io.StringIO(), 0
        try:
            call_command(f"dbstorage_{name}", *arguments, stdout=out, stderr=err)
        except CommandError as error:
            code = error.returncode
            err.write(str(error))
        return Ran(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def storage() -> DatabaseStorage:
    """Return the default storage, with two files."""
    storage = storages["default"]
    assert isinstance(storage, DatabaseStorage)
    storage.save("a.txt", b"content")
    storage.save("dir/b.pdf", b"x" * (storage.options.chunk_size + 1))
    return storage


@pytest.mark.parametrize("name", COMMANDS)
def test_each_commands_help_has_examples_and_exit_codes(name: str) -> None:
    command = [sys.executable, "-m", "django", name, "--help", "--settings", "tests.settings"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"manage.py {name}" in done.stdout
    assert "exit codes:" in done.stdout
    assert "--json" in done.stdout
    assert max(map(len, done.stdout.partition("\n\n")[2].splitlines())) <= 120


@pytest.mark.parametrize("name", ["url", "stats", "verify", "prune"])
@pytest.mark.parametrize("alias", ["staticfiles", "none"])
def test_another_kind_of_storage_is_wrong_usage(run: Run, name: str, alias: str) -> None:
    arguments = ["a.txt"] if name == "url" else []
    assert run(name, *arguments, "--storage", alias).code == 2


class TestUrl:
    """``dbstorage_url``."""

    def test_it_prints_a_link_that_works(
        self, run: Run, storage: DatabaseStorage, client: Client
    ) -> None:
        ran = run("url", "a.txt", "--expires-in", "15m", "--attachment", "--filename", "b.txt")
        assert ran.code == 0
        (url,) = ran.out.splitlines()
        answer = client.get(url)
        assert answer.content == b"content"
        assert answer["Content-Disposition"] == 'attachment; filename="b.txt"'

    def test_it_prints_a_whole_url_and_json(self, run: Run, storage: DatabaseStorage) -> None:
        ran = run("url", "a.txt", "--base", "https://example.com", "--json")
        assert ran.told["url"].startswith("https://example.com/files/a.txt?token=")

    @pytest.mark.parametrize(
        "base",
        ["", " ", "example.com", "//example.com", "ftp://example.com", "https:", "https:///app"],
    )
    def test_an_address_that_would_be_ignored_is_refused(
        self, run: Run, storage: DatabaseStorage, base: str
    ) -> None:
        ran = run("url", "a.txt", "--base", base)
        assert (ran.code, ran.out) == (2, "")
        assert "such as https://example.com" in ran.err

    @pytest.mark.parametrize(
        "rest", ["/app/", "/app", "//", "/?x=1", "?x=1", "?", "#top", "/app?x#y", "/./"]
    )
    def test_no_part_of_an_address_is_dropped(
        self, run: Run, storage: DatabaseStorage, rest: str
    ) -> None:
        assert run("url", "a.txt", "--base", "https://example.com:8443/").code == 0
        ran = run("url", "a.txt", "--base", f"https://example.com{rest}")
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("--base takes a scheme and a host. For a site below a path, set")

    @pytest.mark.parametrize("user", ["999", "7.5", "", "nobody", "9" * 40])
    def test_nobodys_link_is_refused(self, run: Run, storage: DatabaseStorage, user: str) -> None:
        ran = run("url", "a.txt", "--user", user)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == f"--user: there is no user with the primary key {user!r}."

    def test_an_address_has_no_place_before_another(
        self, run: Run, storage: DatabaseStorage, settings: Settings
    ) -> None:
        settings.SECURE_DBSTORAGE = {"BASE_URL": "https://files.example/"}
        assert run("url", "a.txt", "--base", "https://example.com").code == 2

    def test_a_lifetime_above_the_maximum_names_the_option_and_the_days(
        self, run: Run, storage: DatabaseStorage
    ) -> None:
        said = run("url", "a.txt", "--expires-in", "8d").err
        assert "604800 seconds (7 days), as the option max_expires_in says" in said

    def test_a_link_can_be_limited_to_one_use_a_user_and_a_network(
        self, run: Run, storage: DatabaseStorage
    ) -> None:
        User.objects.create_user("seven", pk=7)
        ran = run("url", "a.txt", "--once", "--user", " 07", "--ip", "10.0.0.0/8")
        token = ran.out.strip().partition("?token=")[2]
        grant = storage.signer.unsign(
            "a.txt", token, storage.audience, max_lifetime=10**6, now=time.time()
        )
        assert grant.is_for_once
        assert storage.signer.is_for_user(grant, "7")
        assert grant.network is not None

    def test_a_directory_gets_a_link_for_all_its_files(
        self, run: Run, storage: DatabaseStorage, client: Client
    ) -> None:
        ran = run("url", "dir", "--folder")
        assert client.get(ran.out.strip() + "b.pdf").status_code == 200

    @pytest.mark.parametrize("arguments", [["none.txt"], ["dir"], ["none", "--folder"]])
    def test_missing_files_have_no_link(
        self, run: Run, storage: DatabaseStorage, arguments: list[str]
    ) -> None:
        ran = run("url", *arguments)
        assert (ran.code, ran.out) == (1, "")

    @pytest.mark.parametrize(
        "arguments",
        [
            ["a.txt", "--expires-in", "30d"],
            ["a.txt", "--expires-in", "soon"],
            ["a.txt", "--ip", "nowhere"],
            ["dir", "--folder", "--once"],
            ["../a.txt"],
        ],
    )
    def test_impossible_arguments_are_wrong_usage(
        self, run: Run, storage: DatabaseStorage, arguments: list[str]
    ) -> None:
        ran = run("url", *arguments)
        assert (ran.out, bool(ran.err)) == ("", True)
        assert ran.code in (1, 2)

    @pytest.mark.parametrize(
        "option",
        [
            ["--once"],
            ["--user", "7"],
            ["--ip", "10.0.0.0/8"],
            ["--expires-in", "15m"],
            ["--attachment"],
            ["--filename", "b.txt"],
        ],
    )
    def test_what_a_public_file_would_ignore_is_refused(
        self, run: Run, storage: DatabaseStorage, option: list[str]
    ) -> None:
        User.objects.create_user("seven", pk=7)
        storage.set_public("a.txt", True)
        ran = run("url", "a.txt", *option)
        assert (ran.code, ran.out) == (2, "")
        assert f"is public, so its link is unsigned, and {option[0]} would" in ran.err

    def test_a_public_file_has_a_plain_link(self, run: Run, storage: DatabaseStorage) -> None:
        storage.set_public("a.txt", True)
        assert run("url", "a.txt").out == "/files/a.txt\n"

    @pytest.mark.parametrize("option", [["--once"], ["--filename", "all.pdf"]])
    def test_what_a_folder_cannot_have_is_named_as_it_was_written(
        self, run: Run, storage: DatabaseStorage, option: list[str]
    ) -> None:
        assert option[0] in run("url", "dir", "--folder", *option).err

    def test_a_network_with_host_bits_is_told_what_it_is(
        self, run: Run, storage: DatabaseStorage
    ) -> None:
        ran = run("url", "a.txt", "--ip", "203.0.113.7/24")
        assert ran.code == 2
        assert ran.err.endswith("host bits set: the network is 203.0.113.0/24")


class TestStats:
    """``dbstorage_stats``."""

    def test_it_draws_the_amounts(self, run: Run, storage: DatabaseStorage) -> None:
        ran = run("stats")
        lines = {line.split()[0]: line for line in ran.out.splitlines() if line}
        assert "2" in lines["files"].split()
        assert "█" in lines["dir/"]
        assert "█" not in lines["a.txt"]
        assert lines["dir/"].endswith("100%")
        assert "\\" not in ran.out

    @pytest.mark.parametrize("limit", ["0", "-1", "many"])
    def test_a_limit_that_lists_nothing_is_refused(self, run: Run, limit: str) -> None:
        ran = run("stats", "--limit", limit)
        assert (ran.out, "must be a whole number above 0" in ran.err) == ("", True)

    def test_unfinished_uploads_are_counted_for_the_whole_storage(
        self, run: Run, storage: DatabaseStorage
    ) -> None:
        begin_upload("default", key=5, size=1000)
        lines = run("stats").out.splitlines()
        (line,) = [line for line in lines if line.startswith("unfinished")]
        assert line.split()[1] == "1"
        assert "unfinished" not in run("stats", "--prefix", "dir").out
        assert run("stats", "--json").told["unfinished"] == {"files": 1, "bytes": 1000}

    def test_it_prints_json(self, run: Run, storage: DatabaseStorage) -> None:
        told = run("stats", "--json", "--prefix", "dir").told
        size = storage.size("dir/b.pdf")
        assert told["total"] == {"files": 1, "bytes": size}
        assert told["types"] == {"application/pdf": {"files": 1, "bytes": size}}
        assert told["entries"] == {"b.pdf": {"files": 1, "bytes": size}}

    def test_an_empty_storage_is_not_an_error(self, run: Run) -> None:
        assert run("stats").code == 0

    def test_a_directory_without_files_may_be_mistyped(
        self, run: Run, storage: DatabaseStorage
    ) -> None:
        ran = run("stats", "--prefix", "none")
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("none: there are no files below this directory")
        told = run("stats", "--prefix", "none", "--json").told
        assert (told["total"]["files"], len(told["failures"])) == (0, 1)

    def test_a_directory_of_deleted_files_is_none_of_those(
        self, run: Run, settings: Settings
    ) -> None:
        entry = settings.STORAGES["default"]
        settings.STORAGES = {
            **settings.STORAGES,
            "default": {**entry, "OPTIONS": {"keep_deleted": 86400}},
        }
        storages["default"].save("gone/a.txt", ContentFile(b"x"))
        storages["default"].delete("gone/a.txt")
        assert run("stats", "--prefix", "gone").code == 0

    def test_long_names_can_be_told_apart(self, run: Run, storage: DatabaseStorage) -> None:
        names = [f"{'a' * 45}-{number}.pdf" for number in (1, 2)]
        for name in names:
            storage.save(name, b"x")
        lines = [line.split()[0] for line in run("stats").out.splitlines() if "…" in line]
        assert sorted(lines) == [f"{'a' * 19}…{name[-20:]}" for name in names]
        assert {len(line) for line in lines} == {40}


class TestRekey:
    """``dbstorage_rekey``."""

    def test_a_storage_without_keys_is_named(self, run: Run) -> None:
        ran = run("rekey", "--storage", "invoices")
        assert (ran.code, ran.out) == (2, "")
        assert "'invoices' has no encryption_keys" in ran.err
        assert "--storage" in ran.err

    @pytest.fixture
    def keys(self, settings: Settings) -> Callable[..., None]:
        """Return a function that gives the default storage these keys."""

        def give(*keys: str) -> None:
            entry = settings.STORAGES["default"]
            options = {"chunk_size": 4096, "encryption_keys": list(keys) or None}
            settings.STORAGES = {**settings.STORAGES, "default": {**entry, "OPTIONS": options}}

        give(OLD_KEY)
        for name in ("a.txt", "dir/b.txt"):
            storages["default"].save(name, b"x" * 5000)
        return give

    def test_keys_are_rotated_and_the_old_one_is_found_to_be_unused(
        self, run: Run, keys: Callable[..., None]
    ) -> None:
        keys(KEY, OLD_KEY)
        told = run("rekey", "--check", "--json").told
        assert told["keys"] == [
            {"id": id_of(KEY), "files": 0, "known": True},
            {"id": id_of(OLD_KEY), "files": 2, "known": True},
        ]
        ran = run("rekey")
        assert (ran.code, "rewrapped 2, failed 0" in ran.out) == (0, True)
        assert run("rekey", "--json").told["counts"] == {"current": 2}
        ran = run("rekey", "--check")
        assert f"{id_of(OLD_KEY)}: an older key, 0 files" in ran.out
        keys(KEY)
        assert storages["default"].open("a.txt").read() == b"x" * 5000

    def test_a_lost_key_is_named_and_fails_the_command(
        self, run: Run, keys: Callable[..., None]
    ) -> None:
        keys(KEY)
        ran = run("rekey", "--check")
        assert ran.code == 1
        assert f"{id_of(OLD_KEY)}: this key is not in encryption_keys" in ran.err
        assert "2 files need it" in ran.err
        assert run("rekey", "--json").told["failures"][0]["name"] == "a.txt"
        StoredFile.objects.filter(name="a.txt").update(sealed_key=b"x")
        assert "a.txt: its sealed key is damaged" in run("rekey", "--check").err
        storages["default"].delete("a.txt")
        assert "1 file needs it" in run("rekey", "--check").err

    def test_bytes_are_sealed_anew_plain_ones_too(
        self, run: Run, keys: Callable[..., None]
    ) -> None:
        keys()
        storages["default"].save("plain.txt", b"plain")
        keys(KEY, OLD_KEY)
        told = run("rekey", "--bytes", "--prefix", "dir", "--json").told
        assert (told["counts"], told["bytes"]) == ({"resealed": 1}, 5000)
        assert run("rekey", "--bytes", "--after", "a.txt", "--json").told["counts"] == {
            "resealed": 2
        }
        assert run("rekey", "--check", "--json").told["counts"] == {"encrypted": 3, "plain": 0}

    def test_an_interrupted_run_says_how_to_continue(
        self, run: Run, keys: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write, written = chunks.write, list[chunks.Written]()

        def interrupted(*arguments: Any, **more: Any) -> chunks.Written:
            if written:
                raise KeyboardInterrupt
            written.append(write(*arguments, **more))
            return written[0]

        monkeypatch.setattr(chunks, "write", interrupted)
        ran = run("rekey", "--bytes", "--json")
        assert (ran.code, ran.told["after"]) == (130, "a.txt")

    def test_a_directory_without_files_fails_the_command(
        self, run: Run, keys: Callable[..., None]
    ) -> None:
        ran = run("rekey", "--bytes", "--prefix", "dri")
        assert (ran.code, "dri: there are no files below" in ran.err) == (1, True)

    def test_what_makes_no_sense_is_refused(self, run: Run, keys: Callable[..., None]) -> None:
        assert "--bytes" in run("rekey", "--prefix", "dir").err
        assert "not allowed with" in run("rekey", "--check", "--bytes").err
        keys()
        ran = run("rekey")
        assert (ran.code, "no encryption_keys" in ran.err) == (2, True)


class TestVerify:
    """``dbstorage_verify``."""

    def test_all_is_well(self, run: Run, storage: DatabaseStorage) -> None:
        ran = run("verify")
        assert ran.code == 0
        assert "intact 2, failed 0" in ran.out
        assert run("verify", "--json").told["counts"] == {"intact": 2}

    def test_broken_files_are_named_and_fail_the_command(
        self, run: Run, storage: DatabaseStorage
    ) -> None:
        StoredFile.rows.filter(position=1).delete()
        ran = run("verify", "--json")
        assert ran.code == 1
        assert ran.told["counts"] == {"broken": 1, "intact": 1}
        assert [failure["name"] for failure in ran.told["failures"]] == ["dir/b.pdf"]
        assert run("verify", "--after", "dir/b.pdf").code == 0

    def test_a_directory_without_files_is_not_all_well(
        self, run: Run, storage: DatabaseStorage
    ) -> None:
        ran = run("verify", "--prefix", "dri")
        assert (ran.code, "dri: there are no files below" in ran.err) == (1, True)
        assert run("verify", "--prefix", "dir", "--after", "dir/z").code == 0

    def test_a_directory_of_deleted_files_is_verified(self, run: Run, settings: Settings) -> None:
        settings.SECURE_DBSTORAGE = {"KEEP_DELETED": timedelta(days=1)}
        storages["default"].save("dir/a.txt", b"content")
        storages["default"].delete("dir/a.txt")
        assert run("verify", "--prefix", "dir", "--json").told["counts"] == {"intact": 1}

    def test_an_empty_storage_is_not_an_error(self, run: Run) -> None:
        assert run("verify").code == 0

    def test_it_repairs_on_request(self, run: Run, storage: DatabaseStorage) -> None:
        StoredFile.objects.filter(name="a.txt").update(content_type="text/html")
        assert run("verify").code == 1
        told = run("verify", "--repair", "--json").told
        assert [item["name"] for item in told["repaired"]] == ["a.txt"]
        assert run("verify").code == 0

    def test_a_file_that_could_not_be_read_is_not_counted_as_broken(
        self, run: Run, storage: DatabaseStorage
    ) -> None:
        def busy(execute: Any, sql: str, parameters: Any, *rest: Any) -> Any:
            if key in (parameters or ()):
                raise OperationalError(1205, "Lock wait timeout exceeded")
            return execute(sql, parameters, *rest)

        key = storage.catalog.get("a.txt").content.key
        with connection.execute_wrapper(busy):
            ran = run("verify", "--json")
        assert (ran.code, ran.told["counts"]) == (1, {"unread": 1, "intact": 1})
        assert "a.txt: not read: it conflicts with other transactions" in ran.err

    def test_an_interrupted_run_says_how_to_continue(
        self, run: Run, storage: DatabaseStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = streams.read

        def interrupted(content: Content) -> Iterator[bytes]:
            if content.chunk_count > 1:
                raise KeyboardInterrupt
            return read(content)

        monkeypatch.setattr(streams, "read", interrupted)
        ran = run("verify", "--json")
        assert ran.code == 130
        assert ran.told["interrupted"] is True
        assert ran.told["after"] == "a.txt"


@pytest.mark.parametrize("name", ["stats", "verify"])
def test_sizes_are_in_english_as_all_else(run: Run, storage: DatabaseStorage, name: str) -> None:
    with translation.override("fr"):
        out = run(name).out
    assert "octets" not in out
    assert "255.0 KB" in out


class TestPrune:
    """``dbstorage_prune``."""

    def test_without_anything_to_prune_it_says_so(self, run: Run) -> None:
        assert run("prune").out.startswith("nothing to do in ")

    def test_expired_files_and_stray_rows_are_deleted(
        self, run: Run, storage: DatabaseStorage
    ) -> None:
        storage.set_expires("a.txt", PAST)
        StoredFile.rows.create(content=5, position=1, data=b"stray")
        dry = run("prune", "--dry-run")
        assert "would remove expired file a.txt of 'default' (7 bytes)\n" in dry.out
        assert storage.exists("a.txt")
        told = run("prune", "--json").told
        assert told["counts"] == {"expired": 1, "stray": 1}
        assert told["pruned"] == [
            {"storage": "default", "kind": "expired", "name": "a.txt", "size": 7},
            {"storage": None, "kind": "stray", "name": "5", "size": 5},
        ]
        assert not storage.exists("a.txt")
        assert storage.exists("dir/b.pdf")
        assert run("prune", "--json").told["counts"] == {}

    def test_all_storages_are_pruned_unless_one_is_named(
        self, run: Run, storage: DatabaseStorage
    ) -> None:
        invoices = storages["invoices"]
        assert isinstance(invoices, DatabaseStorage)
        invoices.save("c.txt", b"old")
        for each, name in ((storage, "a.txt"), (invoices, "c.txt")):
            each.set_expires(name, PAST)
        StoredFile.rows.create(content=5, position=1, data=b"stray")
        dry = run("prune", "--dry-run", "--storage", "invoices")
        assert dry.out.count("would remove") == 2
        assert "would remove expired file c.txt of 'invoices' (3 bytes)\n" in dry.out
        told = run("prune", "--json").told
        assert told["counts"] == {"expired": 2, "stray": 1}
        assert [item["storage"] for item in told["pruned"]] == ["default", "invoices", None]
        assert not invoices.exists("c.txt")

    def test_two_storages_of_the_same_files_are_not_pruned_by_each_others_options(
        self, run: Run, settings: Settings
    ) -> None:
        """Or the one without ``keep_deleted`` would erase what the other one keeps."""
        backend = "secure_dbstorage.storage.DatabaseStorage"
        kept = {"BACKEND": backend, "OPTIONS": {"keep_deleted": timedelta(days=30)}}
        settings.STORAGES = {"default": kept, "again": {"BACKEND": backend}}
        storage = storages["default"]
        assert isinstance(storage, DatabaseStorage)
        storage.save("a.txt", b"content")
        storage.delete("a.txt")
        ran = run("prune")
        assert ran.code == 2
        assert "'default' and 'again' have the same files" in ran.err
        assert len(storage.catalog.trash.versions("a.txt")) == 1
        assert run("prune", "--storage", "default").code == 0

    def test_the_files_of_two_storages_are_pruned_once(
        self, run: Run, storage: DatabaseStorage, settings: Settings
    ) -> None:
        settings.STORAGES = {**settings.STORAGES, "again": settings.STORAGES["default"]}
        storage.save("a.txt", b"old")
        storage.set_expires("a.txt", PAST)
        told = run("prune", "--dry-run", "--json").told
        assert [item["storage"] for item in told["pruned"]] == ["default"]

    @pytest.mark.django_db(databases=["default", "postgres", "mariadb"])
    def test_with_rows_of_other_tenants_out_of_reach_no_file_is_unreferenced(
        self, run: Run, settings: Settings
    ) -> None:
        settings.DATABASE_ROUTERS = []
        settings.SECURE_DBSTORAGE = {"USING": "postgres"}
        storage = DatabaseStorage()
        storage.save("a.txt", b"content")
        storage.save("b.txt", b"content")
        storage.set_expires("b.txt", PAST)
        storage.catalog.files().update(modified=PAST)
        with connections["postgres"].cursor() as cursor:
            cursor.execute("CREATE SCHEMA acme CREATE TABLE testapp_book (id int)")
        ran = run("prune", "--unreferenced")
        assert ran.code == 1
        assert ran.err.startswith(
            "--unreferenced: The schema 'acme' has a table 'testapp_book' that can't be read from "
            "here, and its rows may refer to files of this storage, so unreferenced files were "
            "left alone. If only copies are there, such as a backup, add --ignore-schema acme\n"
        )
        assert [file.name for file in storage.catalog.files()] == ["a.txt"]
        assert run("prune", "--unreferenced", "--ignore-schema", "other").code == 1
        assert [file.name for file in storage.catalog.files()] == ["a.txt"]
        assert run("prune", "--unreferenced", "--ignore-schema", "acme").code == 0
        assert not storage.catalog.files().exists()

    def test_unreferenced_files_are_those_of_one_storage(
        self, run: Run, storage: DatabaseStorage
    ) -> None:
        storages["invoices"].save("c.txt", ContentFile(b"old"))
        StoredFile.objects.update(modified=timezone.now() - timedelta(days=2))
        run("prune", "--unreferenced")
        assert [str(file.name) for file in StoredFile.objects.all()] == ["c.txt"]
        run("prune", "--unreferenced", "--storage", "invoices")
        assert not StoredFile.objects.exists()

    def test_a_project_without_our_storages_is_wrong_usage(
        self, run: Run, settings: Settings
    ) -> None:
        settings.STORAGES = {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}}
        ran = run("prune")
        assert (ran.code, "'default' is not a DatabaseStorage" in ran.err) == (2, True)

    def test_unfinished_uploads_are_deleted(self, run: Run) -> None:
        begin_upload("default", key=5, rows=2)
        dry = run("prune", "--dry-run")
        assert "would remove unfinished upload 5 of 'default' (8.0" in dry.out
        told = run("prune", "--json").told
        (item,) = told["pruned"]
        assert item == {"storage": "default", "kind": "unfinished", "name": "5", "size": 8192}
        assert StoredFile.rows.filter(content=5).count() == 0

    def test_unreferenced_files_are_deleted_only_on_request(
        self, run: Run, storage: DatabaseStorage
    ) -> None:
        Book.objects.create(text="dir/b.pdf")
        StoredFile.objects.update(modified=timezone.now() - timedelta(days=2))
        assert run("prune", "--json").told["counts"] == {}
        assert run("prune", "--unreferenced", "--older-than", "7d", "--json").told["counts"] == {}
        told = run("prune", "--unreferenced", "--json").told
        assert [item["name"] for item in told["pruned"]] == ["a.txt"]
        assert storage.exists("dir/b.pdf")

    def test_directories_can_be_kept(self, run: Run, storage: DatabaseStorage) -> None:
        StoredFile.objects.update(modified=timezone.now() - timedelta(days=2))
        told = run("prune", "--unreferenced", "--keep", "dir/", "--json", "--dry-run").told
        assert [item["name"] for item in told["pruned"]] == ["a.txt"]
        assert told["dry_run"] is True
        assert run("prune", "--unreferenced", "--keep", "../dir").code == 2

    def test_a_name_without_files_keeps_everything(
        self, run: Run, storage: DatabaseStorage
    ) -> None:
        StoredFile.objects.update(modified=timezone.now() - timedelta(days=2))
        storage.set_expires("a.txt", PAST)
        ran = run("prune", "--unreferenced", "--keep", "dir", "--keep", "dri")
        assert (ran.code, "dri: there is nothing to keep" in ran.err) == (1, True)
        assert (storage.exists("a.txt"), storage.exists("dir/b.pdf")) == (False, True)

    def test_a_file_can_be_kept(self, run: Run, storage: DatabaseStorage) -> None:
        StoredFile.objects.update(modified=timezone.now() - timedelta(days=2))
        told = run("prune", "--unreferenced", "--keep", "a.txt", "--json", "--dry-run").told
        assert [item["name"] for item in told["pruned"]] == ["dir/b.pdf"]

    def test_a_directory_that_was_emptied_is_told_and_no_failure(
        self, run: Run, storage: DatabaseStorage
    ) -> None:
        StoredFile.objects.update(modified=timezone.now() - timedelta(days=2))
        assert run("prune", "--unreferenced", "--prefix", "dir").code == 0
        ran = run("prune", "--unreferenced", "--prefix", "dir")
        assert (ran.code, "dir: there are no files below" in ran.out) == (0, True)

    @pytest.mark.parametrize(
        "option",
        [
            ["--keep", "dir"],
            ["--prefix", "dir"],
            ["--older-than", "30d"],
            ["--ignore-schema", "a"],
        ],
    )
    def test_an_option_of_unreferenced_files_is_refused_without_them(
        self, run: Run, storage: DatabaseStorage, option: list[str]
    ) -> None:
        storage.set_expires("a.txt", PAST)
        ran = run("prune", *option)
        assert (ran.code, "need --unreferenced" in ran.err) == (2, True)
        assert storage.exists("a.txt")


@pytest.mark.parametrize("name", ["stats", "verify", "prune"])
def test_a_forgotten_migration_is_named(run: Run, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {StoredFile._meta.db_table} RENAME TO elsewhere")
    ran = run(name)
    assert (ran.code, ran.out) == (2, "")
    assert "Run `manage.py migrate`" in ran.err
