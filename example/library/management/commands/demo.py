"""`manage.py demo`: everything from an empty database to a page in the browser."""

from argparse import ArgumentParser

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from library.demo import KEEPER, PEOPLE, load_demo


class Command(BaseCommand):
    help = (
        "Makes the tables and the demo's people and files where they are missing, and serves them."
    )
    requires_system_checks = ()  # runserver makes them, and there are no tables yet

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "addrport",
            nargs="?",
            default="127.0.0.1:8000",
            help="port, or address:port (default: %(default)s)",
        )
        parser.add_argument("--no-serve", action="store_true", help="load, then stop")

    def handle(self, **options: object) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo's passwords are public. It runs with DEBUG=1 only.")
        call_command("migrate", verbosity=0, interactive=False)
        for line in load_demo():
            self.stdout.write(line)
        for person in PEOPLE:
            self.stdout.write(f"Sign in as {person.username} / {person.password}")
        self.stdout.write(f"Sign in below /admin/ as {' / '.join(KEEPER)}")
        if not options["no_serve"]:
            call_command("runserver", options["addrport"], use_reloader=False)
