"""Media types come from the name alone, and are the same everywhere."""

import mimetypes
import subprocess
import sys
from pathlib import Path

import pytest

from secure_dbstorage.content_types import UNKNOWN, content_type_of
from secure_dbstorage.options import default_of

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
