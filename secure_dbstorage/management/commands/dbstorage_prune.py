"""``dbstorage_prune``: remove files and rows that are no longer needed."""

import shlex
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import chain
from typing import Any

from django.core.management.base import CommandParser
from django.db import DatabaseError  # noqa: TID251 -- nothing is asked of it here

from secure_dbstorage.exceptions import DatabaseUnavailable, ReferencesHidden
from secure_dbstorage.management.arguments import (
    NOTHING_BELOW,
    add_prefix,
    canonical_prefix,
    duration,
)
from secure_dbstorage.management.reporting import (
    TABLE_IS_MISSING,
    ReportingCommand,
    is_table_missing,
)
from secure_dbstorage.management.reports import Report, readable_size
from secure_dbstorage.management.usage import (
    database_storage,
    database_storages,
    usage_error,
)
from secure_dbstorage.names import is_canonical
from secure_dbstorage.outages import OutagesTold, reason
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
    "turn": "leftover lock on an upload",
}

#: The default of --older-than, which is told apart from a given value.
_OLDER_THAN = timedelta(days=1)

#: The storage whose unreferenced files are removed unless --storage names another.
_DEFAULT = "default"

#: What was removed, and the alias of its storage; None for rows that belong to no file.
_Found = tuple[str | None, Pruned]

#: What was done to most of them, and what a dry run says instead.
_REMOVE = ("removed", "would remove")


class Command(ReportingCommand):
    """Prunes the storages."""

    help = (
        "Remove temporary files that have expired, deleted files that can no longer be restored, "
        "uploads that nobody finished in time, records of used one-time links that have expired, "
        "and rows that belong to no file. Run it daily. If one database can't be used, the "
        "others are pruned. With --unreferenced, also remove files that no FileField of any "
        "model refers to; with keep_deleted, they can be restored. References in other places "
        "(rich text, JSON, tables of thumbnail packages, other projects that use this storage) "
        "are not seen: try --dry-run first, and protect directories with --keep. If there is "
        "nothing at or below one of these, its name may be mistyped: no unreferenced file is "
        "removed then. The same goes if another PostgreSQL schema has a table of a model "
        "with a FileField but no table of files, as when tenants share one: its rows may refer to "
        "the same files, and can't be seen from here. Name a schema that only holds a copy, such "
        "as a backup, with --ignore-schema."
    )
    examples = """
        manage.py dbstorage_prune
        manage.py dbstorage_prune --unreferenced --dry-run
        manage.py dbstorage_prune --unreferenced --older-than 30d --keep articles --keep logos
    """
    can_dry_run = True

    def add_options(self, parser: CommandParser) -> None:
        """Add the options of this command."""
        parser.add_argument(
            "--storage",
            metavar="ALIAS",
            help="alias of the storage in STORAGES (default: all of them, but unreferenced files "
            f'are only looked for in "{_DEFAULT}")',
        )
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
        parser.add_argument(
            "--ignore-schema",
            action="append",
            default=[],
            metavar="NAME",
            help="with --unreferenced, delete files even if rows in this PostgreSQL schema, which "
            "can't be seen from here, refer to them, as those of a backup do; may be repeated",
        )

    def run(self, report: Report, options: dict[str, Any]) -> None:
        """Prune the storages, and report what was removed."""
        pruned = report.facts.setdefault("pruned", []) if options["as_json"] else None
        for alias, item in report.progress(_everything(report, options), unit="items"):
            if item.problem:
                label = f"{_LABELS[item.kind]}{_of(alias)}"
                report.fail(item.name, f"{label} not removed: {item.problem}")
                continue
            report.count(item.kind)
            report.bytes_done += item.size
            if pruned is not None:
                pruned.append(
                    {"storage": alias, "kind": item.kind, "name": item.name, "size": item.size}
                )
            report.say(_line(alias, item, dry_run=options["dry_run"]))


