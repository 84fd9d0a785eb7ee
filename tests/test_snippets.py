"""The code in the pages is typed and runs, in a new project with the built wheel."""

import re
import shutil
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.test import Client, override_settings

from secure_dbstorage.storage import DatabaseStorage
from tests.support import reports_tests
from tests.support.pages import DEPLOY, LINKS, README, ROOT, blocks, section, targets

#: Where each block is put, by what it holds; the first that fits. ``None`` is for the four steps.
PLACES: dict[str, str | None] = {
    "class Report(": "reports/models.py",
    "class Photo(": "reports/models.py",
    "def collect(": "reports/views.py",
    "def owner_only(": "reports/access.py",
    "def signed_in(": "reports/access.py",
    "class FilesRouter": "site_/routers.py",
    "def purge(": "reports/purging.py",
    "class LinkedFile(": "reports/serializers.py",
    "def with_links(": "reports/texts.py",
    "def before_send(": "site_/sentry.py",
    "INSTALLED_APPS +=": None,
    "wsrep_sync_wait": "site_/servers.py",
    '"target_session_attrs"': "site_/servers.py",
    '"init_command"': None,
    'path("files/"': None,
    'path("pictures/"': "site_/all_urls.py",
    "urls_internal": "site_/all_urls.py",
    '"OFFLOAD"': "site_/servers.py",
    "CACHES =": "site_/servers.py",
    '"PUBLIC_MAX_AGE"': "site_/servers.py",
    "DATABASE_ROUTERS": "site_/servers.py",
    '{"pool"': "site_/servers.py",
    '{"prepare_threshold"': "site_/servers.py",
    "SECRET_KEY, SECRET_KEY_FALLBACKS =": "site_/servers.py",
    "STORAGES[": "site_/all_settings.py",
    "SECURE_DBSTORAGE =": "site_/all_settings.py",
    "RATELIMIT_ENABLE =": "site_/test_settings.py",
    "LOGGING =": "site_/all_settings.py",
    "storage.": "reports/examples.py",
}

#: What a reader has in the file before the first block: a view that takes uploads, for one.
BEFORE = {
    "reports/models.py": "from django.db import models",
    "reports/views.py": """
        from django.contrib.auth.decorators import login_required
        from django.http import HttpRequest, HttpResponse
        from django.shortcuts import redirect, render
        from reports.examples import storage
        from reports.forms import ReportForm

        @login_required
        def upload(request: HttpRequest) -> HttpResponse:
            form = ReportForm(request.POST or None, request.FILES or None)
            if form.is_valid():
                form.instance.owner = request.user
                form.save()
                return redirect("/")
            return render(request, "upload.html", {"form": form})
    """,
    "reports/access.py": "from secure_dbstorage.access import AuthHook",
    "reports/serializers.py": """
        from reports.examples import storage
        from reports.models import Report
    """,
    "reports/texts.py": "from reports.examples import storage",
    "site_/sentry.py": "",
    "site_/routers.py": "",
    "reports/purging.py": "",
    "site_/all_urls.py": """
        from typing import Any

        from django.urls import include, path
        from reports.access import after_login
        from reports.views import collect
        from site_ import urls

        urlpatterns: list[Any] = [
            *urls.urlpatterns,
            path("after-login/", after_login),
            path("collect/", collect, name="collect"),
        ]
    """,
    "site_/servers.py": """
        from typing import Any
        from site_.settings import DATABASES

        OLD, NEW = "old" * 20, "new" * 20
        SECURE_DBSTORAGE: dict[str, Any]
    """,
    "site_/all_settings.py": """
        from site_.settings import *

        INSTALLED_APPS += ["reports", "rest_framework"]
        ROOT_URLCONF = "site_.all_urls"
    """,
    "site_/test_settings.py": "from site_.all_settings import *",
    "reports/examples.py": """
        from __future__ import annotations

        from datetime import datetime

        from django.contrib.auth.models import User
        from django.core.files.base import ContentFile
        from django.http import HttpRequest
        from secure_dbstorage.storage import default

        storage = default()
    """,
}

