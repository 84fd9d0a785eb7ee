"""The files that requests ask for, and how they have changed since links to them were made."""

import hashlib
from datetime import UTC, datetime

from secure_dbstorage.storage import DatabaseStorage

CHUNK_SIZE = 4096

_HUNDRED = bytes(range(100))

_CHUNKS = bytes(number * 7 % 251 for number in range(3 * CHUNK_SIZE + 100))

_LONG = b"all work and no play makes a dull file " * 100

#: Names that break headers, URLs or file systems, and how a browser is to save each.
ODD_NAMES = {
    'a"; filename=evil.exe': (
        """attachment; filename="a_; filename=evil.exe"; """
        "filename*=UTF-8''a%22%3B%20filename%3Devil.exe"
    ),
    "semi;colon.txt": 'inline; filename="semi;colon.txt"',
    "100%41.txt": """inline; filename="100_41.txt"; filename*=UTF-8''100%2541.txt""",
    "a b+c#d?e&f=g.txt": (
        """inline; filename="a b+c#d_e&f=g.txt"; """
        "filename*=UTF-8''a%20b+c#d%3Fe&f%3Dg.txt"
    ),
    "it's.txt": 'inline; filename="it\'s.txt"',
    "é" * 300: (f"""attachment; filename="{"e" * 300}"; filename*=UTF-8''{"%C3%A9" * 300}"""),
    "e\u0301.txt": """inline; filename="e.txt"; filename*=UTF-8''e%CC%81.txt""",
    "夏.png": """inline; filename="_.png"; filename*=UTF-8''%E5%A4%8F.png""",
    '\u200bgpj."exe': (
        """attachment; filename="_gpj._exe"; filename*=UTF-8''%E2%80%8Bgpj.%22exe"""
    ),
    "x" * 500: f'attachment; filename="{"x" * 500}"',
    " space ": 'attachment; filename=" space "',
    "...": """attachment; filename="file"; filename*=UTF-8''...""",
}

#: The type of each kind of file, and whether a browser may show it.
KINDS = {
    "page.html": ("application/octet-stream", False),
    "PAGE.HTM": ("application/octet-stream", False),
    "page.xhtml": ("application/octet-stream", False),
    "drawing.svg": ("image/svg+xml", False),
    "feed.xml": ("application/octet-stream", False),
    "script.js": ("application/octet-stream", False),
    "unknown": ("application/octet-stream", False),
    "strange.qwertz": ("application/octet-stream", False),
    "packed.tar.gz": ("application/gzip", False),
    "packed.svgz": ("application/gzip", False),
    "page.html.gz": ("application/gzip", False),
    "paper.pdf": ("application/pdf", True),
    "picture.png": ("image/png", True),
    "note.txt": ("text/plain; charset=utf-8", True),
    "film.mp4": ("video/mp4", True),
    "song.mp3": ("audio/mpeg", True),
}

#: The content of each file by its name. Those below ``open/`` are public.
CONTENTS: dict[str, bytes] = {
    **{
        f"{directory}/{name}": content
        for directory in ("open", "closed")
        for name, content in {
            "hundred.bin": _HUNDRED,
            "chunks.bin": _CHUNKS,
            "empty.txt": b"",
            "long.txt": _LONG,
            **dict.fromkeys(KINDS, b"<script>alert(1)</script>"),
            **dict.fromkeys(ODD_NAMES, b"odd"),
        }.items()
    },
    "closed/secret.txt": b"secret",
    "closed/other.txt": b"other",
    "closed/replaced.txt": b"new",
    "closed/deleted.txt": b"gone",
    "closed/renamed.txt": b"elsewhere",
    "closed/overwritten.txt": b"overwritten",
    "closed/opened.txt": b"public by now",
    "open/closed.txt": b"private by now",
}

MODIFIED = datetime(2024, 2, 29, 12, 30, 45, 678901, tzinfo=UTC)

LAST_MODIFIED = "Thu, 29 Feb 2024 12:30:45 GMT"


def etag_of(name: str) -> str:
    """Return the entity tag of a file."""
    return f'"{hashlib.sha256(CONTENTS[name]).hexdigest()}"'


def fill(storage: DatabaseStorage) -> None:
    """Save all files, as they were when the links to them were made."""
    for name, content in CONTENTS.items():
        saved = storage.save(name, content)
        assert saved == name
        storage.set_public(name, public=name.startswith("open/"))


def age(storage: DatabaseStorage) -> None:
    """Do to the files what happens after links to them are out."""
    for name in ("closed/replaced.txt", "closed/deleted.txt", "closed/renamed.txt"):
        storage.rename(name, "closed/elsewhere.txt")
        storage.delete("closed/elsewhere.txt")
    storage.save("closed/replaced.txt", CONTENTS["closed/replaced.txt"])
    with storage.open("closed/overwritten.txt", "wb") as file:
        file.write(CONTENTS["closed/overwritten.txt"])
    storage.set_public("closed/opened.txt", public=True)
    storage.set_public("open/closed.txt", public=False)
