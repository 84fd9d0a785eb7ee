"""README.md and the other pages agree with the code and with each other."""

import ast
import dataclasses
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from django.core.files.storage import Storage
from django.core.management import get_commands, load_command_class
from django.dispatch import Signal
from django.template import engines
from django.template.loader import get_template
from django.utils.module_loading import import_string

import secure_dbstorage
from secure_dbstorage import signals
from secure_dbstorage.options import OPTION_NAMES, StorageOptions
from secure_dbstorage.receiving.door import TEMPORARY
from secure_dbstorage.receiving.faults import Fault
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.templatetags import secure_dbstorage as secure_dbstorage_tags
from tests.support.pages import (
    CHECKS,
    CONTRIBUTING,
    EXAMPLE,
    LINKS,
    PAGES,
    README,
    ROOT,
    SECURITY,
    SERVING,
    UPLOADS,
    anchor,
    blocks,
    first_cells,
    headings,
    section,
    targets,
    without_code,
)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
REPOSITORY = PROJECT["project"]["urls"]["Homepage"]
RAW = REPOSITORY.replace("github.com", "raw.githubusercontent.com")


class TestPages:
    """Easy to read, and every link leads somewhere."""

    def test_the_readme_is_short(self) -> None:
        assert len(README.read_text().splitlines()) <= 500

    def test_every_page_is_read_here(self) -> None:
        folders = [ROOT / name for name in (".github", "example", "secure_dbstorage", "tests")]
        found = {*ROOT.glob("*.md"), *(page for each in folders for page in each.rglob("*.md"))}
        assert {page for page in found if "node_modules" not in page.parts} == set(PAGES)

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_no_line_is_wide(self, page: Path) -> None:
        assert [line for line in page.read_text().splitlines() if len(line) > 100] == []

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_no_block_takes_away_the_options_that_another_has_set(self, page: Path) -> None:
        taking = re.compile(r"""^STORAGES\["default"\](\["OPTIONS"\])? =""", re.MULTILINE)
        assert not any(map(taking.search, blocks(page.read_text(), "python")))

    @pytest.mark.parametrize(
        "page",
        [page for page in PAGES if len(headings(page)) > 1],
        ids=lambda page: str(page.relative_to(ROOT)),
    )
    def test_a_table_of_contents_names_each_heading_in_order(self, page: Path) -> None:
        contents = page.read_text().split("\n## ")[0]
        entries = re.findall(r"\[([^\]]+)\]\(#([\w-]+)\)", contents)
        assert entries == [(heading, anchor(heading)) for heading in headings(page)]

    def test_links_of_the_readme_work_where_the_index_shows_it(self) -> None:
        own = {f"#{anchor(heading)}" for level in (2, 3) for heading in headings(README, level)}
        for target in targets(README):
            assert target in own or target.startswith("https://"), target

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_every_link_leads_somewhere(self, page: Path) -> None:
        for target in targets(page):
            address, _, fragment = target.partition("#")
            if address.startswith("https://"):
                known = re.fullmatch(
                    f"{REPOSITORY}/(?:blob|tree)/main/(.+)|{RAW}/main/(.+)", address
                )
                assert known, target
                path = ROOT / (known[1] or known[2])
            else:
                path = page.parent / address if address else page
            assert path.exists(), target
            if fragment and fragment != "readme":
                path = path / "README.md" if path.is_dir() else path
                assert fragment in map(anchor, headings(path) + headings(path, 3)), target

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_each_name_of_a_link_is_defined_and_used(self, page: Path) -> None:
        text = without_code(page)
        defined = re.findall(r"^\[([\w ]+)\]: ", text, flags=re.MULTILINE)
        used = re.findall(r"\]\[([\w ]+)\]", text)
        assert set(defined) == set(used)

    def test_addresses_of_the_project_are_of_one_repository(self) -> None:
        assert all(url.startswith(REPOSITORY) for url in PROJECT["project"]["urls"].values())

    @pytest.mark.parametrize("heading", ["See it run", "Run the tests"])
    def test_a_stranger_finds_one_command(self, heading: str) -> None:
        assert len(blocks(section(README, heading), "sh")) == 1


