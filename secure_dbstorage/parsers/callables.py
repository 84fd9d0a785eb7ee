"""Parsers of functions, which a project writes itself or names by dotted paths."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from secure_dbstorage.parsers.amounts import lifetime


def default_public(raw: object) -> Callable[[str], bool]:
    """Return a function that decides by a file's name whether it is public."""
    if isinstance(raw, bool):
        return lambda name: raw
    return callable_from(raw, besides="True, False")


def delete_after(raw: object) -> Callable[[str], timedelta | None]:
    """Return a function that decides by a file's name how long it is kept; None for good."""
    if raw is None or isinstance(raw, timedelta | int | float):
        stay = None if raw is None else timedelta(seconds=lifetime(raw))
        return lambda name: stay
    ask = callable_from(raw, besides="seconds, a timedelta, None")

    def stay_of(name: str) -> timedelta | None:
        answer = ask(name)
        try:
            return None if answer is None else timedelta(seconds=lifetime(answer))
        except ValueError as error:
            told = f"delete_after returned {answer!r} for {name!r}; it {error}"
            raise ValueError(told) from error

    return stay_of


def hooks(raw: object) -> tuple[Callable[..., object], ...]:
    """Return the hooks, imported."""
    if isinstance(raw, str) or not isinstance(raw, Sequence):
        raise ValueError("must be a list of callables or dotted paths")
    return tuple(map(callable_from, raw))


def audience(raw: object) -> Callable[[], str] | None:
    """Return a function that tells whose files these are, or None.

    A text is the same for all; one with a dot is the dotted path of a callable. It would be worse
    to take a mistyped path for a text: all tenants would share it.
    """
    if raw is None:
        return None
    if isinstance(raw, str) and "." not in raw:
        return lambda: raw
    try:
        ask = callable_from(raw)
    except ValueError as error:
        raise ValueError(f"{error}; plain text must not contain a dot") from error

    def answer() -> str:
        told = ask()
        if not isinstance(told, str):
            raise ImproperlyConfigured(f"The option audience returned {told!r}, and not a string")
        return told

    return answer


def callable_from(raw: object, *, besides: str = "") -> Callable[..., Any]:
    """Return a callable, or what a dotted path names.

    :param besides: what else the option may be, separated by commas.
    """
    is_word = isinstance(raw, str) and "." not in raw  # No path, not even a mistyped one.
    found = None if is_word else imported(raw)
    if not callable(found):
        allowed = f"{besides}, callable" if besides else "callable"
        raise ValueError(f"must be {allowed} or the dotted path of a callable, not {raw!r}")
    return cast(Callable[..., Any], found)


def imported(raw: object) -> object:
    """Return an object, or what a dotted path names."""
    try:
        return import_string(raw) if isinstance(raw, str) else raw
    except ImportError as error:
        raise ValueError(f"can't be imported: {error}") from error
