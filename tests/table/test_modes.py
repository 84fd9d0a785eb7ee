"""Modes: all that `open` has, and no other."""

import io
from itertools import combinations_with_replacement, permutations

import pytest

from secure_dbstorage.table.modes import Mode

TEXTS = {
    "".join(letters)
    for length in range(5)
    for chosen in combinations_with_replacement("rwaxbt+U", length)
    for letters in permutations(chosen)
}


def python_has(text: str) -> bool:
    """Ask `open` itself: an unknown mode is refused before the file is looked for."""
    try:
        io.open(b"/dev/null/no such file", text).close()  # noqa: UP020 -- not ours
    except ValueError:
        return False
    except OSError:
        return True
    raise AssertionError


def test_the_modes_are_those_of_python() -> None:
    for text in TEXTS:
        if python_has(text):
            Mode.parse(text)
        else:
            with pytest.raises(io.UnsupportedOperation, match="mode"):
                Mode.parse(text)


@pytest.mark.parametrize(
    ("text", "true"),
    [
        ("r", {"is_read_only", "must_exist", "keeps_content"}),
        ("rb", {"is_read_only", "must_exist", "keeps_content", "is_binary"}),
        ("rb+", {"must_exist", "keeps_content", "is_binary"}),
        ("w", set()),
        ("ab", {"keeps_content", "is_binary"}),
        ("x", {"must_be_new", "keeps_content"}),
    ],
)
def test_a_mode_is_parsed(text: str, true: set[str]) -> None:
    mode = Mode.parse(text)
    assert {name for name in Mode.__slots__ if getattr(mode, name) is True} == true


@pytest.mark.parametrize(("text", "mode"), [("x+b", "w+b"), ("a", "a"), ("r+", "r+")])
def test_the_temporary_file_exists_already(text: str, mode: str) -> None:
    assert Mode.parse(text).of_temporary_file == mode
