"""``dbstorage_url``: print a link."""

import errno
from collections.abc import Iterable
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.contrib.auth import get_user_model
from django.core.exceptions import (
    ImproperlyConfigured,
    ObjectDoesNotExist,
    SuspiciousFileOperation,
    ValidationError,
)
from django.core.management.base import CommandParser

from secure_dbstorage.exceptions import os_error
from secure_dbstorage.links.paths import link_id
from secure_dbstorage.management.arguments import add_storage, duration
from secure_dbstorage.management.reporting import ReportingCommand
from secure_dbstorage.management.reports import Report
from secure_dbstorage.management.usage import database_storage, usage_error
from secure_dbstorage.names import canonical_name
from secure_dbstorage.storage import DatabaseStorage

#: The options that are not called as the arguments that they give.
_OPTIONS = {"uses": "--once"}

#: What a look-up raises for a key that no user has, or can have; the last one in a project without
#: users.
_NO_USER = (
    ObjectDoesNotExist,
    ValueError,
    ValidationError,
    OverflowError,
    ImproperlyConfigured,
)


class Command(ReportingCommand):
    """Prints a link to a file, or to all files in a directory."""

    help = (
        "Print a link to a file: signed and expiring if the file is private, unsigned if it is "
        "public. Nothing can limit an unsigned link, so options that would are refused. Anybody "
        "who sees the link can use it, so be careful with terminal logs. "
        "With django-tenants, run this under tenant_command: a link opens files of the tenant "
        "that it was made for."
    )
    examples = """
        manage.py dbstorage_url invoices/7.pdf
        manage.py dbstorage_url invoices/7.pdf --expires-in 2d --attachment --base https://example.com
        manage.py dbstorage_url invoices/7.pdf --once
        manage.py dbstorage_url films/7 --folder
    """

    def add_options(self, parser: CommandParser) -> None:
        """Add the options of this command."""
        parser.add_argument("name", help="name of the file in the storage")
        add_storage(parser)
        parser.add_argument(
            "--expires-in",
            type=duration,
            metavar="TIME",
            help="how long the link works, such as 90s, 15m, 12h or 7d (default: the storage's "
            "option expires_in)",
        )
        parser.add_argument(
            "--attachment", action="store_true", help="download the file instead of showing it"
        )
        parser.add_argument("--filename", help="name under which a browser saves the file")
        parser.add_argument(
            "--user", metavar="KEY", help="primary key of the only user who may use the link"
        )
        parser.add_argument(
            "--ip",
            metavar="NETWORK",
            help="the only IP address or network that the link works from",
        )
        parser.add_argument("--once", action="store_true", help="make a link that works only once")
        parser.add_argument(
            "--folder",
            action="store_true",
            help="make a link to all files in the directory of this name",
        )
        parser.add_argument(
            "--base",
            metavar="URL",
            help="scheme and host of your site, such as https://example.com, to print an absolute "
            "URL",
        )

    def run(self, report: Report, options: dict[str, Any]) -> None:
        """Print the link."""
        report.has_summary = False
        storage, base = database_storage(options["storage"]), options["base"]
        if base is not None:
            _check_base(base)
        arguments = _arguments(options)
        try:
            url = _url(storage, options["name"], arguments, is_folder=options["folder"])
        except (FileNotFoundError, IsADirectoryError) as error:
            report.fail(options["name"], str(error.strerror))
            return
        except (ImproperlyConfigured, SuspiciousFileOperation, TypeError, ValueError) as error:
            raise usage_error(str(error)) from error
        if arguments and not link_id(url):
            raise usage_error(
                f"{options['name']!r} is public, so its link is unsigned, and {_given(arguments)} "
                "would have no effect."
            )
        if base is not None:
            url = _absolute(base, url)
        report.facts |= {"name": options["name"], "url": url}
        report.say(url, verbosity=0)


def _arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``url()`` that the options give.

    :raises CommandError: when they don't fit together.
    """
    if options["folder"] and (options["once"] or options["filename"] is not None):
        raise usage_error("--once and --filename are for a link to one file.")
    arguments: dict[str, Any] = {
        name: options[name]
        for name in ("expires_in", "filename", "user", "ip")
        if options[name] is not None
    }
    if "user" in arguments:
        arguments["user"] = _key_of_user(arguments["user"])
    if options["attachment"]:
        arguments["attachment"] = True
    if options["once"]:
        arguments["uses"] = 1
    return arguments


def _given(arguments: Iterable[str]) -> str:
    """Return the options that gave these arguments, as they are written."""
    return ", ".join(_OPTIONS.get(name, f"--{name.replace('_', '-')}") for name in arguments)


def _check_base(base: str) -> None:
    """Refuse an address if a part of it would be ignored.

    :raises CommandError: for such an address.
    """
    try:
        parts = urlsplit(base)
    except ValueError as error:
        raise usage_error(f"--base {base!r}: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise usage_error(f"--base takes an address such as https://example.com, not {base!r}.")
    if parts.path not in ("", "/") or any(char in base for char in "?#"):
        raise usage_error(
            "--base takes a scheme and a host. For a site below a path, set FORCE_SCRIPT_NAME or "
            "the option base_url."
        )


def _absolute(base: str, url: str) -> str:
    """Return a URL with the address of the site in front.

    :raises CommandError: when the address would be ignored.
    """
    if urlsplit(url).netloc:
        raise usage_error("--base has no effect: the option base_url of the storage has a host.")
    return urljoin(base, url)


def _key_of_user(key: str) -> str:
    """Return the primary key of a user as the links spell it.

    :raises CommandError: when there is no such user, who could never use the link.
    """
    try:
        user = get_user_model()._default_manager.get(pk=key)  # noqa: SLF001 -- documented
    except _NO_USER as error:
        raise usage_error(f"--user: there is no user with the primary key {key!r}.") from error
    return str(user.pk)


def _url(
    storage: DatabaseStorage, name: str, arguments: dict[str, Any], *, is_folder: bool
) -> str:
    if is_folder:
        if not storage.catalog.is_directory(canonical_name(name)):
            raise os_error(FileNotFoundError, errno.ENOENT, name)
        return storage.folder_url(name, **arguments)
    storage.stat(name)
    return storage.url(name, **arguments)
