"""What README and SECURITY.md say, held against the code; and a project that follows them."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, default_storage
from django.core.management import get_commands
from django.dispatch import Signal
from django.test import Client

from secure_dbstorage import signals
from secure_dbstorage.options import OPTION_NAMES
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.templatetags import secure_dbstorage as secure_dbstorage_tags

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SECURITY = (ROOT / "SECURITY.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def section(title: str) -> str:
    """Return the text below a heading of the README."""
    return re.split(r"^## ", README.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a text, without the indentation that a list gives them."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, flags=re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def test_table_of_options_names_each_option_in_order() -> None:
    rows = re.findall(r"^\| (`.+?) \|", section("Options"), flags=re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(rows)) == list(OPTION_NAMES)


def ids_of_checks() -> set[str]:
    source = (ROOT / "secure_dbstorage" / "checks.py").read_text()
    return set(re.findall(r'"secure_dbstorage\.([EW]\d{3})"', source))


def test_table_of_checks_names_each_check_once() -> None:
    rows = re.findall(r"^\| `secure_dbstorage\.(\w+)` \|", section("System checks"), re.MULTILINE)
    assert rows == sorted(ids_of_checks())


def test_each_command_has_a_heading() -> None:
    commands = {name for name, app in get_commands().items() if app == "secure_dbstorage"}
    headings = re.findall(r"^### `(\w+)`$", README, flags=re.MULTILINE)
    assert sorted(headings) == sorted(commands)


def test_table_of_signals_names_each_signal() -> None:
    sent = {name for name, value in vars(signals).items() if isinstance(value, Signal)}
    rows = re.findall(r"^\| `(file_\w+)` \|", section("What is recorded"), re.MULTILINE)
    assert set(rows) == sent


def test_each_template_tag_is_shown() -> None:
    (block,) = blocks(section("Links"), "html")
    assert set(re.findall(r"{% (signed_\w+) ", block)) == set(secure_dbstorage_tags.register.tags)


def test_each_method_beyond_django_is_shown() -> None:
    own = {
        name
        for name, value in vars(DatabaseStorage).items()
        if callable(value) and not name.startswith("_") and not hasattr(Storage, name)
    }
    shown = set(re.findall(r"storage\.(\w+)\(", README))
    assert own - shown == {"aurls", "deconstruct", "delete_if"}


def test_checklist_of_security_names_each_check() -> None:
    raised = ids_of_checks()
    checklist = SECURITY.split("## Before you go live")[1]
    named = set(re.findall(r"`([EW]\d{3})`", checklist))
    first, last = re.findall(r"`(E\d{3})` to `(E\d{3})`", checklist)[0]
    named |= {f"E{number:03}" for number in range(int(first[1:]), int(last[1:]) + 1)}
    assert named == raised


def test_each_claim_of_security_names_tests_that_exist() -> None:
    table = SECURITY.split("## What we defend against")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", table, flags=re.MULTILINE)[1:]
    assert len(rows) > 10
    for threat, _, proofs in rows:
        named = re.findall(r"`(\w+)\.(test_\w+)`", proofs)
        assert named, f"{threat}: no test"
        for module, test in named:
            (path,) = (ROOT / "tests").rglob(f"test_{module}.py")
            source = path.read_text()
            assert re.search(rf"def {test}\(", source), f"{threat}: {module}.{test} is missing"


def test_picture_shows_the_layers_that_the_linter_holds() -> None:
    contract = PROJECT["tool"]["importlinter"]["contracts"][0]
    lines = [re.sub(r"\(\w+\)", "", layer) for layer in contract["layers"]]
    layers = [set(re.findall(r"\w+", line)) for line in lines]
    (picture,) = blocks(section("How it is built"), "")
    assert [set(re.findall(r"\w+", line)) for line in picture.splitlines()] == layers


def test_python_blocks_are_python() -> None:
    for block in blocks(README, "python"):
        ast.parse(block.replace("await ", ""))


@pytest.mark.django_db
def test_the_recipe_for_rich_text_signs_each_name(client: Client) -> None:
    default_storage.save("charts/q 3.png", ContentFile(b"chart"))
    (recipe,) = (block for block in blocks(README, "python") if "def with_links" in block)
    names: dict[str, Any] = {}
    exec(recipe, names)  # noqa: S102 -- our own
    html = names["with_links"](
        """<img src="file:charts/q%203.png"> <a href='file:lost.pdf'>x</a>"""
    )
    image, lost = re.findall(r"""["'](.+?)["']""", html)
    assert client.get(image).content == b"chart"
    assert lost == "/files/lost.pdf"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the built wheel."""
    directory = tmp_path_factory.mktemp("dist")
    command = ["build", "--wheel", "--no-isolation", "--outdir", str(directory), str(ROOT)]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    (wheel,) = directory.glob("*.whl")
    return wheel


def test_the_wheel_has_all_that_the_package_needs_and_a_page_for_the_index(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    tracked = subprocess.run(
        ["git", "ls-files", "secure_dbstorage"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert packed == set(tracked.stdout.splitlines())
    said = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", str(wheel)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert "PASSED" in said.stdout


@pytest.mark.timeout(300)
def test_new_project_follows_the_four_steps(tmp_path: Path, wheel: Path) -> None:
    packages = tmp_path / "packages"
    project = tmp_path / "project"
    project.mkdir()

    def run(*command: str, at: Path = project) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=at,
            env={"PYTHONPATH": f"{packages}:{project}", "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    run("-m", "pip", "install", "--no-deps", "--target", str(packages), str(wheel))
    run("-m", "django", "startproject", "site_", ".")

    settings, *others = blocks(section("Set-up in four steps"), "python")
    urls, sqlite, *_ = others
    with (project / "site_" / "settings.py").open("a") as file:
        file.write(settings + sqlite)
    with (project / "site_" / "urls.py").open("a") as file:
        file.write(urls)
    run("manage.py", "migrate")
    # A cache that all processes share is what the README's last block is for.
    said = run("manage.py", "check", "--database", "default")
    assert set(re.findall(r"secure_dbstorage\.\w\d{3}", said)) == {"secure_dbstorage.W002"}

    (project / "visit.py").write_text(VISIT)
    assert "200 403 404" in run("manage.py", "shell", "-c", "import visit").splitlines()


VISIT = """
import secure_dbstorage
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.core.files.storage import default_storage as storage
from django.test import Client

assert "packages" in secure_dbstorage.__file__
visit = Client(SERVER_NAME="localhost").get
url = storage.url(storage.save("invoices/7.pdf", b"%PDF-1.7"))
assert visit(url).content == b"%PDF-1.7"
assert finders.find("secure_dbstorage/admin.css")
assert finders.find("secure_dbstorage/admin.js")
keeper = Client(SERVER_NAME="localhost")
keeper.force_login(User.objects.create_superuser("keeper"))
for page in ("", "add/", "1/change/", "1/delete/", "browse/default/invoices"):
    answer = keeper.get(f"/admin/secure_dbstorage/storedfile/{page}")
    assert answer.status_code == 200, answer
print(*(visit(u).status_code for u in (url, url[:-1] + "x", url.partition("?")[0])))
"""
