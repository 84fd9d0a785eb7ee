"""Commands report progress and results to people, logs and programs."""

import io
import json
import os
import pty
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import ProgrammingError

from secure_dbstorage.management import reports
from secure_dbstorage.management.reports import Report, shown
from tests.support.reporting import Count


def count(*arguments: str) -> tuple[str, str, int]:
    """Return what the command prints to stdout and stderr, and its exit code."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command(Count(), *arguments, stdout=out, stderr=err)
    except CommandError as error:
        code = error.returncode
    return out.getvalue(), err.getvalue(), code


def test_all_went_well() -> None:
    out, err, code = count("good", "good")
    assert out.startswith("good 2, failed 0, 4.8 MB in ")
    assert (err, code) == ("", 0)


def test_a_failure_is_reported_at_once_and_the_rest_is_done() -> None:
    out, err, code = count("bad", "good")
    assert out.startswith("good 1, failed 1")
    assert err == "bad: is bad\n"
    assert code == 1


def test_an_interruption_is_reported_with_the_progress() -> None:
    out, _, code = count("good", "stop", "good")
    assert out.startswith("good 1, failed 0")
    assert code == 130


#: Runs the command in a process, with the arguments of that process.
_COMMAND = """
import os, sys, django
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()
from tests.support.reporting import Count
Count().run_from_argv(["manage.py", "count", *sys.argv[1:]])
"""


@pytest.mark.parametrize("flags", [[], ["-u"]])
@pytest.mark.parametrize(
    "arguments", [["good"], ["good", "--verbosity", "2"], ["good", "--json"], ["bad"]]
)
def test_output_that_nobody_reads_ends_a_command_without_a_word(
    flags: list[str], arguments: list[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, *flags, "-c", _COMMAND, *arguments]
    # A failure is printed to stderr, so that one must be closed too: only the code can be seen.
    to_both = "bad" in arguments
    stderr = writing if to_both else subprocess.PIPE
    done = subprocess.run(command, stdout=writing, stderr=stderr, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, None if to_both else b"")


def test_wrong_usage_has_its_own_exit_code() -> None:
    assert count("wrong")[2] == 2


def test_a_database_that_is_down_is_no_traceback() -> None:
    with pytest.raises(CommandError, match="The database can't be used: connection refused") as it:
        call_command(Count(), "down")
    assert it.value.returncode == 2


def test_a_database_that_goes_away_ends_the_command_after_its_summary() -> None:
    out = io.StringIO()
    again = "can no longer be used: connection refused. Run the command again later to continue."
    with pytest.raises(CommandError, match=again) as raised:
        call_command(Count(), "good", "down", "good", stdout=out)
    assert raised.value.returncode == 1
    assert out.getvalue().startswith("good 1, failed 0, ")
    assert json.loads(count("bad", "down", "--json")[0])["interrupted"] is True


def test_a_table_that_is_missing_in_the_next_database_hides_nothing_that_was_done() -> None:
    out, err, code = count("unmigrated")
    assert (out, err, code) == ("", "", 2)
    out, _, code = count("good", "unmigrated", "--json")
    told = json.loads(out)
    assert (told["counts"], told["interrupted"], code) == ({"good": 1}, True, 1)
    with pytest.raises(CommandError, match="The table of files is missing"):
        call_command(Count(), "good", "unmigrated", stdout=io.StringIO())


def test_the_message_for_a_missing_table_does_not_end_at_migrate() -> None:
    with pytest.raises(CommandError) as raised:
        call_command(Count(), "unmigrated")
    first, then = str(raised.value).split(" If it is still missing, ")
    assert "`manage.py migrate`" in first
    assert "allow_migrate() refuses secure_dbstorage" in then
    assert "`manage.py migrate --fake secure_dbstorage zero` and `manage.py migrate`" in then


def test_a_fault_in_a_statement_is_not_hidden() -> None:
    with pytest.raises(ProgrammingError):
        call_command(Count(), "good", "fault", stdout=io.StringIO())


def test_a_run_that_ends_early_says_where_to_continue() -> None:
    for end in ("stop", "down"):
        words = ("first", "second", end, "--continues")
        assert "To continue: --after 'second'\n" in count(*words)[0]
        assert json.loads(count(*words, "--json")[0])["after"] == "second"
    assert "after" not in json.loads(count("first", "--continues", "--json")[0])


def test_programs_get_one_object_and_nothing_else() -> None:
    out, _, code = count("good", "bad", "--json", "--verbosity", "3", "--dry-run")
    told = json.loads(out)
    assert told.pop("seconds") >= 0
    assert told == {
        "dry_run": True,
        "words": 2,
        "interrupted": False,
        "bytes": 2_500_000,
        "counts": {"good": 1},
        "failures": [{"name": "bad", "problem": "is bad"}],
    }
    assert code == 1
    assert json.loads(count("good", "stop", "--json")[0])["interrupted"] is True


def test_a_dry_run_is_announced() -> None:
    assert count("good", "--dry-run")[0].startswith("Dry run: nothing was changed.\n")


def test_verbosity_decides_which_lines_are_printed() -> None:
    assert count("good", "--verbosity", "0")[0] == ""
    assert "saw good\n" in count("good", "--verbosity", "2")[0]


def test_a_log_gets_lines_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "_SECONDS_BETWEEN_LINES", 0)
    assert count("good", "good")[1] == "1 of 2 files, 2.4 MB\n2 of 2 files, 4.8 MB\n"
    assert count("good", "--verbosity", "0")[1] == ""
    monkeypatch.setattr(reports, "_SECONDS_BETWEEN_LINES", 60)
    assert count("good", "good")[1] == ""


ON_A_TERMINAL = """
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["secure_dbstorage"])
django.setup()
{before}
from django.core.management import call_command
from tests.support.reporting import Count
call_command(Count(), "good", "bad", "good")
"""


@pytest.mark.parametrize("has_tqdm", [True, False])
def test_a_terminal_gets_a_bar_if_tqdm_is_installed(has_tqdm: bool) -> None:  # noqa: FBT001
    before = "" if has_tqdm else "import sys; sys.modules['tqdm'] = None"
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", ON_A_TERMINAL.format(before=before)],
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": ""},
    )
    os.close(theirs)
    text = "".join(_lines(ours))
    process.wait(60)
    assert ("3/3 [" in text) is has_tqdm, text
    assert "bad: is bad" in text
    assert "good 2, failed 1, 4.8 MB in " in text


def _lines(terminal: int) -> Iterator[str]:
    try:
        while piece := os.read(terminal, 4096):
            yield piece.decode(errors="replace")
    except OSError:  # Linux says so at the end of a terminal.
        os.close(terminal)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ünï 日本.txt", "ünï 日本.txt"),
        ("line\nbreak\r\t\0", "line\\nbreak\\r\\t\\x00"),
        ("\x1b[31mred\x9b", "\\x1b[31mred\\x9b"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("\udcff", "\\udcff"),
    ],
)
def test_no_name_controls_a_terminal(name: str, text: str) -> None:
    assert shown(name) == text


def test_characters_that_an_encoding_lacks_are_escaped() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    wrapper = OutputWrapper(stream)
    report = Report(wrapper, wrapper, verbosity=1, as_json=False)
    report.say("ü")
    report.fail("日", "ö")
    stream.seek(0)
    assert stream.read() == "\\xfc\n\\u65e5: \\xf6\n"


def test_names_in_json_are_exact() -> None:
    out = io.StringIO()
    report = Report(OutputWrapper(out), OutputWrapper(io.StringIO()), verbosity=1, as_json=True)
    report.fail("a\nü\udcff", "why")
    report.close(interrupted=False, more={})
    assert json.loads(out.getvalue())["failures"][0]["name"] == "a\nü\udcff"
    assert out.getvalue().isascii()


def test_time_is_counted_from_the_start() -> None:
    began = time.monotonic()
    told = json.loads(count("good", "--json")[0])
    assert 0 <= told["seconds"] <= time.monotonic() - began + 0.001
