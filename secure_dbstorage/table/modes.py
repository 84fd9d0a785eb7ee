"""Modes of ``open()``, parsed."""

import io
from dataclasses import dataclass
from functools import cache
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """What a mode asks for."""

    #: Whether nothing can be written.
    is_read_only: bool
    #: Whether the file must exist.
    must_exist: bool
    #: Whether the file must not exist.
    must_be_new: bool
    #: Whether an existing file keeps its content.
    keeps_content: bool
    #: Whether the file object takes bytes, not text.
    is_binary: bool
    #: The mode for the temporary file, which exists already.
    of_temporary_file: str

    @classmethod
    @cache  # There are few, and most files are opened in the same one.
    def parse(cls, text: str) -> Self:
        """Return what a mode asks for.

        :raises io.UnsupportedOperation: for a mode that `open` does not have.
        """
        letters = set(text)
        if (
            len(letters) != len(text)
            or not letters <= set("rwaxbt+")
            or len(letters & set("rwax")) != 1
            or letters >= set("bt")
        ):
            raise io.UnsupportedOperation(f"The mode {text!r} is not supported")
        return cls(
            is_read_only="r" in letters and "+" not in letters,
            must_exist="r" in letters,
            must_be_new="x" in letters,
            keeps_content="w" not in letters,
            is_binary="b" in letters,
            of_temporary_file=text.replace("x", "w"),
        )
