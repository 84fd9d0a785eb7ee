"""Contents for clients: films, songs and pictures of each kind that browsers show."""

import io
import subprocess
from pathlib import Path

from PIL import Image

from tests.servers.unavailable import find_program

#: Runs wherever it becomes a part of a page.
CARELESS = "<i>x</i><img src=x onerror='ran = 1'><script>ran = 1</script>"

_FILM = ["-map", "0", "-map", "1"]
_SONG = ["-map", "1"]
_PICTURE = ["-map", "0", "-frames:v", "1"]
_H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "10"]

#: The arguments that make each of these files, of three seconds.
_MADE = {
    "a.mp4": [*_FILM, *_H264, "-c:a", "aac"],
    "a.mov": [*_FILM, *_H264, "-c:a", "aac"],
    "a.webm": [*_FILM, "-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"],
    "a.ogv": [*_FILM, "-c:v", "libtheora", "-c:a", "libvorbis"],
    "a.mp3": _SONG,
    "a.ogg": [*_SONG, "-c:a", "libvorbis"],
    "a.opus": [*_SONG, "-c:a", "libopus"],
    "a.wav": _SONG,
    "a.flac": _SONG,
    "a.m4a": _SONG,
    "a.weba": [*_SONG, "-c:a", "libopus", "-f", "webm"],
    "a.aac": [*_SONG, "-f", "adts"],
    "a.png": _PICTURE,
    "a.apng": [*_PICTURE, "-f", "apng"],
    "a.jpg": _PICTURE,
    "a.gif": _PICTURE,
    "a.webp": _PICTURE,
    "a.bmp": _PICTURE,
    "a.ico": [*_PICTURE, "-c:v", "bmp"],
    "a.avif": [*_PICTURE, "-c:v", "libaom-av1", "-cpu-used", "8", "-still-picture", "1"],
}

#: The same in parts of a second, for a player that reads a playlist.
_PARTS = ["-f", "hls", "-hls_time", "1", "-hls_list_size", "0", "-hls_segment_filename", "%d.ts"]


def make(directory: Path) -> dict[str, bytes]:
    """Make files of each kind in a directory, and return them by their names.

    :raises Unavailable: ffmpeg is not installed.
    """
    made = [part for name, arguments in _MADE.items() for part in (*arguments, name)]
    subprocess.run(
        [
            *(find_program("ffmpeg", package="ffmpeg"), "-v", "error"),
            *("-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=3"),
            *("-f", "lavfi", "-i", "sine=duration=3"),
            *(*made, "-map", "0", *_H264, *_PARTS, "index.m3u8"),
        ],
        cwd=directory,
        check=True,
    )
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def document() -> bytes:
    """Return a PDF of two pages that is long enough to be read in parts."""
    first, second = (Image.effect_noise((700, 700), 80 + number) for number in range(2))
    file = io.BytesIO()
    first.save(file, "PDF", save_all=True, append_images=[second])
    return file.getvalue()
