"""Range and If-Range, as RFC 9110 section 14 has them."""

import re
import sys
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secure_dbstorage.exceptions import UnsatisfiableRange
from secure_dbstorage.serving.ranges import (
    MAX_HEADER_LENGTH,
    ByteRange,
    if_range_holds,
    parse_range,
)

ETAG = f'"{"ab" * 32}"'
#: 2026-07-28 12:00:00 UTC.
MODIFIED = 1785240000
DATE = "Tue, 28 Jul 2026 12:00:00 GMT"

#: The answer to what selects nothing.
NOTHING = "416"


def answer(header: str, size: int) -> ByteRange | str | None:
    """Return the range, NOTHING for one that selects nothing, or None for the whole file."""
    try:
        return parse_range(header, size)
    except UnsatisfiableRange:
        return NOTHING


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=-1", ByteRange(99, 100)),
        ("bytes=99-99", ByteRange(99, 100)),
        ("bytes=0-", ByteRange(0, 100)),
        ("bytes=0-99", ByteRange(0, 100)),
        ("bytes=0-100", ByteRange(0, 100)),
        ("bytes=10-19", ByteRange(10, 20)),
        ("bytes=99-", ByteRange(99, 100)),
        ("bytes=-100", ByteRange(0, 100)),
        ("bytes=-5000", ByteRange(0, 100)),
        ("bytes=0010-0019", ByteRange(10, 20)),
        ("BYTES=0-0", ByteRange(0, 1)),
        ("bytes= \t0-0 ", ByteRange(0, 1)),
        ("bytes=,0-0, ,", ByteRange(0, 1)),
        ("bytes=0-" + "9" * 4000, ByteRange(0, 100)),
        ("bytes=-" + "9" * 4000, ByteRange(0, 100)),
        ("bytes=" + "0" * 4000 + "7-7", ByteRange(7, 8)),
    ],
)
def test_one_range_is_honoured(header: str, expected: ByteRange) -> None:
    assert parse_range(header, 100) == expected


@pytest.mark.parametrize(
    "header",
    [
        "bytes=-0",
        "bytes=-000",
        "bytes=100-",
        "bytes=100-100",
        "bytes=5000-",
        f"bytes={'9' * 4000}-",
    ],
)
def test_a_range_that_selects_nothing_is_unsatisfiable(header: str) -> None:
    with pytest.raises(UnsatisfiableRange):
        parse_range(header, 100)


def test_a_python_that_reads_only_short_numbers_reads_any_header() -> None:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        assert answer("bytes=0-" + "9" * 4000, 100) == ByteRange(0, 100)
        assert answer("bytes=" + "9" * 4000 + "-", 100) == NOTHING
    finally:
        sys.set_int_max_str_digits(before)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=,",
        "abc",
        "0-1",
        "bytes=abc",
        "bytes=50-40",
        "bytes=500-400",
        f"bytes={'9' * 30}-{'9' * 29}",
        f"bytes={'9' * 30}-000{'9' * 29}8",
        "items=0-1",
        "bytes =0-1",
        " bytes=0-1",
        "bytes:0-1",
        "bytes=0-1-2",
        "bytes=0 - 1",
        "bytes=--5",
        "bytes=+1-+5",
        "bytes=1_0-2_0",
        "bytes=0x1-0x5",
        "bytes=1.0-5.0",
        "bytes=1e1-2e1",
        "bytes=\u0661-\u0665",
        "bytes=\uff11-\uff15",
        "bytes=\xb2-\xb3",
        "bytes=0-1\n",
        "bytes=0-1\r\n",
        "bytes=0-1\x0b",
        "bytes=\xa00-1",
        "bytes=0-1;q=1",
    ],
)
def test_a_range_outside_the_grammar_is_ignored(header: str) -> None:
    assert parse_range(header, 100) is None


