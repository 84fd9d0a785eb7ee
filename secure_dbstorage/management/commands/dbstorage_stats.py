"""``dbstorage_stats``: how much a storage holds, by type, age and directory."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from secure_dbstorage.management.arguments import (
    NOTHING_BELOW,
    add_prefix,
    add_storage,
    canonical_prefix,
    positive,
)
from secure_dbstorage.management.reporting import ReportingCommand
from secure_dbstorage.management.reports import Report, readable_size
from secure_dbstorage.management.usage import database_storage
from secure_dbstorage.upkeep.inventory import Amount, take_inventory

_BAR_LENGTH = 30

#: Characters of a name that are shown.
_WIDTH = 40

#: Eighths of a block, from zero to seven.
_EIGHTHS = " ▏▎▍▌▋▊▉"


class Command(ReportingCommand):
    """Shows what a storage holds."""

    help = (
        "Show how many files a storage holds and how large they are, by directory, type and age. "
        "The files themselves are not read, so this is quick."
    )
    examples = """
        manage.py dbstorage_stats
        manage.py dbstorage_stats --storage invoices --prefix 2026
        manage.py dbstorage_stats --json
    """

    def add_options(self, parser: CommandParser) -> None:
        """Add the options of this command."""
        add_storage(parser)
        add_prefix(parser, "count")
        parser.add_argument(
            "--limit",
            type=positive,
            default=10,
            metavar="N",
            help="how many directories and types to list individually (default: %(default)s)",
        )

    def run(self, report: Report, options: dict[str, Any]) -> None:
        """Print the inventory."""
        storage = database_storage(options["storage"])
        prefix = canonical_prefix(options)
        found = take_inventory(storage, prefix=prefix, limit=options["limit"])
        report.facts |= {"storage": options["storage"], "prefix": prefix, **asdict(found)}
        report.has_summary = False
        if prefix and not (found.total.files or found.deleted.files):
            report.fail(prefix, NOTHING_BELOW)
            return
        amounts = {
            "files": found.total,
            "public": found.public,
            "temporary": found.temporary,
            "expired": found.expired,
            "deleted": found.deleted,
        }
        if not prefix:  # An unfinished upload is in no directory yet.
            amounts["unfinished"] = found.unfinished
        for label, amount in amounts.items():
            report.say(_line(label, amount))
        for title, parts in (
            ("by directory", found.entries),
            ("by type", found.types),
            ("by age", found.ages),
        ):
            report.say("")
            report.say(title)
            _draw(report, parts, found.total)


def _draw(report: Report, parts: Mapping[str, Amount], total: Amount) -> None:
    for label, amount in parts.items():
        share = amount.bytes / total.bytes if total.bytes else 0
        report.say(f"{_line(label, amount)}  {_bar(share)} {share:4.0%}")


def _line(label: str, amount: Amount) -> str:
    return f"{_shortened(label):<{_WIDTH}} {amount.files:>12,}  {readable_size(amount.bytes):>10}"


def _shortened(label: str) -> str:
    """Return a name that fits. What tells long names apart is often at their end."""
    if len(label) <= _WIDTH:
        return label
    half = _WIDTH // 2
    return f"{label[: half - 1]}…{label[-half:]}"


def _bar(share: float) -> str:
    whole, eighths = divmod(round(share * _BAR_LENGTH * 8), 8)
    return ("█" * whole + _EIGHTHS[eighths].strip()).ljust(_BAR_LENGTH)
