"""Take over the table of another package that keeps files in the database."""

from dataclasses import replace
from typing import Any

from django.core.management.base import CommandParser

from secure_dbstorage.copying.other_tables import LAYOUTS, OtherTable
from secure_dbstorage.copying.table import TableEnd
from secure_dbstorage.management.reporting import Report, database_storage, usage_error
from secure_dbstorage.management.transferring import Plan, TransferCommand


class Command(TransferCommand):
    """See the help."""

    help = """\
Take the files of django-single-table-db-storage, or of another package that keeps files in the
database, into a DatabaseStorage. The package need not be installed: its table is enough.

Names, times and public flags stay as they are, so the values of FileFields stay valid. Every file
is read again, and its SHA-256 compared. What is there already is skipped, so an import that was
interrupted or killed goes on when it is called again. The old table is not changed: drop it when
you have seen that all is well.

django-dbfiles, django-binary-database-files and django-db-file-storage keep no public flags: their
files get the storage's default_public, or what --public or --private says."""
    examples = """
        manage.py dbstorage_import --to default --dry-run
        manage.py dbstorage_import --to default
        manage.py dbstorage_import --to default --format django-dbfiles --private
        manage.py dbstorage_import --to default --format django-db-file-storage --table app_consolepicture
    """  # noqa: E501 -- one line, to be copied

    def add_options(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--to",
            required=True,
            dest="target",
            metavar="ALIAS",
            help="DatabaseStorage to write to",
        )
        parser.add_argument(
            "--format",
            default="django-single-table-db-storage",
            choices=LAYOUTS,
            help="package whose table it is (default: %(default)s)",
        )
        parser.add_argument(
            "--table", help="name of the table, if it is not the one that the package makes"
        )
        parser.add_argument(
            "--database",
            default="default",
            metavar="ALIAS",
            help="database that has the table (default: %(default)s)",
        )
        for column in ("name", "content"):
            parser.add_argument(
                f"--{column}-column",
                metavar="COLUMN",
                help=f"column with the {column}, if it is not the one that the package makes",
            )
        super().add_options(parser)

    def run(self, report: Report, options: dict[str, Any]) -> None:
        """Import."""
        target = TableEnd(database_storage(options["target"]))
        layout = LAYOUTS[options["format"]]
        columns = {name: options[f"{name}_column"] for name in ("name", "content")}
        layout = replace(layout, **{name: column for name, column in columns.items() if column})
        table = options["table"] or layout.table
        if table is None:
            raise usage_error(
                "Each project has its own table for this format: name it by --table."
            )
        try:
            source = OtherTable(layout, table=table, using=options["database"])
        except LookupError as error:
            raise usage_error(str(error)) from error
        report.facts |= {"table": table, "to": options["target"]}
        self.transfer(report, options, Plan(source=source, target=target))
