"""``dbstorage_import``: import files from another package's database table."""

from dataclasses import replace
from typing import Any

from django.core.management.base import CommandParser

from secure_dbstorage.copying.other_tables import LAYOUTS, OtherTable
from secure_dbstorage.copying.table import TableEnd
from secure_dbstorage.management.reports import Report
from secure_dbstorage.management.transferring import Plan, TransferCommand
from secure_dbstorage.management.usage import database_storage, usage_error


class Command(TransferCommand):
    """Imports files from another package's table."""

    help = """\
Import files into a DatabaseStorage from the table of django-single-table-db-storage or another
package that keeps files in the database. Only the table is needed; the package need not be
installed.

Names, times and public flags stay the same, so the values of FileFields stay valid. Every file is
read back and its SHA-256 compared. Files that were already imported are skipped, so you can run
the command again to continue an interrupted import. The old table is not changed; drop it once you
have checked the result.

django-dbfiles, django-binary-database-files and django-db-file-storage have no public flags. Their
files get the storage's default_public, unless you pass --public or --private."""
    examples = """
        manage.py dbstorage_import --to default --dry-run
        manage.py dbstorage_import --to default
        manage.py dbstorage_import --to default --format django-dbfiles --private
        manage.py dbstorage_import --to default --format django-db-file-storage --table app_consolepicture
    """  # noqa: E501 -- one line, to be copied

    def add_options(self, parser: CommandParser) -> None:
        """Add the options of this command."""
        parser.add_argument(
            "--to",
            required=True,
            dest="target",
            metavar="ALIAS",
            help="DatabaseStorage to import into",
        )
        parser.add_argument(
            "--format",
            default="django-single-table-db-storage",
            choices=LAYOUTS,
            help="package that made the table (default: %(default)s)",
        )
        parser.add_argument(
            "--table", help="name of the table, if it differs from the package's default"
        )
        parser.add_argument(
            "--database",
            default="default",
            metavar="ALIAS",
            help='alias of the database that holds the table (default: the alias "%(default)s")',
        )
        for column in ("name", "content"):
            parser.add_argument(
                f"--{column}-column",
                metavar="COLUMN",
                help=f"column that holds the {column}, if it differs from the package's default",
            )
        super().add_options(parser)

    def run(self, report: Report, options: dict[str, Any]) -> None:
        """Import the files."""
        target = TableEnd(database_storage(options["target"]))
        layout = LAYOUTS[options["format"]]
        columns = {name: options[f"{name}_column"] for name in ("name", "content")}
        layout = replace(layout, **{name: column for name, column in columns.items() if column})
        table = options["table"] or layout.table
        if table is None:
            raise usage_error(
                "Each project names its own table for this format. Pass the name with --table."
            )
        try:
            source = OtherTable(layout, table=table, using=options["database"])
        except LookupError as error:
            raise usage_error(str(error)) from error
        report.facts |= {"table": table, "to": options["target"]}
        self.transfer(report, options, Plan(source=source, target=target))
