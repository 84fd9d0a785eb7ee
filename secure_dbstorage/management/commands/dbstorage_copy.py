"""``dbstorage_copy``: copy files between any two storages."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from secure_dbstorage.copying import manifests
from secure_dbstorage.management.arguments import canonical_prefix
from secure_dbstorage.management.reports import Report
from secure_dbstorage.management.transferring import Plan, TransferCommand, end_of
from secure_dbstorage.management.usage import database_storage, usage_error


class Command(TransferCommand):
    """Copies files from one storage to another."""

    help = """\
Copy files from one storage in STORAGES to another: from a folder into the database, from the
database to a bucket, or between any other two. Use it to move a project in or out.

Names stay the same, so the values of FileFields stay valid. Every copy is read back from the
target and its SHA-256 compared. Files that the target already has are compared and counted as
"present", so you can run the command again to continue an interrupted copy. The source is never
changed.

A different file of the same name is not replaced without --overwrite. In a DatabaseStorage, in a
folder, and in a bucket whose storage overwrites, the old file stays until the new one is whole.
Any other storage must delete the old file first, and has neither if the save then fails: run the
command again.

A DatabaseStorage keeps public flags and times. A folder keeps only the modification time, and a
bucket keeps neither. On the way out, --manifest saves them to a file; on the way in, it restores
the times, and with --restore-flags the public flags too. Each storage needs a manifest of its own:
one of a storage with another namespace is refused. In a folder, private files have the mode
0600 from their first byte, unless the folder's option file_permissions_mode says otherwise.
Symbolic links are not followed.
Links to files in the source never open the copies."""
    examples = """
        manage.py dbstorage_copy --from folder --to default --dry-run
        manage.py dbstorage_copy --from folder --to default --private
        manage.py dbstorage_copy --from default --to bucket --manifest files.jsonl
        manage.py dbstorage_copy --from bucket --to default --manifest files.jsonl --restore-flags
    """

    def add_options(self, parser: CommandParser) -> None:
        """Add the options of this command."""
        parser.add_argument(
            "--from", required=True, dest="source", metavar="ALIAS", help="storage to copy from"
        )
        parser.add_argument(
            "--to", required=True, dest="target", metavar="ALIAS", help="storage to copy to"
        )
        super().add_options(parser)
        parser.add_argument(
            "--manifest",
            type=Path,
            metavar="FILE",
            help="when copying from a DatabaseStorage, write names, digests, public flags and "
            "times to this file, and keep its lines for other files; when copying into one, copy "
            "the files listed in it and restore their times",
        )
        parser.add_argument(
            "--restore-flags",
            action="store_true",
            help="with --manifest, restore public flags too; whoever can change the manifest can "
            "then publish files",
        )

    def run(self, report: Report, options: dict[str, Any]) -> None:
        """Copy the files."""
        if options["source"] == options["target"]:
            raise usage_error("The source and the target are the same storage.")
        if options["restore_flags"] and options["manifest"] is None:
            raise usage_error("--restore-flags needs --manifest, which holds the flags.")
        source = end_of(options["source"])
        target = end_of(options["target"])
        report.facts |= {"from": options["source"], "to": options["target"]}
        plan = Plan(source=source, target=target)
        path: Path | None = options["manifest"]
        if path is None:
            self.transfer(report, options, plan)
            self._warn_about_lost_flags(report, options, plan)
        elif source.keeps_flags == target.keeps_flags:
            raise usage_error(
                "--manifest only works between a DatabaseStorage and another kind of storage."
            )
        elif target.keeps_flags:
            self._copy_in(report, options, plan, path)
        elif options["restore_flags"]:
            raise usage_error(f"--restore-flags: {options['target']!r} can't store public flags.")
        else:
            self._copy_out(report, options, plan, path)

    def _copy_in(self, report: Report, options: dict[str, Any], plan: Plan, path: Path) -> None:
        prefix, namespace = canonical_prefix(options), _namespace_of(options["target"])
        try:
            total = manifests.count(path, namespace, prefix)
        except (OSError, ValueError) as error:
            raise usage_error(str(error)) from error
        records = manifests.read(path, namespace, prefix)
        if not options["restore_flags"]:
            # Who can write the manifest must not be able to publish files.
            records = (replace(record, is_public=None) for record in records)
        self.transfer(report, options, replace(plan, records=records, total=total))

    def _copy_out(self, report: Report, options: dict[str, Any], plan: Plan, path: Path) -> None:
        if options["dry_run"]:
            self.transfer(report, options, plan)
            return
        try:
            writer = manifests.ManifestWriter(path, _namespace_of(options["source"]))
        except (OSError, ValueError) as error:
            raise usage_error(str(error)) from error
        with writer:
            self.transfer(report, options, replace(plan, manifest=writer))

    def _warn_about_lost_flags(self, report: Report, options: dict[str, Any], plan: Plan) -> None:
        if (number := report.facts["public"]) and not plan.target.keeps_flags:
            report.say(
                f"Public files: {number:,}. {options['target']!r} can't store public "
                "flags; use --manifest to save them."
            )


def _namespace_of(alias: str) -> str:
    return database_storage(alias).options.namespace