#: What stands behind the last block.
AFTER = {"reports/access.py": "hooks: list[AuthHook] = [owner_only, signed_in]"}

#: Files that a project has besides.
FILES = {
    "reports/__init__.py": "",
    "reports/migrations/__init__.py": "",
    "reports/templates/upload.html": "{{ form }}",
    "reports/forms.py": """
        from django import forms
        from reports.models import Report

        class ReportForm(forms.ModelForm):
            class Meta:
                model = Report
                fields = ["title", "file"]
    """,
    "mypy.ini": """
        [mypy]
        plugins = mypy_django_plugin.main
        check_untyped_defs = true
        warn_unreachable = true

        [mypy-secure_dbstorage.*]
        follow_imports = silent

        # Django's own, from startproject.
        [mypy-site_.settings]
        disable_error_code = var-annotated

        [mypy-rest_framework.*]
        ignore_missing_imports = true

        [mypy.plugins.django-stubs]
        django_settings_module = site_.all_settings
    """,
}


def place_of(block: str) -> str | None:
    """Return the file that a block belongs to."""
    (place,) = [place for mark, place in PLACES.items() if mark in block][:1] or ["nowhere"]
    assert place != "nowhere", f"This block belongs nowhere:\n{block}"
    return place


def all_blocks() -> list[str]:
    """Return each Python block of the pages that are for users."""
    return [
        block for page in (README, LINKS, DEPLOY) for block in blocks(page.read_text(), "python")
    ]


def example(name: str, block: str) -> str:
    """Return a standalone block as a function."""
    parameters = "request: HttpRequest, midnight: datetime, picture: ContentFile[bytes]"
    body = textwrap.indent(f'r"""{block}"""\ntomorrow = midnight\n{block}', "    ")
    return f"def {name}({parameters}) -> None:\n{body}"


