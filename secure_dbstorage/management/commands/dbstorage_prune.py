"""``dbstorage_prune``: remove files and rows that are no longer needed."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from typing import Any

from django.core.management.base import CommandParser

from secure_dbstorage.management.arguments import (
    NOTHING_BELOW,
    add_prefix,
    add_storage,
    canonical_prefix,
    duration,
)
from secure_dbstorage.management.reporting import Report, ReportingCommand, readable_size
from secure_dbstorage.management.usage import database_storage, usage_error
from secure_dbstorage.names import is_canonical
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.pruning import (
    Pruned,
    prune_deleted,
    prune_expired,
    prune_rows,
    prune_unfinished,
    prune_unreferenced,
)

#: How each kind is printed for people.
_LABELS = {
    "expired": "expired file",
    "deleted": "deleted file",
    "unfinished": "unfinished upload",
    "unreferenced": "unreferenced file",
    "stray": "stray rows",
    "used": "record of used link",
}


#: The default of --older-than, which is told apart from a given value.
_OLDER_THAN = timedelta(days=1)

#: What was done to most of them, and what a dry run says instead.
_REMOVE = ("removed", "would remove")


class Command(ReportingCommand):
    """Prunes a storage."""

    help = (
        "Remove temporary files that have expired, deleted files that can no longer be restored, "
        "uploads that nobody finished in time, records of used one-time links that have expired, "
        "and rows that belong to no file. Run it daily. With --unreferenced, also remove files "
        "that no FileField of any model refers to; with keep_deleted, they can be restored. "
        "References in other places (rich text, JSON, tables of thumbnail packages, other "
        "projects that use this storage) are not seen: try --dry-run first, and protect "
        "directories with --keep. If there is nothing at or below one of these, its name may be "
        "mistyped: no unreferenced file is removed then."
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
        add_prefix(parser, "with --unreferenced, search")
        parser.add_argument(
            "--unreferenced",
            action="store_true",
            help="also remove files that no FileField refers to",
        )
        parser.add_argument(
            "--older-than",
            type=duration,
            metavar="TIME",
            help="with --unreferenced, keep files younger than this, such as 12h or 30d (default: "
            "1d); an upload may be saved before the row that will refer to it",
        )
        parser.add_argument(
            "--keep",
            action="append",
            default=[],
            metavar="DIRECTORY",
            help="with --unreferenced, keep files below this directory; may be repeated",
        )

    def run(self, report: Report, options: dict[str, Any]) -> None:
        """Prune the storage, and report what was removed."""
        storage = database_storage(options["storage"])
        pruned = report.facts.setdefault("pruned", []) if options["as_json"] else None
        for item in report.progress(_everything(report, storage, options), unit="items"):
            if item.problem:
                report.fail(item.name, f"{_LABELS[item.kind]} not removed: {item.problem}")
                continue
            report.count(item.kind)
            report.bytes_done += item.size
            if pruned is not None:
                pruned.append({"kind": item.kind, "name": item.name, "size": item.size})
            moves = item.kind == "unreferenced" and storage.options.keep_deleted is not None
            done, would = ("moved to the trash:", "would move to the trash:") if moves else _REMOVE
            verb = would if options["dry_run"] else done
            report.say(f"{verb} {_LABELS[item.kind]} {item.name} ({readable_size(item.size)})")


def _everything(
    report: Report, storage: DatabaseStorage, options: dict[str, Any]
) -> Iterator[Pruned]:
    dry_run, prefix = options["dry_run"], canonical_prefix(options)
    older_than: timedelta | None = options["older_than"]
    is_narrowed = prefix or options["keep"] or older_than is not None
    if is_narrowed and not options["unreferenced"]:
        raise usage_error(
            "--prefix, --keep and --older-than need --unreferenced: other runs take everything."
        )
    keep = [directory.rstrip("/") for directory in options["keep"]]
    if not all(map(is_canonical, keep)):
        raise usage_error("--keep must name a directory of the storage.")
    found = [
        prune_expired(storage, dry_run=dry_run),
        prune_deleted(storage, dry_run=dry_run),
        prune_unfinished(storage, dry_run=dry_run),
        prune_rows(storage.catalog.writer, dry_run=dry_run),
    ]
    if options["unreferenced"] and _protects(report, storage, keep):
        if not storage.catalog.is_directory(prefix):  # An earlier run may have emptied it.
            report.say(f"{prefix}: {NOTHING_BELOW}")
        found.append(
            prune_unreferenced(
                storage,
                older_than=_OLDER_THAN if older_than is None else older_than,
                prefix=prefix,
                keep=tuple(keep),
                dry_run=dry_run,
            )
        )
    return chain(*found)


def _protects(report: Report, storage: DatabaseStorage, keep: list[str]) -> bool:
    """Tell whether there are files at or below each of these names, and report those without."""
    unused = [name for name in keep if not storage.catalog.exists(name)]
    for name in unused:
        report.fail(name, "there is nothing to keep, so unreferenced files were left alone")
    return not unused
