"""Make every file in library/demo_files/ from scratch.

    python make_demo_files.py           pictures, documents and the sound: standard library only
    python make_demo_files.py --video   the film as well: with ffmpeg (libvpx-vp9 and libopus)

The files are part of the repository, so you don't have to run this to use the example.
"""

import math
import struct
import subprocess
import sys
import tempfile
import wave
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

FOLDER = Path(__file__).resolve().parent / "library" / "demo_files"

Colour = tuple[int, int, int]
INK, PAPER = (18, 33, 28), (244, 246, 241)
CORAL, MUSTARD, MINT, SKY = (240, 125, 104), (247, 199, 82), (124, 205, 164), (132, 182, 232)


def main(arguments: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "weave.png").write_bytes(png(960, 640, weave_colour))
    (FOLDER / "evening-hills.png").write_bytes(png(960, 640, hills()))
    (FOLDER / "harmonograph.png").write_bytes(png(960, 640, harmonograph(960, 640)))
    (FOLDER / "Weaving by numbers.pdf").write_bytes(pdf("Weaving by numbers", weaving_page()))
    (FOLDER / "A nanosecond of wire.pdf").write_bytes(pdf("A nanosecond of wire", wire_page()))
    (FOLDER / "Loom counts.csv").write_bytes(loom_counts().encode())
    (FOLDER / "Logbook.txt").write_bytes(LOGBOOK.encode())
    write_wav(FOLDER / "Morning chimes.wav", seconds=6, rate=16_000)
    if "--video" in arguments:
        write_film(FOLDER / "Harmonograph.webm")


# Pictures


def png(width: int, height: int, colour_at: Callable[[int, int], Colour]) -> bytes:
    """Return a PNG with a palette; `colour_at(x, y)` may use at most 256 colours."""
    palette: dict[Colour, int] = {}
    rows = bytearray()
    for y in range(height):
        rows.append(0)  # filter type "None": best for flat colour
        for x in range(width):
            rows.append(palette.setdefault(colour_at(x, y), len(palette)))

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
        + chunk(b"PLTE", b"".join(bytes(colour) for colour in palette))
        + chunk(b"IDAT", zlib.compress(bytes(rows), 9))
        + chunk(b"IEND", b"")
    )


def mix(under: Colour, over: Colour, share: float, steps: int = 8) -> Colour:
    """Lay `over` on `under`; the share is rounded, so that a palette suffices."""
    share = round(min(1.0, max(0.0, share)) * steps) / steps
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(under, over, strict=True))
    return red, green, blue


