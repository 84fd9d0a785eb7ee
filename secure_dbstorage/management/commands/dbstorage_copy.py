"""Copy files between any two storages."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from secure_dbstorage.copying import manifests
from secure_dbstorage.management.reporting import Report, usage_error
from secure_dbstorage.management.transferring import Plan, TransferCommand, end_of, prefix_of


class Command(TransferCommand):
    """See the help."""

    help = """\
Copy files from one storage of STORAGES to another: from a folder into the database, from the
database to a bucket, or between any other two. This is how a project moves in, and out.

Names stay as they are, so the values of FileFields stay valid. Every file is read again in the
target, and its SHA-256 compared. What is there already is skipped, so a copy that was interrupted
or killed goes on when it is called again. Another file of the same name is never overwritten
(without --overwrite), and nothing in the source is changed.

A DatabaseStorage keeps public flags and times; a folder keeps the time of modification only, and a
bucket neither. --manifest writes them down on the way out, and reads them on the way in. Links
that were made for the source never open the copies."""
    examples = """
        manage.py dbstorage_copy --from folder --to default --dry-run
        manage.py dbstorage_copy --from folder --to default --private
        manage.py dbstorage_copy --from default --to bucket --manifest files.jsonl
        manage.py dbstorage_copy --from bucket --to default --manifest files.jsonl
    """

    def add_options(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--from", required=True, dest="source", metavar="ALIAS", help="storage to read"
        )
        parser.add_argument(
            "--to", required=True, dest="target", metavar="ALIAS", help="storage to write to"
        )
        super().add_options(parser)
        parser.add_argument(
            "--manifest",
            type=Path,
            metavar="FILE",
            help="from a DatabaseStorage: write names, digests, public flags and times to this "
            "file; into one: copy the files that it names, and give them what it says",
        )

    def run(self, report: Report, options: dict[str, Any]) -> None:
        """Copy."""
        if options["source"] == options["target"]:
            raise usage_error("The source and the target are the same storage.")
        source = end_of(options["source"])
        target = end_of(options["target"])
        report.facts |= {"from": options["source"], "to": options["target"]}
        plan = Plan(source=source, target=target)
        path: Path | None = options["manifest"]
        if path is None:
            self.transfer(report, options, plan)
            self._warn_of_lost_flags(report, options, plan)
        elif source.keeps_flags == target.keeps_flags:
            raise usage_error(
                "--manifest is for copies between a DatabaseStorage and another storage."
            )
        elif target.keeps_flags:
            self._copy_in(report, options, plan, path)
        else:
            self._copy_out(report, options, plan, path)

    def _copy_in(self, report: Report, options: dict[str, Any], plan: Plan, path: Path) -> None:
        prefix = prefix_of(options)
        try:
            total = sum(1 for _ in manifests.read(path, prefix))
        except (OSError, ValueError) as error:
            raise usage_error(str(error)) from error
        records = manifests.read(path, prefix)
        self.transfer(report, options, replace(plan, records=records, total=total))

    def _copy_out(self, report: Report, options: dict[str, Any], plan: Plan, path: Path) -> None:
        if options["dry_run"]:
            self.transfer(report, options, plan)
            return
        try:
            writer = manifests.ManifestWriter(path)
        except OSError as error:
            raise usage_error(str(error)) from error
        with writer:
            self.transfer(report, options, replace(plan, manifest=writer))

    def _warn_of_lost_flags(self, report: Report, options: dict[str, Any], plan: Plan) -> None:
        if (number := report.facts["public"]) and not plan.target.keeps_flags:
            report.say(
                f"{number:,} of these files are public, which {options['target']!r} does not "
                "keep. --manifest writes it down."
            )