class TestTables:
    """Whole, and in order."""

    def test_options(self) -> None:
        cells = first_cells(section(README, "Options"))
        assert [cell.strip("`") for cell in cells] == list(OPTION_NAMES)

    def test_defaults(self) -> None:
        defaults = StorageOptions()
        rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", section(README, "Options"), re.MULTILINE)
        for name, shown in rows:
            default, said = getattr(defaults, name), ast.literal_eval(shown)
            if callable(default):  # by the file's name
                default = default("a.txt")
            assert (default or None) == (said or None), name
        rates = re.findall(r"`({.+})`", section(README, "Options"))
        assert [ast.literal_eval(rate) for rate in rates] == [dict(defaults.rate_limits)]
        assert len(rows) == len(OPTION_NAMES) - len(["rate_limits", "inline_types"])

    def test_checks(self) -> None:
        cells = first_cells(CHECKS.read_text())
        ids = [cell.strip("`").removeprefix("secure_dbstorage.") for cell in cells]
        assert ids == sorted(ids_of_checks())

    def test_commands(self) -> None:
        commands = {name for name, app in get_commands().items() if app == "secure_dbstorage"}
        cells = first_cells(section(README, "Commands"))
        assert sorted(cell.strip("`") for cell in cells) == sorted(commands)

    def test_signals(self) -> None:
        sent = {name for name, value in vars(signals).items() if isinstance(value, Signal)}
        assert {cell.strip("`") for cell in first_cells(section(SERVING, "Signals"))} == sent

    def test_arguments_of_links(self) -> None:
        shown = re.findall(r"`(\w+)", " ".join(first_cells(section(LINKS, "What the terms mean"))))
        (arguments,) = get_args(DatabaseStorage.url.__annotations__["arguments"])
        assert sorted(shown) == sorted(arguments.__annotations__)

    def test_arguments_of_uploads(self) -> None:
        shown = re.findall(r"^\| `(\w+)", section(UPLOADS, "Links"), flags=re.MULTILINE)
        (arguments,) = get_args(DatabaseStorage.upload_url.__annotations__["arguments"])
        assert sorted(shown) == sorted(arguments.__annotations__)

    def test_reasons_of_uploads(self) -> None:
        rows = re.findall(
            r"^\| ([\d, ]+) \| (.+?) \|", section(UPLOADS, "What is answered"), re.MULTILINE
        )
        said = {
            (int(statuses[-3:]), word)
            for statuses, words in rows
            for word in re.findall(r"`([a-z-]+)`", words)
        }
        reasons = {(reason.status, reason.value) for reason in TEMPORARY}
        assert said == {(fault.status, fault.value) for fault in Fault} | reasons

    def test_checklist_of_security(self) -> None:
        checklist = section(SECURITY, "Before you go live")
        named = set(re.findall(r"`([EW]\d{3})`", checklist))
        first, last = re.findall(r"`(E\d{3})` to `(E\d{3})`", checklist)[0]
        named |= {f"E{number:03}" for number in range(int(first[1:]), int(last[1:]) + 1)}
        assert named == ids_of_checks()


def ids_of_checks() -> set[str]:
    sources = (ROOT / "secure_dbstorage" / "checks").glob("*.py")
    texts = " ".join(path.read_text() for path in sources)
    return set(re.findall(r'"secure_dbstorage\.([EW]\d{3})"', texts))


def test_each_template_tag_is_shown() -> None:
    (block,) = blocks(section(README, "In templates"), "html")
    assert set(re.findall(r"{% (signed_\w+) ", block)) == set(secure_dbstorage_tags.register.tags)


def test_each_method_beyond_django_is_shown() -> None:
    own = {
        name
        for name in set(dir(DatabaseStorage)) - set(dir(Storage))
        if callable(getattr(DatabaseStorage, name)) and not name.startswith("_")
    }
    shown = set(re.findall(r"storage\.(\w+)\(", README.read_text()))
    # What migrations and other wings call.
    assert own - shown == {"deconstruct", "delete_if"}


def test_each_reason_for_a_refusal_is_named() -> None:
    from secure_dbstorage.serving.refusals import Reason

    (said,) = re.findall(r"`reason`: (.+?)\.", section(SERVING, "Refusals"), re.DOTALL)
    words = re.findall(r"`([a-z-]+)`", said)
    assert sorted(words) == sorted(reason.value for reason in Reason)


def loggers() -> set[str]:
    sources = [path.read_text() for path in (ROOT / "secure_dbstorage").rglob("*.py")]
    return set(re.findall(r'getLogger\("?([\w.]+)"?\)', " ".join(sources)))


def test_each_logger_is_named() -> None:
    recorded = section(SERVING, "What is recorded")
    named = re.findall(r"`(secure_dbstorage\.(?!signals)\w+)`", recorded)
    beside = re.findall(r"`\.(\w+)`", recorded)
    assert loggers() == {*named, *(f"secure_dbstorage.{name}" for name in beside)}


