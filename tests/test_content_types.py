"""Media types come from the name alone, and are the same everywhere."""

import mimetypes
import subprocess
import sys
from pathlib import Path

import pytest

from secure_dbstorage.content_types import UNKNOWN, content_type_of, is_active
from secure_dbstorage.options import default_of
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.verification import verify

#: Every extension that a browser may show by default. One more is a decision, not an accident.
SHOWN = {
    "application/pdf": ".pdf",
    "audio/aac": ".aac .adts .ass .loas",
    "audio/flac": ".flac",
    "audio/mp4": ".m4a",
    "audio/mpeg": ".mp2 .mp3",
    "audio/ogg": ".oga .ogg .opus",
    "audio/wav": ".wav",
    "audio/webm": ".weba",
    "image/apng": ".apng",
    "image/avif": ".avif",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
    "image/jpeg": ".jpe .jpeg .jpg",
    "image/png": ".png",
    "image/vnd.microsoft.icon": ".ico",
    "image/webp": ".webp",
    "text/plain": ".bat .c .h .ksh .log .pl .srt .txt",
    "video/mp4": ".m4v .mp4",
    "video/ogg": ".ogv",
    "video/quicktime": ".mov .qt",
    "video/webm": ".webm",
}


def test_the_extensions_that_a_browser_may_show() -> None:
    known = {*mimetypes.MimeTypes().types_map[True], *" ".join(SHOWN.values()).split()}
    inline = default_of("inline_types")
    shown: dict[str, list[str]] = {}
    for extension in sorted(known):
        if (content_type := content_type_of(f"file{extension}")) in inline:
            shown.setdefault(content_type, []).append(extension)
    assert {name: " ".join(extensions) for name, extensions in shown.items()} == SHOWN


@pytest.mark.parametrize(
    "extension",
    [
        ".htm",
        ".html",
        ".mht",
        ".mhtml",
        ".shtml",
        ".svg",
        ".xht",
        ".xhtml",
        ".xml",
        ".xsl",
        ".swf",
    ],
)
def test_types_that_can_carry_script_are_never_shown(extension: str) -> None:
    assert content_type_of(f"page{extension}") not in default_of("inline_types")


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.tar.gz", "application/gzip"),
        ("a.tgz", "application/gzip"),
        ("a.txt.gz", "application/gzip"),
        ("a.svgz", "application/gzip"),
        ("a.html.br", "application/x-brotli"),
        ("a.tar.bz2", "application/x-bzip2"),
        ("a.tar.xz", "application/x-xz"),
        ("a.txt.Z", "application/x-compress"),
    ],
)
def test_a_compressed_file_is_of_the_type_of_its_compression(name: str, content_type: str) -> None:
    assert content_type_of(name) == content_type


@pytest.mark.parametrize("name", ["A.JPG", "dir.txt/a.Jpg", "a.html.jpg", ".a.jpg"])
def test_the_last_extension_decides_whatever_its_case(name: str) -> None:
    assert content_type_of(name) == "image/jpeg"


@pytest.mark.parametrize("name", ["a", "a.", ".jpg", "dir.jpg/a", "a.jpg ", "a.nothing", "a.jpg/"])
def test_a_name_without_a_known_extension_is_octet_stream(name: str) -> None:
    assert content_type_of(name) == UNKNOWN == "application/octet-stream"


@pytest.mark.parametrize(
    ("extension", "content_type"),
    [
        (".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (".js", "text/javascript"),
        (".md", "text/markdown"),
        (".markdown", "text/markdown"),
        (".rst", "text/x-rst"),
        (".rtf", "application/rtf"),
        (".wav", "audio/wav"),
        (".xml", "text/xml"),
        (".yaml", "application/yaml"),
    ],
)
def test_types_that_differ_between_pythons_are_fixed_here(
    extension: str, content_type: str
) -> None:
    assert content_type_of(f"a{extension}") == content_type


def test_the_hosts_own_types_change_nothing(tmp_path: Path) -> None:
    hosts = tmp_path / "mime.types"
    hosts.write_text("text/html jpg\ntext/html nothing\n")
    script = (
        f"import mimetypes; mimetypes.init([{str(hosts)!r}])\n"
        "from secure_dbstorage.content_types import content_type_of\n"
        "print(mimetypes.guess_type('a.jpg')[0])\n"
        "print(content_type_of('a.jpg'), content_type_of('a.nothing'))"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert said.split() == ["text/html", "image/jpeg", UNKNOWN]


@pytest.mark.parametrize("extension", mimetypes.MimeTypes().types_map[True])
def test_a_type_is_exact_and_in_lower_case(extension: str) -> None:
    content_type = content_type_of(f"a{extension}")
    assert content_type == content_type.lower()
    assert content_type.count("/") == 1
    assert ";" not in content_type


@pytest.mark.parametrize(
    ("extension", "content_type"),
    [
        ("pkpass", "application/vnd.apple.pkpass"),
        ("apk", "application/vnd.android.package-archive"),
        ("usdz", "model/vnd.usdz+zip"),
        ("mpd", "application/dash+xml"),
        ("ts", "video/mp2t"),
        ("kml", "application/vnd.google-earth.kml+xml"),
        ("xlsm", "application/vnd.ms-excel.sheet.macroenabled.12"),
        ("msg", "application/vnd.ms-outlook"),
        ("3gp", "video/3gpp"),
        ("jfif", "image/jpeg"),
        ("rdf", "application/rdf+xml"),
        ("xhtml", "application/xhtml+xml"),
    ],
)
def test_what_phones_and_programs_act_on_has_its_type(extension: str, content_type: str) -> None:
    assert content_type_of(f"a.{extension}") == content_type


def test_a_project_adds_types_and_they_come_first() -> None:
    more = {".pages": "application/x-ours", ".new": "application/x-new"}
    assert content_type_of("a.NEW", more) == "application/x-new"
    assert content_type_of("a.pages", more) == "application/x-ours"
    assert content_type_of("a.png", more) == "image/png"


@pytest.mark.parametrize(
    "media_type",
    [
        *("text/html", "application/xhtml+xml", "text/css", "text/javascript", "text/xml"),
        *("text/javascript1.5", "application/xslt+xml", "application/wasm", "text/xsl"),
        *("application/manifest+json", "application/rss+xml"),
    ],
)
def test_what_runs_in_a_page_is_active(media_type: str) -> None:
    assert is_active(media_type)


@pytest.mark.parametrize(
    "media_type",
    [
        *("image/svg+xml", "text/plain", "application/json", "application/pdf", "text/markdown"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ],
)
def test_what_runs_nowhere_is_not_active(media_type: str) -> None:
    assert not is_active(media_type)


@pytest.mark.django_db
def test_the_types_of_a_project_are_stored_and_verified() -> None:
    storage = DatabaseStorage(content_types={".step": "model/x-ours"})
    storage.save("a.step", b"x")
    assert storage.stat("a.step").content_type == "model/x-ours"
    storage.rename("a.step", "b.txt")
    assert storage.stat("b.txt").content_type == "text/plain"
    storage.rename("b.txt", "b.step")
    assert storage.stat("b.step").content_type == "model/x-ours"
    assert [file.problems for file in verify(storage)] == [()]
    (other,) = verify(DatabaseStorage(), repair=True)
    assert other.repaired == ("the media type does not match the name",)
    assert storage.stat("b.step").content_type == "model/step"