@pytest.mark.parametrize(
    "header",
    ["bytes=0-0,2-2", "bytes=0-0, -1", "bytes=0-,0-,0-", "bytes=0-0,abc", "bytes=5000-,1-"],
)
def test_several_ranges_get_the_whole_file(header: str) -> None:
    assert parse_range(header, 100) is None


def test_a_header_is_read_up_to_its_longest_length() -> None:
    longest = "bytes=0-0" + "," * (MAX_HEADER_LENGTH - len("bytes=0-0"))
    assert parse_range(longest, 100) == ByteRange(0, 1)
    assert parse_range(f"{longest},", 100) is None


@pytest.mark.parametrize("header", ["bytes=0-0", "bytes=0-", "bytes=-1", "bytes=-0", "bytes=5-"])
def test_any_range_of_an_empty_file_is_ignored(header: str) -> None:
    assert parse_range(header, 0) is None


def expected_answer(header: str, size: int) -> ByteRange | str | None:
    """Tell the answer by looking at each byte whether it is asked for."""
    match = re.fullmatch(r"bytes=(?:(\d+)-(\d*)|-(\d+))", header, re.ASCII)
    if match is None or size == 0:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        chosen = [position for position in range(size) if size - position <= int(suffix)]
    elif last and int(last) < int(first):
        return None
    else:
        chosen = [
            position
            for position in range(size)
            if position >= int(first) and (not last or position <= int(last))
        ]
    return ByteRange(chosen[0], chosen[-1] + 1) if chosen else NOTHING


def test_short_headers_agree_with_a_byte_by_byte_reading() -> None:
    numbers = ("", "0", "1", "2", "3", "4", "5", "00", "03", "x", "-")
    for first, last, size in product(numbers, numbers, range(5)):
        header = f"bytes={first}-{last}"
        assert answer(header, size) == expected_answer(header, size), (header, size)


@given(
    st.one_of(
        st.from_regex(r"bytes=[0-9]{0,3}-[0-9]{0,3}", fullmatch=True),
        st.from_regex(r"bytes=[-0-9+_, ]{0,8}", fullmatch=True).filter(lambda h: "," not in h),
    ).filter(lambda header: header == header.strip() and "= " not in header),
    st.integers(0, 300),
)
def test_any_header_agrees_with_a_byte_by_byte_reading(header: str, size: int) -> None:
    assert answer(header, size) == expected_answer(header, size)


@given(st.text(max_size=60).map("bytes={}".format), st.integers(0, 2**63))
@example("bytes=" + "9" * 5000 + "-", 1)
@example("bytes=-" + "9" * 4080, 2**63)
def test_whatever_is_honoured_lies_within_the_file(header: str, size: int) -> None:
    part = answer(header, size)
    if isinstance(part, ByteRange):
        assert 0 <= part.start < part.stop <= size


def test_a_range_tells_its_length_and_its_place() -> None:
    part = ByteRange(10, 20)
    assert part.length == 10
    assert part.content_range(100) == "bytes 10-19/100"


@pytest.mark.parametrize("header", [ETAG, f" {ETAG}\t", DATE, f" {DATE} "])
def test_the_same_version_lets_a_range_be_honoured(header: str) -> None:
    assert if_range_holds(header, etag=ETAG, last_modified=MODIFIED)


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"W/{ETAG}",
        f"w/{ETAG}",
        f'"{"cd" * 32}"',
        ETAG.upper(),
        ETAG.strip('"'),
        f"{ETAG}, {ETAG}",
        f'"x", {ETAG}',
        "*",
        "Tue, 28 Jul 2026 11:59:59 GMT",
        "Tue, 28 Jul 2026 12:00:01 GMT",
        "Wed, 29 Jul 2026 12:00:00 GMT",
        "2026-07-28T12:00:00Z",
        str(MODIFIED),
        "Tue, 99 Jul 2026 12:00:00 GMT",
        "\x00",
    ],
)
def test_anything_else_means_the_whole_file(header: str) -> None:
    assert not if_range_holds(header, etag=ETAG, last_modified=MODIFIED)
