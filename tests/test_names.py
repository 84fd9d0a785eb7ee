"""One spelling for each name, and none that is dangerous."""

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from django.core.exceptions import SuspiciousFileOperation
from hypothesis import example, given
from hypothesis import strategies as st

from secure_dbstorage.names import (
    ancestors,
    canonical_name,
    directory_range,
    has_bidi_control,
    is_canonical,
    normal_name,
    shown_name,
    spellings,
)

#: Names as people and attackers write them: mostly separators and dots.
spelled_names = st.one_of(st.text(alphabet="ab./\\ é0", max_size=12), st.text(max_size=12))

#: What `canonical_name` lets through.
canonical_names = (
    st.lists(
        st.text(
            st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/\\"),
            min_size=1,
            max_size=6,
        ).filter(lambda segment: segment not in (".", "..")),
        min_size=1,
        max_size=4,
    )
).map("/".join)


@pytest.mark.parametrize(
    ("spelled", "canonical"),
    [
        ("a.txt", "a.txt"),
        ("a\\b.txt", "a/b.txt"),
        ("./c", "c"),
        ("a/./c", "a/c"),
        ("a//b", "a/b"),
        ("dir/", "dir"),
        ("dir\\", "dir"),
        ("./", ""),
        (".", ""),
        ("", ""),
        ("...", "..."),
        ("a..b", "a..b"),
        ("..a/.b", "..a/.b"),
        ("C:\\a", "C:/a"),
    ],
)
def test_each_file_has_one_spelling(spelled: str, canonical: str) -> None:
    assert canonical_name(spelled) == canonical


@pytest.mark.parametrize(
    "name",
    [
        "a b.txt",
        " a",
        "a ",
        "%41.txt",
        "a#b",
        "a?b=c",
        "a;b",
        'a"b',
        "a'b",
        "a&b",
        "a+b",
        "a:b",
        "a%2Fb",
        "日本語.txt",
        "\N{LATIN SMALL LETTER E WITH ACUTE}",
        "e\N{COMBINING ACUTE ACCENT}",
        "\N{FAMILY}",
        "\N{NO-BREAK SPACE}",
        "\N{ZERO WIDTH JOINER}",
        "\U0001f469\u200d\U0001f680",
    ],
)
def test_unusual_characters_stay_as_they_are(name: str) -> None:
    assert canonical_name(name) == name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A.txt", "a.txt"),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"),
        ("a", "a "),
        ("a", " a"),
    ],
)
def test_names_that_look_alike_are_distinct(one: str, other: str) -> None:
    assert canonical_name(one) != canonical_name(other)


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../x",
        "..\\x",
        "a\\..\\x",
        "..",
        "a/..",
        "/abs",
        "\\abs",
        "//host/x",
        "\\\\host\\x",
    ],
)
def test_a_name_that_leads_out_of_the_storage_is_refused(name: str) -> None:
    with pytest.raises(SuspiciousFileOperation):
        canonical_name(name)
    with pytest.raises(SuspiciousFileOperation):
        normal_name(name)
    assert not is_canonical(name)


@pytest.mark.parametrize(
    "character",
    ["\0", "\n", "\r", "\t", "\x1b", "\x7f", "\x80", "\x85", "\x9f", chr(0xD800), chr(0xDFFF)],
    ids=ascii,
)
def test_control_characters_and_lone_surrogates_are_refused(character: str) -> None:
    with pytest.raises(SuspiciousFileOperation):
        canonical_name(f"a/b{character}c.txt")
    assert not is_canonical(f"a/b{character}c.txt")


def test_the_refusal_shows_a_control_character_escaped() -> None:
    with pytest.raises(SuspiciousFileOperation, match=r"'a\\nb'"):
        canonical_name("a\nb")


def test_a_name_is_put_in_order_without_a_look_at_its_characters() -> None:
    assert normal_name("a//\n") == "a/\n"


@pytest.mark.parametrize(
    "path", [PurePosixPath("a/b.txt"), PureWindowsPath("a", "b.txt")], ids=str
)
def test_paths_are_names(path: PurePosixPath | PureWindowsPath) -> None:
    assert canonical_name(path) == "a/b.txt"


def test_the_empty_path_is_the_root() -> None:
    assert canonical_name(PurePosixPath()) == ""


@pytest.mark.parametrize("spelled", ["", ".", "./a", "a//b", "a/", "a\\b", "a/./b"])
def test_another_spelling_is_not_canonical(spelled: str) -> None:
    assert not is_canonical(spelled)


@given(spelled_names)
@example("a/.\\/..b")
def test_the_canonical_form_is_a_fixed_point(spelled: str) -> None:
    try:
        canonical = canonical_name(spelled)
    except SuspiciousFileOperation:
        return
    assert canonical_name(canonical) == canonical
    assert is_canonical(canonical) == bool(canonical)


@given(spelled_names)
def test_a_canonical_name_has_plain_segments_and_utf8(spelled: str) -> None:
    try:
        canonical = canonical_name(spelled)
    except SuspiciousFileOperation:
        return
    assert canonical == "" or {"", ".", ".."}.isdisjoint(canonical.split("/"))
    assert "\\" not in canonical
    assert canonical.encode().decode() == canonical


@given(canonical_names)
def test_whatever_is_harmless_is_canonical(name: str) -> None:
    assert is_canonical(name)


def test_the_directories_above_a_name_come_the_nearest_last() -> None:
    assert ancestors("a/b/c.txt") == ["a", "a/b"]
    assert ancestors("c.txt") == []


@pytest.mark.parametrize("name", ["a", "a/b", "a/b/c/d/e/f/g/h/i"])
def test_each_likely_spelling_is_one_of_the_name(name: str) -> None:
    assert {canonical_name(spelling) for spelling in spellings(name)} == {name}
    assert name in spellings(name)
    assert len(spellings(name)) < 200


@pytest.mark.parametrize(
    "spelling", ["a//b/c", "a/b//c", "./a/./b/./c/.", "a/b\\c", "./a\\b\\c", ".\\a\\b\\\\c\\"]
)
def test_likely_spellings(spelling: str) -> None:
    assert spelling in spellings("a/b/c")


@given(canonical_names, canonical_names)
@example("a", "a/b")
@example("a", "a0")
@example("a", "a.b")
@example("a", "a/\U0010ffff")
def test_a_directory_range_holds_exactly_the_names_below_it(directory: str, name: str) -> None:
    # Byte for byte, as the databases compare.
    low, high = (bound.encode() for bound in directory_range(directory))
    assert (low <= name.encode() < high) == name.startswith(f"{directory}/")
    assert low <= f"{directory}/{name}".encode() < high


def test_invisible_characters_are_escaped_where_a_name_is_shown() -> None:
    assert shown_name("a/ünï 日本.txt") == "a/ünï 日本.txt"
    assert shown_name("invoice\u202efdp.exe") == r"invoice\u202efdp.exe"
    assert shown_name("a\u200b.txt") == r"a\u200b.txt"


def test_only_characters_that_turn_the_direction_of_writing_count_as_such() -> None:
    turning = {
        chr(code)
        for code in range(0x110000)
        if not 0xD800 <= code < 0xE000 and has_bidi_control(chr(code))
    }
    assert "".join(sorted(turning)) == (
        "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )
    assert not has_bidi_control("a\u200b\u200dב.txt")
