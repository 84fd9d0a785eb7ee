"""``dbstorage_prune``: remove what nobody needs any more."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from itertools import chain
from typing import Any

from django.core.management.base import CommandParser

from secure_dbstorage.management.arguments import (
    add_prefix,
    add_storage,
    canonical_prefix,
    duration,
)
from secure_dbstorage.management.reporting import (
    Report,
    ReportingCommand,
    database_storage,
    readable_size,
    usage_error,
)
from secure_dbstorage.names import is_canonical
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.pruning import Pruned, prune_expired, prune_rows, prune_unreferenced


class Command(ReportingCommand):
    """Prunes a storage."""

    help = (
        "Remove temporary files whose time is over, notes of used one-time links that have "
        "expired, and rows that belong to no file; run it daily. With --unreferenced, remove also "
        "the files that no FileField of any model names, whatever its managers show. Names in "
        "other places (rich text, JSON, history tables, those of packages for thumbnails, other "
        "projects with this storage) are not seen: look at --dry-run first, and protect "
        "directories with --keep."
    )
    examples = """
        manage.py dbstorage_prune
        manage.py dbstorage_prune --unreferenced --dry-run
        manage.py dbstorage_prune --unreferenced --older-than 30d --keep articles --keep logos
    """
    can_dry_run = True

    def add_options(self, parser: CommandParser) -> None:
        """Add the options of this command."""
        add_storage(parser)
        add_prefix(parser, "look for unreferenced files in")
        parser.add_argument(
            "--unreferenced",
            action="store_true",
            help="remove files that no FileField names, too",
        )
        parser.add_argument(
            "--older-than",
            type=duration,
            default=timedelta(days=1),
            metavar="TIME",
            help="the age from which on an unreferenced file is removed, such as 12h or 30d (1d): "
            "an upload may be saved before the row that is to name it",
        )
        parser.add_argument(
            "--keep",
            action="append",
            default=[],
            metavar="DIRECTORY",
            help="keep unreferenced files below this directory; may be given again",
        )

    def run(self, report: Report, options: dict[str, Any]) -> None:
        """Remove, and report what was removed."""
        storage = database_storage(options["storage"])
        pruned = report.facts.setdefault("pruned", []) if options["as_json"] else None
        for item in report.progress(_everything(storage, options), unit="items"):
            report.count(item.kind)
            report.bytes_done += item.size
            if pruned is not None:
                pruned.append(asdict(item))
            verb = "would remove" if options["dry_run"] else "removed"
            report.say(f"{verb} {item.kind} {item.name} ({readable_size(item.size)})")


def _everything(storage: DatabaseStorage, options: dict[str, Any]) -> Iterator[Pruned]:
    dry_run, prefix = options["dry_run"], canonical_prefix(options)
    keep = [directory.rstrip("/") for directory in options["keep"]]
    if not all(map(is_canonical, keep)):
        raise usage_error("--keep takes a directory of the storage.")
    found = [
        prune_expired(storage, dry_run=dry_run),
        prune_rows(storage.catalog.writer, dry_run=dry_run),
    ]
    if options["unreferenced"]:
        found.append(
            prune_unreferenced(
                storage,
                older_than=options["older_than"],
                prefix=prefix,
                keep=tuple(keep),
                dry_run=dry_run,
            )
        )
    return chain(*found)
