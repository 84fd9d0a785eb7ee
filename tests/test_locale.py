"""Every text that people see is translated, and the compiled catalogs are up to date."""

import ast
import gettext
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import django
import pytest
from django.core.management import call_command
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

import secure_dbstorage
from tests.servers.unavailable import Unavailable, find_program, skip_or_fail

PACKAGE = Path(secure_dbstorage.__file__).parent
LANGUAGES = ["de", "fr"]

PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[a-z]")


@dataclass(slots=True)
class Entry:
    """A text and its translations."""

    flags: str = ""
    #: By keyword: ``msgctxt``, ``msgid``, ``msgid_plural``, ``msgstr``, ``msgstr[0]``, ...
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, str]:
        return self.texts.get("msgctxt", ""), self.texts["msgid"]

    @property
    def translations(self) -> list[str]:
        return [text for key, text in self.texts.items() if key.startswith("msgstr")]

    @property
    def originals(self) -> list[str]:
        """The texts that the translations stand for, in the same order."""
        return [self.texts[key] for key in ("msgid", "msgid_plural") if key in self.texts]


def entries(path: Path) -> Iterator[Entry]:
    """Yield the entries of a ``.po`` file but its header."""
    for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
        entry, key = Entry(), ""
        for line in block.splitlines():
            if line.startswith("#,"):
                entry.flags += line
            if line.startswith("#"):
                continue
            if not line.startswith('"'):
                key, _space, line = line.partition(" ")  # noqa: PLW2901
            entry.texts[key] = entry.texts.get(key, "") + ast.literal_eval(line)
        if entry.texts.get("msgid"):
            yield entry


def catalog(language: str, kind: str) -> Path:
    return PACKAGE / "locale" / language / "LC_MESSAGES" / f"django.{kind}"


def _catalog_of(file: IO[bytes]) -> dict[object, str]:
    """Return the compiled translations by text, with those of a plural by text and form."""
    translations: dict[object, str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return translations


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_with_its_placeholders(language: str) -> None:
    found = list(entries(catalog(language, "po")))
    assert len(found) > 100
    for entry in found:
        assert "fuzzy" not in entry.flags, entry
        for original, translation in zip(entry.originals, entry.translations, strict=True):
            assert translation.strip(), entry
            wanted, given = PLACEHOLDER.findall(original), PLACEHOLDER.findall(translation)
            assert sorted(wanted) == sorted(given), entry


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalog_is_that_of_the_source(language: str) -> None:
    with catalog(language, "mo").open("rb") as file:
        compiled = _catalog_of(file)
    expected: dict[object, str] = {}
    for entry in entries(catalog(language, "po")):
        context, text = entry.identity
        key = f"{context}\x04{text}" if context else text
        if "msgid_plural" in entry.texts:
            expected |= {(key, form): said for form, said in enumerate(entry.translations)}
        else:
            expected[key] = entry.translations[0]
    assert {key: text for key, text in compiled.items() if key} == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalog_has_every_text_of_the_package_and_no_other(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        find_program("xgettext", package="gettext")
    except Unavailable as reason:
        skip_or_fail(str(reason))
    copied = tmp_path / PACKAGE.name
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__", "*.mo"))
    shutil.rmtree(copied / "locale")
    (copied / "locale").mkdir()
    monkeypatch.chdir(copied)
    call_command("makemessages", locale=[language], verbosity=0)
    marked = entries(copied / "locale" / language / "LC_MESSAGES" / "django.po")
    translated = entries(catalog(language, "po"))
    assert {entry.identity for entry in marked} == {entry.identity for entry in translated}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_app_of_django_says_a_text_in_other_words(language: str) -> None:
    """The app that comes first in INSTALLED_APPS wins: a text like one of theirs has a context."""
    with catalog(language, "mo").open("rb") as file:
        ours = _catalog_of(file)
    found = list(Path(django.__file__).parent.glob(f"**/locale/{language}/LC_MESSAGES/django.mo"))
    assert len(found) > 5
    for path in found:
        with path.open("rb") as file:
            theirs = _catalog_of(file)
        shared = {text for text in ours.keys() & theirs.keys() if text}
        assert {text for text in shared if ours[text] != theirs[text]} == set(), path


def test_texts_are_shown_in_the_language_of_the_reader() -> None:
    with override("de"):
        assert _("Create links") == "Links erstellen"
        assert ngettext("%d day", "%d days", 2) % 2 == "2 Tage"
    with override("fr"):
        assert ngettext("%d day", "%d days", 0) % 0 == "0 jour"