def _everything(report: Report, options: dict[str, Any]) -> Iterator[_Found]:
    dry_run, prefix = options["dry_run"], canonical_prefix(options)
    older_than: timedelta | None = options["older_than"]
    is_narrowed = prefix or options["keep"] or older_than is not None
    if (is_narrowed or options["ignore_schema"]) and not options["unreferenced"]:
        raise usage_error(
            "--prefix, --keep, --older-than and --ignore-schema need --unreferenced: other runs "
            "take everything."
        )
    keep = [directory.rstrip("/") for directory in options["keep"]]
    if not all(map(is_canonical, keep)):
        raise usage_error("--keep must name a directory of the storage.")
    only: str | None = options["storage"]
    storages = _all_storages() if only is None else {only: database_storage(only)}
    work: dict[str, list[Iterable[_Found]]] = {}
    for alias, storage in storages.items():
        work.setdefault(storage.catalog.writer, []).extend(
            _each(alias, prune(storage, dry_run=dry_run))
            for prune in (prune_expired, prune_deleted, prune_unfinished)
        )
    for using, found in work.items():
        found.append(_each(None, prune_rows(using, dry_run=dry_run)))
    if not options["unreferenced"]:
        return _each_database(report, work)
    alias = only or _DEFAULT
    storage = database_storage(alias)
    unreferenced = prune_unreferenced(
        storage,
        older_than=_OLDER_THAN if older_than is None else older_than,
        prefix=prefix,
        keep=tuple(keep),
        ignored_schemas=tuple(options["ignore_schema"]),
        dry_run=dry_run,
    )
    kept = _unless_in_doubt(report, storage, prefix, keep, unreferenced)
    work[storage.catalog.writer].append(_each(alias, kept))
    return _each_database(report, work)


def _each_database(report: Report, work: dict[str, list[Iterable[_Found]]]) -> Iterator[_Found]:
    """Yield what is found in each database. Of several, one that fails doesn't stop the others.

    :raises DatabaseUnavailable: when there is only one, and it can't be used.
    :raises DatabaseError: when there is only one, and it refuses a statement.
    """
    for using, found in work.items():
        try:
            with OutagesTold():
                yield from chain(*found)
        except (DatabaseUnavailable, DatabaseError) as error:
            if len(work) == 1:
                raise
            report.fail(f"DATABASES[{using!r}]", f"not pruned any further: {_problem(error)}")


def _problem(error: DatabaseUnavailable | DatabaseError) -> str:
    if isinstance(error, DatabaseUnavailable):
        return reason(error)
    return TABLE_IS_MISSING if is_table_missing(error) else str(error).partition("\n")[0]


def _all_storages() -> dict[str, DatabaseStorage]:
    """Return the storages by alias, and only the first of those that have the same files.

    :raises CommandError: when one of these keeps deleted files longer than another.
    """
    chosen: dict[tuple[str, str], tuple[str, DatabaseStorage]] = {}
    for alias, storage in database_storages().items():
        files = storage.catalog.writer, storage.options.namespace
        first, owner = chosen.setdefault(files, (alias, storage))
        if owner.options.keep_deleted != storage.options.keep_deleted:
            raise usage_error(
                f"The storages {first!r} and {alias!r} have the same files and differ in "
                "keep_deleted. Give each a different namespace, or choose one with --storage."
            )
    return dict(chosen.values())


def _each(alias: str | None, items: Iterable[Pruned]) -> Iterator[_Found]:
    return ((alias, item) for item in items)


def _line(alias: str | None, item: Pruned, *, dry_run: bool) -> str:
    done, would = _REMOVE
    if alias and item.kind == "unreferenced" and _keeps_deleted(alias):
        done, would = "moved to the trash:", "would move to the trash:"
    verb = would if dry_run else done
    named = f"{_LABELS[item.kind]} {item.name}{_of(alias)}"
    return f"{verb} {named} ({readable_size(item.size)})"


def _keeps_deleted(alias: str) -> bool:
    return database_storage(alias).options.keep_deleted is not None


def _of(alias: str | None) -> str:
    return f" of {alias!r}" if alias else ""


def _unless_in_doubt(
    report: Report,
    storage: DatabaseStorage,
    prefix: str,
    keep: list[str],
    unreferenced: Iterator[Pruned],
) -> Iterator[Pruned]:
    """Yield unreferenced files, unless that may be wrong, and report why.

    A name to keep may be mistyped, or rows may be hidden.
    """
    unused = [name for name in keep if not storage.catalog.exists(name)]
    for name in unused:
        report.fail(name, "there is nothing to keep, so unreferenced files were left alone")
    if unused:
        return
    if not storage.catalog.is_directory(prefix):  # An earlier run may have emptied it.
        report.say(f"{prefix}: {NOTHING_BELOW}")
    try:
        yield from unreferenced
    except ReferencesHidden as error:
        ignoring = " ".join(f"--ignore-schema {shlex.quote(name)}" for name in error.schemas)
        report.fail(
            "--unreferenced",
            f"{error}, so unreferenced files were left alone. If only copies are there, such as a "
            f"backup, add {ignoring}",
        )
