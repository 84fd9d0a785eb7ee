"""``dbstorage_copy``: moves a project in, survives being killed, and moves out to a bucket."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from pytest_django import Settings

from tests.servers import places
from tests.servers.s3 import S3Server
from tests.servers.unavailable import Unavailable, skip_or_fail
from tests.support.copying import FILES, LARGE, contents, filled

FOLDER = "django.core.files.storage.FileSystemStorage"
GOOD_LINE: dict[str, Any] = {
    "namespace": "",
    "name": "x",
    "size": 1,
    "sha256": "0" * 64,
    "is_public": False,
    **dict.fromkeys(("created", "modified", "expires")),
}

OURS = "secure_dbstorage.storage.DatabaseStorage"


@pytest.fixture
def database(database: str, settings: Settings, tmp_path: Path) -> str:
    """Add two folders to the storages: ``folder``, and ``out``, which is empty."""
    for name in ("folder", "out"):
        (tmp_path / name).mkdir()
    options = {"using": database, "namespace": "back", "chunk_size": 4096}
    settings.STORAGES = {
        **settings.STORAGES,
        "folder": {"BACKEND": FOLDER, "OPTIONS": {"location": str(tmp_path / "folder")}},
        "out": {"BACKEND": FOLDER, "OPTIONS": {"location": str(tmp_path / "out")}},
        "back": {"BACKEND": OURS, "OPTIONS": options},
    }
    return database


def run(*arguments: str) -> dict[str, Any]:
    """Return the JSON that a copy prints, whether or not it fails."""
    told = io.StringIO()
    try:
        call_command("dbstorage_copy", *arguments, "--json", stdout=told, stderr=io.StringIO())
    except CommandError as error:
        if error.returncode != 1:
            raise
    report: dict[str, Any] = json.loads(told.getvalue())
    return report


def refusal(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        call_command("dbstorage_copy", *arguments)
    assert caught.value.returncode == 2
    return str(caught.value)


def hand_over(manifest: Path, namespace: str) -> None:
    """Let a manifest be of another storage."""
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    manifest.write_text("".join(json.dumps({**x, "namespace": namespace}) + "\n" for x in lines))


def test_a_project_moves_in_and_is_served(database: str, client: Client) -> None:
    filled(storages["folder"])
    report = run("--from", "folder", "--to", "default", "--jobs", "1")
    assert report["counts"] == {"copied": len(FILES), "replaced": 0, "present": 0}
    assert report["bytes"] == sum(map(len, FILES.values()))
    assert report["failures"] == []
    for name, content in FILES.items():
        response: Any = client.get(storages["default"].url(name))
        assert b"".join(response) == content


def test_a_manifest_brings_each_byte_name_time_and_flag_back(
    database: str, tmp_path: Path
) -> None:
    default, back = storages["default"], storages["back"]
    filled(default)
    default.set_public("a.txt", True)
    default.set_public("dir/large.bin", True)
    manifest = str(tmp_path / "files.jsonl")
    out = run("--from", "default", "--to", "out", "--manifest", manifest, "--jobs", "1")
    assert out["public"] == 2
    # The second run has nothing to do, and writes a complete manifest all the same.
    run("--from", "default", "--to", "out", "--manifest", manifest, "--jobs", "1")
    hand_over(Path(manifest), "back")
    arguments = ("--from", "out", "--to", "back", "--manifest", manifest, "--jobs", "1")
    run(*arguments, "--restore-flags")
    assert contents(back) == FILES
    assert [back.stat(name) for name in FILES] == [default.stat(name) for name in FILES]


def test_a_manifest_reveals_lost_and_changed_files(database: str, tmp_path: Path) -> None:
    filled(storages["default"], {"a": b"a", "b": b"b", "c": b"c", "dir/d": b"d"})
    manifest = str(tmp_path / "files.jsonl")
    run("--from", "default", "--to", "out", "--manifest", manifest, "--jobs", "1")
    hand_over(Path(manifest), "back")
    storages["out"].delete("a")
    (tmp_path / "out" / "b").write_bytes(b"B")
    report = run("--from", "out", "--to", "back", "--manifest", manifest, "--jobs", "1")
    assert {failure["name"] for failure in report["failures"]} == {"a", "b"}
    assert contents(storages["back"]) == {"c": b"c", "dir/d": b"d"}


def test_a_manifest_is_complete_or_as_it_was(database: str, tmp_path: Path) -> None:
    manifest = tmp_path / "files.jsonl"
    old = json.dumps(GOOD_LINE)
    manifest.write_text(old)
    filled(storages["default"])
    run("--from", "default", "--to", "out", "--manifest", str(manifest), "--dry-run")
    assert manifest.read_text() == old
    with pytest.raises(CommandError):
        call_command(
            *("dbstorage_copy", "--from", "default", "--to", "out", "--jobs", "1"),
            *("--manifest", str(manifest), "--public"),
        )
    assert manifest.read_text() == old
    assert list(tmp_path.glob("*.part")) == []


def test_a_run_for_a_part_or_with_failures_leaves_the_manifest_whole(
    database: str, tmp_path: Path
) -> None:
    def lines() -> dict[str, Any]:
        return {line["name"]: line for line in map(json.loads, manifest.read_text().splitlines())}

    manifest = tmp_path / "files.jsonl"
    filled(storages["back"])
    arguments = ("--from", "back", "--to", "out", "--manifest", str(manifest), "--jobs", "1")
    run(*arguments)
    whole = lines()
    assert whole.keys() == FILES.keys()
    run(*arguments, "--prefix", "dir/deeper")
    assert lines() == whole
    (tmp_path / "out" / "a.txt").write_bytes(b"another")
    assert [failure["name"] for failure in run(*arguments)["failures"]] == ["a.txt"]
    assert lines() == whole


def test_a_file_that_is_no_manifest_is_left_alone(database: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Mine.")
    arguments = ("--from", "default", "--to", "out", "--manifest", str(tmp_path / "notes.txt"))
    assert "not a line of a manifest" in refusal(*arguments)
    assert (tmp_path / "notes.txt").read_text() == "Mine."


def test_a_prefix_is_a_directory(database: str) -> None:
    filled(storages["folder"])
    run("--from", "folder", "--to", "default", "--prefix", "dir/", "--jobs", "1")
    below = {name: content for name, content in FILES.items() if name.startswith("dir/")}
    assert contents(storages["default"]) == below
    run("--from", "default", "--to", "back", "--prefix", "dir/deeper", "--jobs", "1")
    assert contents(storages["back"]) == {"dir/deeper/.hidden": b"hidden"}
    nothing = run("--from", "default", "--to", "back", "--prefix", "dri", "--jobs", "1")
    assert nothing["failures"] == [
        {"name": "dri", "problem": "there are no files below this directory"}
    ]


@pytest.mark.parametrize(("option", "is_public"), [("--public", True), ("--private", False)])
def test_all_files_become_public_or_private(
    database: str,
    option: str,
    is_public: bool,  # noqa: FBT001
) -> None:
    filled(storages["folder"], {"a.txt": b""})
    run("--from", "folder", "--to", "default", option, "--jobs", "1")
    assert storages["default"].is_public("a.txt") is is_public


def test_a_failure_is_named_and_the_exit_code_says_so(
    database: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    filled(storages["folder"], {"a.txt": b""})
    (tmp_path / "folder" / "line\nbreak\x1b[31m").write_bytes(b"")
    with pytest.raises(CommandError, match="1 failed") as caught:
        call_command("dbstorage_copy", "--from", "folder", "--to", "default", "--jobs", "1")
    assert caught.value.returncode == 1
    told, failures = capsys.readouterr()
    assert told.startswith("copied 1, replaced 0, present 0, failed 1 in ")
    told = "The name 'line\\nbreak\\x1b[31m' holds a control character"
    assert failures == (
        f"line\\nbreak\\x1b[31m: the target can't store a file under this name: {told}\n"
    )


def test_a_lost_public_flag_is_reported(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    filled(storages["default"], {"a.txt": b""})
    storages["default"].set_public("a.txt", True)
    call_command("dbstorage_copy", "--from", "default", "--to", "out", "--jobs", "1")
    assert "Public files: 1. " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--from", "default", "--to", "default"), "the same storage"),
        (("--from", "nowhere", "--to", "default"), "STORAGES has: "),
        (("--from", "folder", "--to", "default", "--prefix", "../x"), "path traversal"),
        (("--from", "folder", "--to", "out", "--manifest", "x"), "between a DatabaseStorage and"),
        (
            ("--from", "default", "--to", "back", "--manifest", "x"),
            "between a DatabaseStorage and",
        ),
        (("--from", "default", "--to", "out", "--public"), "can't store public flags"),
        (("--from", "folder", "--to", "default", "--manifest", "/none"), "/none"),
        (("--from", "folder", "--to", "default", "--prefix", "none"), "no files below 'none'"),
        (("--from", "folder", "--to", "default", "--restore-flags"), "needs --manifest"),
        (
            ("--from", "default", "--to", "out", "--manifest", "x", "--restore-flags"),
            "--restore-flags: 'out' can't store public flags",
        ),
    ],
)
def test_impossible_arguments_change_nothing(
    database: str, arguments: tuple[str, ...], text: str
) -> None:
    filled(storages["folder"])
    assert text in refusal(*arguments)
    assert contents(storages["default"]) == {}


def test_a_folder_that_is_not_set_is_named(settings: Settings, database: str) -> None:
    settings.STATIC_URL, settings.STATIC_ROOT = "/static/", None
    assert "'staticfiles' can't be used: " in refusal("--from", "staticfiles", "--to", "default")


@pytest.mark.parametrize(
    "line",
    [
        *("x", "[]", "{}", '{"name": 1}', '{"name": "a", "is_public": 1, "size": 0}'),
        *("\xff", "[" * 100_000, '"name"', "null", ""),
        *(
            json.dumps({**GOOD_LINE, **wrong})
            for wrong in (
                *({"size": "1"}, {"size": -1}, {"size": True}, {"sha256": ""}, {"sha256": 1}),
                *({"created": 1}, {"created": "soon"}, {"created": "0001-01-01T00:00:00+14:00"}),
                {"is_public": "false"},
            )
        ),
    ],
    ids=range(19),
)
def test_a_bad_line_of_a_manifest_is_reported_and_the_rest_goes_on(
    database: str, tmp_path: Path, line: str
) -> None:
    filled(storages["back"])
    manifest = tmp_path / "files.jsonl"
    run("--from", "back", "--to", "out", "--manifest", str(manifest), "--jobs", "1")
    hand_over(manifest, "")
    manifest.write_bytes(line.encode("latin-1") + b"\n" + manifest.read_bytes())
    report = run("--from", "out", "--to", "default", "--manifest", str(manifest), "--jobs", "1")
    ((failure),) = report["failures"]
    assert failure["name"] == "files.jsonl, line 1"
    assert "not a line of a manifest" in failure["problem"]
    assert contents(storages["default"]) == FILES


def test_the_flags_of_a_manifest_are_restored_only_if_asked_for(
    database: str, tmp_path: Path
) -> None:
    filled(storages["back"])
    manifest = tmp_path / "files.jsonl"
    run("--from", "back", "--to", "out", "--manifest", str(manifest), "--jobs", "1")
    hand_over(manifest, "")
    manifest.write_text(manifest.read_text().replace('"is_public": false', '"is_public": true'))
    arguments = ("--from", "out", "--to", "default", "--manifest", str(manifest), "--jobs", "1")
    run(*arguments)
    assert not any(storages["default"].is_public(name) for name in FILES)
    for name in FILES:
        storages["default"].delete(name)
    run(*arguments, "--restore-flags")
    assert all(storages["default"].is_public(name) for name in FILES)


def test_a_manifest_of_another_storage_publishes_no_file(database: str, tmp_path: Path) -> None:
    default, back = storages["default"], storages["back"]
    for storage in (default, back):
        filled(storage, {"id.pdf": b"same"})
    back.set_public("id.pdf", True)
    manifest = str(tmp_path / "files.jsonl")
    run("--from", "back", "--to", "out", "--manifest", manifest, "--jobs", "1")
    told = "files.jsonl, line 1: this is a manifest of the namespace 'back', not ''"
    assert told in refusal("--from", "default", "--to", "folder", "--manifest", manifest)
    default.delete("id.pdf")
    arguments = ("--from", "out", "--to", "default", "--manifest", manifest, "--jobs", "1")
    assert told in refusal(*arguments, "--restore-flags")
    assert f"{told}. To restore its files under another namespace, copy" in refusal(*arguments)
    assert not default.exists("id.pdf")
    back.delete("id.pdf")
    run("--from", "out", "--to", "back", "--manifest", manifest, "--restore-flags", "--jobs", "1")
    run("--from", "back", "--to", "default", "--jobs", "1")
    assert default.stat("id.pdf").is_public


def test_a_file_that_is_no_manifest_is_refused_as_a_whole(database: str, tmp_path: Path) -> None:
    filled(storages["out"])
    manifest = tmp_path / "notes.txt"
    manifest.write_text("Mine.\n" * 1000)
    told = refusal("--from", "out", "--to", "default", "--manifest", str(manifest))
    assert told.startswith("notes.txt, line 1: not a line of a manifest: ")
    assert contents(storages["default"]) == {}


def test_a_dry_run_says_what_it_would_do(database: str) -> None:
    filled(storages["folder"])
    told = io.StringIO()
    call_command(
        *("dbstorage_copy", "--from", "folder", "--to", "default", "--dry-run", "--jobs", "1"),
        stdout=told,
        verbosity=2,
    )
    assert f"would copy {len(FILES)}, " in told.getvalue().splitlines()[-1]
    assert "would copy a.txt" in told.getvalue()


def test_private_files_in_a_folder_are_for_their_owner_alone(
    database: str, settings: Settings, tmp_path: Path
) -> None:
    def modes() -> dict[str, int]:
        return {name: (tmp_path / "out" / name).stat().st_mode & 0o777 for name in FILES}

    filled(storages["back"])
    storages["back"].set_public("a.txt", True)
    run("--from", "back", "--to", "out", "--jobs", "1")
    assert modes() == {name: 0o644 if name == "a.txt" else 0o600 for name in FILES}
    out = {"location": str(tmp_path / "out"), "file_permissions_mode": 0o640}
    settings.STORAGES = {**settings.STORAGES, "out": {"BACKEND": FOLDER, "OPTIONS": out}}
    for name in FILES:
        storages["out"].delete(name)
    run("--from", "back", "--to", "out", "--jobs", "1")
    assert set(modes().values()) == {0o640}


@pytest.mark.parametrize("link", ["dir", "a.txt"])
def test_no_symbolic_link_is_followed_out_of_a_folder(
    database: str, tmp_path: Path, link: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.txt").write_bytes(b"secret")
    target = elsewhere if link == "dir" else elsewhere / "secret.txt"
    for name in ("folder", "out"):
        (tmp_path / name / link).symlink_to(target)
    report = run("--from", "folder", "--to", "default", "--jobs", "1")
    assert [failure["name"] for failure in report["failures"]] == [link]
    assert contents(storages["default"]) == {}
    filled(storages["back"])
    report = run("--from", "back", "--to", "out", "--jobs", "1")
    failed = {failure["name"] for failure in report["failures"]}
    assert failed == {name for name in FILES if f"{name}/".startswith(f"{link}/")}
    assert {path.name: path.read_bytes() for path in elsewhere.iterdir()} == {
        "secret.txt": b"secret"
    }


def test_an_unusable_storage_is_reported_before_anything_is_done(
    database: str, settings: Settings
) -> None:
    settings.STORAGES["default"]["OPTIONS"]["chunk_size"] = 1
    settings.STORAGES = {**settings.STORAGES}
    assert "chunk_size" in refusal("--from", "folder", "--to", "default")


def test_the_help_has_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command("dbstorage_copy", "--help")
    text = capsys.readouterr().out
    assert "\n  manage.py dbstorage_copy --from folder --to default --dry-run\n" in text
    assert "\n  130  interrupted" in text


# In a bucket


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    try:
        server = S3Server(places.unused("s3"))
    except Unavailable as error:
        skip_or_fail(str(error))
    with server:
        yield server


@pytest.mark.sweep
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("file_overwrite", [True, False])
def test_a_project_graduates_to_a_bucket_and_comes_back(
    database: str,
    s3: S3Server,
    settings: Settings,
    tmp_path: Path,
    file_overwrite: bool,  # noqa: FBT001
) -> None:
    bucket = s3.options(f"files-{database}-{file_overwrite}".lower())
    settings.STORAGES = {
        **settings.STORAGES,
        "bucket": {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {**bucket, "file_overwrite": file_overwrite},
        },
    }
    # boto3 sends it in several parts.
    files = FILES | {"huge.bin": LARGE * 800, "stray.txt": b"mine"}
    filled(storages["default"], files)
    storages["default"].set_public("a.txt", True)
    filled(storages["bucket"], {"stray.txt": b"not ours"})
    manifest = str(tmp_path / "files.jsonl")

    out = run("--from", "default", "--to", "bucket", "--manifest", manifest)
    assert [failure["name"] for failure in out["failures"]] == ["stray.txt"]
    del files["stray.txt"]
    assert contents(storages["bucket"]) == files | {"stray.txt": b"not ours"}
    again = run("--from", "default", "--to", "bucket")
    assert again["counts"] == {"copied": 0, "replaced": 0, "present": len(files)}

    hand_over(Path(manifest), "back")
    back = run("--from", "bucket", "--to", "back", "--manifest", manifest, "--restore-flags")
    assert back["counts"]["copied"] == len(files)
    assert contents(storages["back"]) == files
    assert all(storages["back"].stat(name) == storages["default"].stat(name) for name in files)


# Killed


MANY = {f"{number % 10}/{number:04}": f"{number}".encode() * 300 for number in range(1000)}


@pytest.fixture
def process(database: str, tmp_path: Path, transactional_db: None) -> Iterator[Any]:
    """Start a copy in a separate process that prints each file."""
    served = f"{database}:{connections[database].settings_dict['NAME']}"
    running: list[subprocess.Popen[str]] = []

    def start(source: str, target: str) -> subprocess.Popen[str]:
        command = [
            "-W",
            "error",
            "-m",
            "django",
            "dbstorage_copy",
            "--from",
            source,
            "--to",
            target,
            "--jobs",
            "1",
        ]
        running.append(
            subprocess.Popen(
                [sys.executable, *command, "--verbosity", "2"],
                env=os.environ
                | {
                    "DJANGO_SETTINGS_MODULE": "tests.support.copying_settings",
                    "DBSTORAGE_TEST_SERVED": served,
                    "DBSTORAGE_TEST_FOLDER": str(tmp_path / "folder"),
                    "PYTHONUNBUFFERED": "1",
                },
                cwd=Path(__file__).parents[2],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # So small that a copy whose lines nobody reads waits before it is done.
                pipesize=4096,
                text=True,
                # Background jobs ignore SIGINT, and this process would inherit that.
                preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
            )
        )
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def after_files(process: subprocess.Popen[str], number: int) -> None:
    """Wait until a copy has printed this many files."""
    assert process.stdout is not None
    for _ in range(number):
        line = process.stdout.readline()
        assert line.startswith("copied "), line + process.communicate()[1]


@pytest.mark.cluster
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("direction", [("folder", "default"), ("default", "folder")])
def test_a_killed_copy_continues(database: str, process: Any, direction: tuple[str, str]) -> None:
    source, target = direction
    filled(storages[source], MANY)
    killed = process(source, target)
    after_files(killed, 200)
    killed.kill()
    killed.wait()
    done = len(contents(storages[target]))
    assert 200 <= done < len(MANY)
    finished = process(source, target)
    told, errors = finished.communicate(timeout=100)
    assert finished.returncode == 0, errors
    assert told.count("present ") >= 200
    assert contents(storages[target]) == MANY


@pytest.mark.django_db(transaction=True)
def test_an_interrupted_copy_reports_its_progress(database: str, process: Any) -> None:
    filled(storages["folder"], MANY)
    interrupted = process("folder", "default")
    after_files(interrupted, 50)
    interrupted.send_signal(signal.SIGINT)
    told, errors = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130
    assert errors.rstrip().endswith("Interrupted. Run the command again to continue.")
    assert " failed 0, " in told.splitlines()[-1]
    assert set(contents(storages["default"]).items()) < set(MANY.items())
