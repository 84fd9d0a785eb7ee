"""Saving: names that carry what Django's ``save()`` and fields do not hand on."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Self, cast
from weakref import ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How a new file gets its name."""

    #: Names to try in turn when the first one is taken.
    others: Iterable[str] = ()
    #: Whether no file was above the name a moment ago.
    is_placed: bool = False
    #: Called before the commit with the time of the save, an aware datetime.
    note_time: Callable[[datetime], object] | None = None

    def note(self, columns: Mapping[str, object]) -> None:
        """Hand on when a file is saved with these columns, if somebody wants it."""
        if self.note_time is not None:
            self.note_time(cast("datetime", columns["modified"]))


class NameLimit(int):
    """The most characters of a name. It notes the name that was found free and below no file.

    Django's ``get_available_name()`` hands its limit to ``is_name_available()``, and gets back
    only whether the name is free. So both are asked by one query.
    """

    #: The name; None until one is found.
    placed: str | None = None


class PlacedName(str):
    """A name that was free and below no file a moment ago."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """Copy and pickle as plain text."""
        return str, (str(self),)


class FreeName(str):
    """A name that was free a moment ago, and the limit for another if it is taken by now.

    Django's ``_save()`` takes a name and content, and no limit.
    """

    __slots__ = ("created", "is_placed", "max_length")

    max_length: int | None
    #: Whether no file was above it either.
    is_placed: bool
    #: When the file was created, set by ``_save()``. Tells it from a later file of its name.
    created: datetime | None

    def __new__(cls, name: str, max_length: int | None) -> Self:
        """Make one of a name, with no time of creation yet."""
        free = super().__new__(cls, name)
        free.max_length, free.created = max_length, None
        free.is_placed = isinstance(name, PlacedName)
        return free

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """Copy and pickle as plain text: a subclass may keep what ``_save()`` is given."""
        return str, (str(self),)


class UnsettledName(str):
    """The name of a file whose save may still be rolled back, and how to save it again.

    Django puts the name that ``save()`` returns into the model instance, and forgets the content.
    A disk still has the file after a rollback; here it has to be saved again.
    """

    __slots__ = ("__weakref__", "_is_there", "_resaved", "_save_again", "_settler")

    _is_there: Callable[[], bool]
    _save_again: Callable[[], str] | None
    #: The name under which the file was saved again.
    _resaved: str | None
    #: What Django calls after the commit, and drops when no commit can come any more.
    _settler: "ref[Callable[[], None]] | None"

    def __new__(
        cls, name: str, *, is_there: Callable[[], bool], save_again: Callable[[], str]
    ) -> Self:
        """Make one of a name and what :meth:`resaved` calls."""
        unsettled = super().__new__(cls, name)
        unsettled._is_there, unsettled._save_again = is_there, save_again
        unsettled._resaved = unsettled._settler = None
        return unsettled

    def resaved(self) -> str | None:
        """Save the file again if its save was rolled back, and return its new name.

        However many attributes and rows share this name, there is one file.

        :returns: None if nothing was lost. Takes one query at most, and none after the commit.
        :raises FileNotFoundError: when the content can't be read again.
        """
        if self._resaved is not None:
            again = self._resaved.resaved() if isinstance(self._resaved, UnsettledName) else None
            return again or self._resaved
        if self._save_again is None or not self._is_lost():
            return None
        self._resaved, self._save_again = self._save_again(), None
        return self._resaved

    def settler(self) -> Callable[[], None]:
        """Return a function that forgets the content. It keeps neither name nor content alive."""
        settler = partial(_settle, ref(self))
        self._settler = ref(settler)
        return settler

    def settle(self) -> None:
        """Forget the content: the save is committed."""
        self._save_again = None

    def release(self) -> None:
        """Note that the file was deleted or renamed on purpose: its absence is no loss."""
        self._is_there = _is_true

    def _is_lost(self) -> bool:
        was_dropped = self._settler is not None and self._settler() is None
        # A savepoint that is rolled back by hand drops nothing.
        return was_dropped or not self._is_there()

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """Copy and pickle as plain text."""
        return str, (str(self),)


def _is_true() -> bool:
    return True


def _settle(reference: "ref[UnsettledName]") -> None:
    if (name := reference()) is not None:
        name.settle()