def test_the_line_of_a_request_has_the_fields_that_are_logged() -> None:
    from secure_dbstorage.serving.visits import AccessRecord

    (line,) = (
        text for text in blocks(section(SERVING, "What is recorded"), "") if "client=" in text
    )
    fields = [field.name for field in dataclasses.fields(AccessRecord)]
    assert re.findall(r"(\w+)=", line) == fields


def test_the_commands_that_are_shown_have_these_arguments() -> None:
    pages = " ".join(page.read_text() for page in PAGES)
    lines = re.findall(r"^python manage.py (dbstorage_\w+) (.+)$", pages, flags=re.MULTILINE)
    assert len(lines) > 4
    for name, arguments in lines:
        parser = load_command_class("secure_dbstorage", name).create_parser("manage.py", name)
        parser.parse_args(arguments.split())


def _found(path: str) -> object:
    """Return the module of this path, or what a module has by this name."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        return import_string(path)


class TestMap:
    """The docstring of the package."""

    def names(self) -> list[str]:
        assert secure_dbstorage.__doc__
        return re.findall(r"^``(.+?)``  ", secure_dbstorage.__doc__, flags=re.MULTILINE)

    def test_each_public_path_is_there(self) -> None:
        assert len(self.names()) > 5
        for name in self.names():
            if name.startswith("{%"):
                engines["django"].from_string(name)
            elif name.endswith(".html"):
                get_template(name)
            else:
                assert _found(f"secure_dbstorage.{name}"), name

    def test_each_wing_is_there(self) -> None:
        assert secure_dbstorage.__doc__
        named = re.findall(r"^- ``(\w+)`` ", secure_dbstorage.__doc__, flags=re.MULTILINE)
        package = ROOT / "secure_dbstorage"
        wings = {path.parent.name for path in package.glob("*/__init__.py")}
        assert set(named) == wings - {"admin", "management", "migrations", "templatetags"}

    def test_each_logger_is_named(self) -> None:
        assert secure_dbstorage.__doc__
        named = re.findall(r"``(secure_dbstorage\.\w+)``", secure_dbstorage.__doc__)
        assert set(named) == loggers()

    def test_it_imports_nothing(self) -> None:
        code = (
            "import sys; before = {*sys.modules}; import secure_dbstorage; "
            "print(*{*sys.modules} - before)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
        )
        assert done.stdout.split() == ["secure_dbstorage"]


def test_each_claim_of_security_names_tests_that_exist() -> None:
    claims = section(SECURITY, "What we defend against").split("\n**")[1:]
    assert len(claims) > 20
    for claim in claims:
        threat = claim.partition(".**")[0]
        named = re.findall(r"^- `(\w+)\.(test_\w+)`$", claim, flags=re.MULTILINE)
        assert named, f"{threat}: no test"
        for module, test in named:
            (path,) = (ROOT / "tests").rglob(f"test_{module}.py")
            assert re.search(rf"def {test}\(", path.read_text()), f"{threat}: {module}.{test}"


def test_the_paths_in_contributing_exist() -> None:
    rows = re.findall(r"^\| [^|]+ \| (`.+`) \|$", section(CONTRIBUTING, "The house"), re.MULTILINE)
    for name in re.findall(r"`(.+?)`", " ".join(rows)):
        path = ROOT / "secure_dbstorage" / name
        assert (path if path.suffix else path.with_suffix(".py")).exists(), name


def test_what_the_page_of_the_example_names_is_there() -> None:
    text = EXAMPLE.read_text()
    named = set(re.findall(r"`([\w/]+(?:\.py|/))`", text))
    assert len(named) > 10
    assert [name for name in named if not (EXAMPLE.parent / name).exists()] == []
    settings = (EXAMPLE.parent / "project" / "settings.py").read_text()
    variables = set(re.findall(r"`([A-Z_]+)[`=]", text))
    assert variables >= {"DATABASE_URL", "DEBUG", "STORAGES"}
    assert [name for name in variables if name not in settings] == []


def test_picture_shows_the_layers_that_the_linter_holds() -> None:
    contract = PROJECT["tool"]["importlinter"]["contracts"][0]
    lines = [re.sub(r"\(\w+\)", "", layer) for layer in contract["layers"]]
    layers = [set(re.findall(r"\w+", line)) for line in lines]
    (picture,) = blocks(section(CONTRIBUTING, "The house"), "")
    assert [set(re.findall(r"\w+", line)) for line in picture.splitlines()] == layers