def weave_colour(x: int, y: int) -> Colour:
    """A cloth seen close: the warp in ink, the weft in three colours, diamonds by the card."""
    thread = 20
    column, row, inside_x, inside_y = x // thread, y // thread, x % thread, y % thread
    warp_on_top = is_lifted(column, row)
    weft = (CORAL, MUSTARD, MINT, MUSTARD)[row // 4 % 4]
    colour, across = (INK, inside_x) if warp_on_top else (weft, inside_y)
    if across in (0, thread - 1):
        return mix(colour, PAPER if warp_on_top else INK, 0.25)
    along = inside_y if warp_on_top else inside_x
    if along in (0, thread - 1) and warp_on_top != is_lifted(
        column, row - 1 if along == 0 else row + 1
    ):
        return mix(colour, INK, 0.5)
    if across in (4, 5):
        return mix(colour, PAPER, 0.25 if warp_on_top else 0.5)
    return colour


def is_lifted(column: int, row: int) -> bool:
    """The pattern: diamonds within diamonds."""
    from_centre = abs(column % 16 - 8) + abs(row % 16 - 8)
    return from_centre in (0, 3, 4, 7, 8, 11, 13, 16)


def hills() -> Callable[[int, int], Colour]:
    """Six ranges of hills under a low moon, each a sum of three sines."""
    ranges = [
        (mix((96, 140, 170), SKY, 0.25), 330, (60, 180.0, 0.4), (18, 57.0, 1.1), (6, 23.0, 0.2)),
        ((74, 132, 150), 375, (48, 150.0, 2.1), (20, 64.0, 0.3), (5, 19.0, 1.7)),
        ((52, 112, 122), 425, (50, 205.0, 4.0), (16, 49.0, 2.2), (5, 27.0, 0.9)),
        ((36, 90, 92), 480, (44, 170.0, 5.2), (18, 71.0, 0.1), (4, 21.0, 2.9)),
        ((26, 66, 62), 535, (40, 190.0, 0.9), (14, 45.0, 1.8), (4, 17.0, 0.5)),
        (INK, 590, (30, 220.0, 3.3), (12, 60.0, 0.7), (3, 15.0, 1.2)),
    ]
    skies = [
        (247, 206, 150),
        (248, 190, 138),
        (244, 172, 130),
        (226, 156, 132),
        (196, 142, 140),
        (160, 134, 152),
    ]

    def height(x: int, base: int, *waves: tuple[float, float, float]) -> float:
        return base + sum(size * math.sin(x / length + shift) for size, length, shift in waves)

    crests = [[height(x, *layer[1:]) for x in range(960)] for layer in ranges]

    def colour_at(x: int, y: int) -> Colour:
        band = min(5, (max(0, 330 - y)) // 60)
        colour = skies[band]
        colour = mix(colour, (255, 240, 205), 72.5 - math.hypot(x - 690, y - 205))
        for (shade, *_), crest in zip(ranges, crests, strict=True):
            colour = mix(colour, shade, y - crest[x] + 0.5)
        return colour

    return colour_at


def harmonograph(width: int, height: int) -> Callable[[int, int], Colour]:
    """The trace of two pendulums, light on dark."""
    light = [0.0] * (width * height)
    for t in steps(0, 240, 300_000):
        x, y = pendulums(t)
        at = width / 2 + x * height * 0.62, height / 2 + y * height * 0.44
        splat(light, (width, height), *at, 0.11)
    ramp = [glow(level / 63) for level in range(64)]
    return lambda x, y: ramp[min(63, int(light[y * width + x] ** 0.8 * 30))]


def pendulums(t: float) -> tuple[float, float]:
    fade = math.exp(-0.0085 * t)
    x = fade * (0.62 * math.sin(2.003 * t + 0.5) + 0.38 * math.sin(3.0 * t + 1.6))
    y = fade * (0.60 * math.sin(3.001 * t) + 0.40 * math.sin(2.0 * t + 0.9))
    return x, y


def glow(level: float) -> Colour:
    """From ink through green and mustard to paper."""
    stops = [INK, (34, 96, 76), MINT, MUSTARD, PAPER]
    position = level * (len(stops) - 1)
    index = min(int(position), len(stops) - 2)
    return mix(stops[index], stops[index + 1], position - index, steps=64)


def splat(light: list[float], size: tuple[int, int], x: float, y: float, amount: float) -> None:
    """Spread one point of light over the four pixels around it."""
    (width, height), left, top = size, int(x), int(y)
    if not (0 <= left < width - 1 and 0 <= top < height - 1):
        return
    right_share, low_share = x - left, y - top
    at = top * width + left
    light[at] += amount * (1 - right_share) * (1 - low_share)
    light[at + 1] += amount * right_share * (1 - low_share)
    light[at + width] += amount * (1 - right_share) * low_share
    light[at + width + 1] += amount * right_share * low_share


def steps(start: float, stop: float, count: int) -> Iterator[float]:
    return (start + (stop - start) * index / count for index in range(count))


# Documents

WEAVING = """\
A loom lifts some of its threads and leaves the rest lying. Which ones it lifts is
written on a card: a hole lifts a thread, no hole lets it be. A row of cloth is a
row of holes, and a stack of cards is the whole pattern.

Nothing in the loom knows what a flower is. Change the cards and the same loom
weaves a leaf, a letter or a face. The machine is general; the pattern is only
numbers that somebody has written down in the right order.

The grid below is one repeat of a card for a diamond: a dark square is a thread
lifted over the weft. It is the same rule that draws the picture of the cloth."""

WIRE = """\
How long is a nanosecond? Light covers 299 792 458 metres in a second, so in one
thousand-millionth of a second it covers 29.98 centimetres. No signal in a wire
does better.

That is why small computers are fast: whatever has to travel a metre costs more
than three of these before any thinking has been done. It is also why the next
room is far away and a server on another continent is very far away.

The two bars below make one nanosecond, if this page is printed at full size on
A4. Each is 14.99 centimetres long."""

LOGBOOK = """\
Logbook

09:10  Machine warm. Card reader jams on every ninth card.
09:40  It is always the ninth card of a box, never of a run. Boxes changed.
10:05  The fault moved with the box. One corner of the lid was bent inwards.
10:15  Lid bent back. 400 cards read, none jammed.
11:30  Program A finished. The sum is off by one from what we worked out by hand.
11:50  The machine was right.
"""


def loom_counts() -> str:
    lines = ["card,threads lifted,threads lying"]
    for row in range(16):
        lifted = sum(is_lifted(column, row) for column in range(16))
        lines.append(f"{row + 1},{lifted},{16 - lifted}")
    return "\n".join(lines) + "\n"


def weaving_page() -> str:
    squares = "".join(
        f"{140 + column * 20} {430 - row * 20} 18 18 re f\n"
        for row in range(16)
        for column in range(16)
        if is_lifted(column, row)
    )
    frame = "0.9 0.93 0.9 rg 132 122 334 334 re f\n0.07 0.13 0.11 rg\n"
    return (
        heading("Weaving by numbers", "Notes, first page") + paragraphs(WEAVING) + frame + squares
    )


def wire_page() -> str:
    centimetre = 72 / 2.54
    bars = ""
    for y in (400, 340):
        bars += f"0.94 0.49 0.41 rg 72 {y} {14.99 * centimetre:.2f} 12 re f\n0.07 0.13 0.11 rg\n"
        bars += "".join(f"{72 + tick * centimetre:.2f} {y - 8} 0.7 6 re f\n" for tick in range(15))
    return (
        heading("A nanosecond of wire", "For anyone who asks why it takes so long")
        + paragraphs(WIRE)
        + bars
    )


def heading(title: str, line: str) -> str:
    return (
        "0.06 0.36 0.27 rg 72 752 36 6 re f\n0.07 0.13 0.11 rg\n"
        f"BT /F2 26 Tf 72 708 Td ({title}) Tj ET\n"
        f"0.33 0.39 0.36 rg BT /F1 12 Tf 72 688 Td ({line}) Tj ET\n0.07 0.13 0.11 rg\n"
    )


def paragraphs(text: str) -> str:
    lines = "".join(f"({line}) Tj T*\n" for line in text.splitlines())
    return f"BT /F1 12 Tf 17 TL 72 654 Td\n{lines}ET\n"


def pdf(title: str, page: str) -> bytes:
    """Return a PDF of one A4 page whose content stream is `page`."""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /DisplayDocTitle true >> >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources 8 0 R >>",
        f"<< /Length {len(page.encode())} >>\nstream\n{page}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>",
        f"<< /Title ({title}) >>",
        "<< /Font << /F1 5 0 R /F2 6 0 R >> >>",
    ]
    body, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    trailer = f"<< /Size {size} /Root 1 0 R /Info 7 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return bytes(body) + f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n{trailer}".encode()


# Sound

PENTATONIC = (523.25, 587.33, 659.26, 783.99, 880.0)


def write_wav(path: Path, *, seconds: int, rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack(f"<{seconds * rate}h", *chimes(seconds, rate)))


def chimes(seconds: int, rate: int) -> list[int]:
    """A slow walk over five bells, each a few fading partials, ending in silence."""
    sound = [0.0] * (seconds * rate)
    for strike in range(int((seconds - 1.5) / 0.375)):
        pitch = PENTATONIC[strike * strike * 3 % 5] * (0.5 if strike % 4 == 0 else 1)
        start = int(strike * 0.375 * rate)
        for at in range(start, len(sound)):
            t = (at - start) / rate
            sound[at] += sum(
                loud * math.exp(-t * fade) * math.sin(math.tau * pitch * part * t)
                for part, loud, fade in ((1, 0.22, 2.2), (2.76, 0.07, 4.5), (5.4, 0.025, 8.0))
            )
    ending = [min(1.0, (len(sound) - at) / rate) for at in range(len(sound))]
    return [
        round(32_000 * math.tanh(value * end)) for value, end in zip(sound, ending, strict=True)
    ]


# The film


def write_film(path: Path) -> None:
    """The harmonograph at work for 16 seconds, with a clock that shows where a jump has landed."""
    width, height, rate, seconds = 640, 360, 25, 16
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.wav"
        write_wav(sound, seconds=seconds, rate=24_000)
        command = [
            *("ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"),
            *("-s", f"{width}x{height}", "-r", str(rate), "-i", "-", "-i", str(sound)),
            *(
                "-c:v",
                "libvpx-vp9",
                "-b:v",
                "0",
                "-crf",
                "42",
                "-g",
                "50",
                "-threads",
                "1",
                "-row-mt",
                "0",
            ),
            *("-pix_fmt", "yuv420p", "-c:a", "libopus", "-b:a", "32k", "-shortest"),
            *("-cues_to_front", "1", "-fflags", "+bitexact", "-flags", "+bitexact", str(path)),
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as ffmpeg:
            frames = cast(IO[bytes], ffmpeg.stdin)
            for frame in film(width, height, rate, seconds):
                frames.write(frame)
            frames.close()
        if ffmpeg.returncode:
            sys.exit("ffmpeg failed")


def film(width: int, height: int, rate: int, seconds: int) -> Iterator[bytes]:
    light = [0.0] * (width * height)
    ramp = [bytes(glow(level / 63)) for level in range(64)]
    frames = rate * seconds
    for number in range(frames):
        for t in steps(number * 160 / frames, (number + 1) * 160 / frames, 1500):
            x, y = pendulums(t)
            at = width * 0.5 + x * height * 0.62, height * 0.47 + y * height * 0.42
            splat(light, (width, height), *at, 0.05)
        picture = bytearray(b"".join(ramp[min(63, int(value**0.8 * 30))] for value in light))
        fill(picture, width, 24, height - 22, width - 48, 4, (34, 66, 56))
        fill(picture, width, 24, height - 22, (width - 48) * (number + 1) // frames, 4, CORAL)
        clock = f"{number / rate:04.1f}"
        for place, sign in enumerate(clock):
            draw_sign(picture, width, 24 + place * 16, 24, sign)
        yield bytes(picture)


SIGNS = {
    "0": "7 5 5 5 7", "1": "2 6 2 2 7", "2": "7 1 7 4 7", "3": "7 1 3 1 7", "4": "5 5 7 1 1",
    "5": "7 4 7 1 7", "6": "7 4 7 5 7", "7": "7 1 2 2 2", "8": "7 5 7 5 7", "9": "7 5 7 1 7",
    ".": "0 0 0 0 2",
}  # fmt: skip


def draw_sign(picture: bytearray, width: int, x: int, y: int, sign: str) -> None:
    for row, bits in enumerate(SIGNS[sign].split()):
        for column in range(3):
            if int(bits) & 4 >> column:
                fill(picture, width, x + column * 4, y + row * 4, 4, 4, PAPER)


def fill(
    picture: bytearray, width: int, x: int, y: int, wide: int, high: int, colour: Colour
) -> None:
    for row in range(y, y + high):
        at = (row * width + x) * 3
        picture[at : at + wide * 3] = bytes(colour) * wide


if __name__ == "__main__":
    main(sys.argv[1:])
