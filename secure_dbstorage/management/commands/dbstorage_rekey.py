"""``dbstorage_rekey``: wrap the keys of files with the newest key, or encrypt the files again."""

from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandParser

from secure_dbstorage.management.arguments import (
    NOTHING_BELOW,
    add_prefix,
    add_storage,
    canonical_prefix,
)
from secure_dbstorage.management.reporting import ReportingCommand
from secure_dbstorage.management.reports import Report
from secure_dbstorage.management.usage import database_storage, usage_error
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.rekeying import Rekeyed, find_keys, reseal, rewrap


class Command(ReportingCommand):
    """Rekeys a storage."""

    help = (
        "Wrap the keys of all encrypted files of a storage with the newest of its "
        "encryption_keys. The bytes of the files are not read. You can remove the older keys once "
        "--check shows that nothing uses them. With --bytes, write the bytes of each file again "
        "under a new key: for files whose keys have leaked, or that were saved before "
        "encryption_keys was set. Downloads of them break off; links keep working. Deleted files "
        "and unfinished uploads keep their keys."
    )
    examples = """
        manage.py dbstorage_rekey --check
        manage.py dbstorage_rekey --storage invoices --json
        manage.py dbstorage_rekey --bytes --prefix invoices/2026
        manage.py dbstorage_rekey --bytes --after invoices/2026/july.pdf
    """

    def add_options(self, parser: CommandParser) -> None:
        """Add the options of this command."""
        add_storage(parser)
        add_prefix(parser, "with --bytes, encrypt")
        work = parser.add_mutually_exclusive_group()
        work.add_argument(
            "--check",
            action="store_true",
            help="count the files under each key, and change nothing; keys that are in use but "
            "not in encryption_keys are failures",
        )
        work.add_argument("--bytes", action="store_true", help="encrypt the bytes again as well")
        parser.add_argument(
            "--after",
            default="",
            metavar="NAME",
            help="with --bytes, start after this name, to continue an interrupted run",
        )

    def run(self, report: Report, options: dict[str, Any]) -> None:
        """Rekey the storage, and report on each file that can't be."""
        storage, prefix = database_storage(options["storage"]), canonical_prefix(options)
        report.facts |= {"storage": options["storage"], "prefix": prefix}
        if (prefix or options["after"]) and not options["bytes"]:
            raise usage_error("--prefix and --after need --bytes: other runs take all files.")
        if options["check"]:
            _check(report, storage)
            return
        if not storage.options.encryption_keys:
            raise usage_error(
                f"The storage {options['storage']!r} has no encryption_keys. Use --storage to "
                "name one that has them."
            )
        if options["bytes"]:
            _reseal(report, storage, prefix, options["after"])
        else:
            _tell(report, rewrap(storage), total=storage.catalog.files().count())


def _check(report: Report, storage: DatabaseStorage) -> None:
    """Report which keys are in use."""
    found, known = find_keys(storage), storage.options.encryption_keys.ids
    report.facts["keys"] = [
        {"id": key_id, "files": found.counts.get(key_id, 0), "known": key_id in known}
        for key_id in dict.fromkeys((*known, *found.counts))
    ]
    for key_id in dict.fromkeys((*known, *found.counts)):
        count = found.counts.get(key_id, 0)
        if key_id not in known:
            need = "1 file needs" if count == 1 else f"{count:,} files need"
            report.fail(key_id, f"this key is not in encryption_keys, and {need} it")
        else:
            word = "the newest key" if key_id == known[0] else "an older key"
            report.say(f"{key_id}: {word}, {count:,} {'file' if count == 1 else 'files'}")
    for name in found.damaged:
        report.fail(name, "its sealed key is damaged")
    report.count("encrypted", sum(found.counts.values()))
    report.count("plain", found.plain)


def _reseal(report: Report, storage: DatabaseStorage, prefix: str, after: str) -> None:
    if not storage.catalog.is_directory(prefix):
        report.fail(prefix, NOTHING_BELOW)
    total = storage.catalog.files().below(prefix).filter(name__gt=after).count()
    report.after = after
    for item in report.progress(reseal(storage, prefix=prefix, after=after), total=total):
        report.bytes_done += item.size
        _count(report, item)
        report.after = item.name


def _tell(report: Report, items: Iterable[Rekeyed], total: int) -> None:
    for item in report.progress(items, total=total):
        _count(report, item)
    if report.counts["changed"]:
        report.say("Some files changed in the meantime. Run the command again.")


def _count(report: Report, item: Rekeyed) -> None:
    if item.outcome == "failed":
        report.fail(item.name, item.problem)
    else:
        report.count(item.outcome)