@dataclass
class Project:
    """A new project, with the package installed from its wheel."""

    directory: Path
    packages: Path

    def run(self, *command: str, **environment: str) -> str:
        """Run Python in the project; return what it printed."""
        done = subprocess.run(
            [sys.executable, *command],
            cwd=self.directory,
            env={
                "PYTHONPATH": f"{self.packages}:{self.directory}",
                "PATH": "/usr/bin:/bin",
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def follow_the_steps(self) -> None:
        """Do what the set-up says."""
        self.run("-m", "django", "startproject", "site_", ".")
        settings, urls = blocks(section(README, "Set-up"), "python")
        (sqlite,) = (block for block in all_blocks() if "journal_mode" in block)
        typed = "from typing import Any\nSTORAGES: dict[str, dict[str, Any]]\n"
        with (self.directory / "site_" / "settings.py").open("a") as file:
            file.write(typed + settings + sqlite)
        with (self.directory / "site_" / "urls.py").open("a") as file:
            file.write(urls)

    def add_an_app(self) -> None:
        """Write an app and more settings, out of all other blocks."""
        written: dict[str, list[str]] = {
            name: [textwrap.dedent(text).strip()] for name, text in BEFORE.items()
        }
        examples: list[str] = []
        for number, block in enumerate(all_blocks()):
            place = place_of(block)
            if place == "reports/examples.py":
                examples.append(f"example_{number}")
                written[place].append(example(examples[-1], block))
            elif place:
                written[place].append(block)
        written["reports/examples.py"].append(f"EXAMPLES = [{', '.join(examples)}]")
        for name, parts in written.items():
            self.write(name, "\n\n".join([*parts, AFTER.get(name, "")]))
        for name, text in FILES.items():
            self.write(name, text)
        pages = [block for page in (README, LINKS) for block in blocks(page.read_text(), "html")]
        (form,) = (block for block in pages if "csrf_token" in block)
        self.write("reports/templates/collect.html", form)
        pages.remove(form)
        self.write("reports/templates/pages.html", "\n".join(pages))
        shutil.copy(reports_tests.__file__, self.directory / "reports" / "tests.py")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the built wheel."""
    directory = tmp_path_factory.mktemp("dist")
    command = ["build", "--wheel", "--no-isolation", "--outdir", str(directory), str(ROOT)]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    (wheel,) = directory.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Project:
    """Return a project that has done the four steps, and has an app."""
    project = Project(tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("packages"))
    project.run("-m", "pip", "install", "--no-deps", "--target", str(project.packages), str(wheel))
    project.follow_the_steps()
    project.add_an_app()
    return project


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


def test_the_source_distribution_has_the_files_the_readme_links(tmp_path: Path) -> None:
    command = ["build", "--sdist", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        names = [name.partition("/")[2] for name in packed.getnames()]
    linked = [re.search(r"/main/([^#]+)", target) for target in targets(README)]
    for path in (found[1] for found in linked if found):
        assert any(name == path or name.startswith(f"{path}/") for name in names), path


@pytest.mark.timeout(300)
def test_a_new_project_follows_the_four_steps(project: Project) -> None:
    project.run("manage.py", "migrate")
    said = project.run("manage.py", "check", "--database", "default")
    assert re.findall(r"secure_dbstorage\.\w\d{3}", said) == []
    project.write("visit.py", VISIT)
    said = project.run("manage.py", "shell", "-c", "import visit")
    assert "200 403 404" in said.splitlines()


@pytest.mark.timeout(300)
def test_what_a_new_project_hears_it_can_act_on(project: Project) -> None:
    def heard(*arguments: str, options: str = "") -> dict[str, str]:
        text = f"from site_.settings import *\nDATABASES['default']['OPTIONS'] = {{{options}}}"
        project.write("site_/bare.py", text)
        command = ("manage.py", "check", "--fail-level", "CRITICAL", *arguments)
        said = project.run(*command, DJANGO_SETTINGS_MODULE="site_.bare")
        return dict(re.findall(r"\(secure_dbstorage\.(\w+)\).*\n\tHINT: (.*)", said))

    (hint,) = heard().values()
    (option,) = re.findall(r"^Add ('\w+': '\w+') to its OPTIONS\.$", hint)
    assert heard(options=option) == {}
    assert heard("--deploy", options=option).keys() == {"W002", "W004", "W013", "W014"}


@pytest.mark.timeout(300)
def test_each_block_has_types(project: Project) -> None:
    pytest.importorskip("mypy_django_plugin", reason="django-stubs is not installed")
    said = project.run(
        *("-m", "mypy", "--config-file", "mypy.ini", "--no-incremental"),
        *("-p", "site_", "-p", "reports"),
        MYPYPATH=str(project.packages),
    )
    assert "Success: no issues found" in said


@pytest.mark.timeout(300)
def test_each_block_runs_beyond_its_happy_path(project: Project) -> None:
    settings = {"DJANGO_SETTINGS_MODULE": "site_.test_settings"}
    project.run("manage.py", "makemigrations", "reports", **settings)
    said = project.run("manage.py", "test", "reports", **settings)
    assert re.search(r"^Ran [2-9]\d tests", said, re.MULTILINE), said
    assert "skipped" not in said
    assert "token=" not in said.replace("token=removed", "")


@pytest.mark.django_db
def test_no_link_is_dropped_while_keys_are_rotated(client: Client) -> None:
    (block,) = (text for text in all_blocks() if "SECRET_KEY_FALLBACKS =" in text)
    steps = [{"SECRET_KEY": "old" * 20, "SECRET_KEY_FALLBACKS": []}]
    for line in block.splitlines():
        names = {"OLD": "old" * 20, "NEW": "new" * 20}
        exec(line, names)  # noqa: S102 -- our own
        steps.append({name: names[name] for name in steps[0]})
    assert len(steps) == 4
    name = DatabaseStorage().save("a.txt", ContentFile(b"text"))
    for before, after in pairwise(steps):
        # While one step reaches the servers, each of them meets the links of all the others.
        for signer, checker in ((before, after), (after, before)):
            with override_settings(**signer):
                url = DatabaseStorage().url(name, window=0)
            with override_settings(**checker):
                assert client.get(url).content == b"text"


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
