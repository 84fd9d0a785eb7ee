"""Arguments that several commands share."""

import re
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.exceptions import SuspiciousFileOperation
from django.core.management.base import CommandParser

from secure_dbstorage.management.usage import usage_error
from secure_dbstorage.names import canonical_name

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

#: What a command says of a directory that it was to work through, and that holds nothing: the name
#: may be mistyped, and "all is well" would mislead.
NOTHING_BELOW = "there are no files below this directory"

_DURATION = re.compile(r"([0-9]{1,9})([smhdw])", re.ASCII)


def add_storage(parser: CommandParser) -> None:
    """Add ``--storage``."""
    parser.add_argument(
        "--storage",
        default="default",
        metavar="ALIAS",
        help='alias of the storage in STORAGES (default: the alias "%(default)s")',
    )


def add_prefix(parser: CommandParser, verb: str) -> None:
    """Add ``--prefix``.

    :param verb: what the command does to the files below the directory.
    """
    parser.add_argument(
        "--prefix",
        default="",
        metavar="DIRECTORY",
        help=f"{verb} only the files below this directory, such as invoices/2026",
    )


def canonical_prefix(options: dict[str, Any]) -> str:
    """Return the directory that ``--prefix`` names; "" for all.

    :raises CommandError: when no directory can have this name.
    """
    try:
        return canonical_name(options["prefix"])
    except SuspiciousFileOperation as error:
        raise usage_error(str(error)) from error


def positive(text: str) -> int:
    """Parse a number of things, of which there must be one."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError("must be a whole number above 0")
    return int(text)


def duration(text: str) -> timedelta:
    """Parse a duration, written as a number and a unit: 90s, 15m, 12h, 7d, 2w."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is not a duration such as 90s, 15m, 12h, 7d or 2w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
