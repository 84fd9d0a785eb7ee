"""`manage.py demo`: from an empty database to a page in the browser."""

from argparse import ArgumentParser

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from library.demo import KEEPER, PEOPLE, load_demo


class Command(BaseCommand):
    help = (
        "Create the tables, the demo's people and their files if they are missing, then start the "
        "development server."
    )
    requires_system_checks = ()  # runserver runs them, and there may be no tables yet.

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "addrport",
            nargs="?",
            default="127.0.0.1:8000",
            help="port, or address:port (default: %(default)s)",
        )
        parser.add_argument("--no-serve", action="store_true", help="don't start the server")

    def handle(self, **options: object) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo's passwords are public, so it only runs with DEBUG=1.")
        call_command("migrate", verbosity=0, interactive=False)
        for line in load_demo():
            self.stdout.write(line)
        for person in PEOPLE:
            self.stdout.write(f"Sign in as {person.username} / {person.password}")
        self.stdout.write(f"Sign in at /admin/ as {' / '.join(KEEPER)}")
        if not options["no_serve"]:
            call_command("runserver", options["addrport"], use_reloader=False)
