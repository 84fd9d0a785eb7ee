"""Two people and what they bring: the demo's first content."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth import get_user_model
from django.core.files import File
from django.db import transaction

from .models import Document, Picture

FOLDER = Path(__file__).resolve().parent / "demo_files"


@dataclass(frozen=True, slots=True)
class Person:
    username: str
    name: str
    password: str
    documents: tuple[str, ...]
    #: (file, what it shows)
    pictures: tuple[tuple[str, str], ...]


PEOPLE = (
    Person(
        username="ada",
        name="Ada",
        password="holes-in-a-card",
        documents=("Loom counts.csv", "Harmonograph.webm", "Weaving by numbers.pdf"),
        pictures=(
            (
                "weave.png",
                "A cloth seen close: diamonds in coral, mustard and mint on dark threads",
            ),
            ("harmonograph.png", "The fading trace of two pendulums, light on dark"),
        ),
    ),
    Person(
        username="grace",
        name="Grace",
        password="thirty-cm-of-wire",
        documents=("Logbook.txt", "Morning chimes.wav", "A nanosecond of wire.pdf"),
        pictures=(
            (
                "evening-hills.png",
                "A pale sun over six ranges of hills, from blue to nearly black",
            ),
        ),
    ),
)


#: Who may do everything in the admin: name and password.
KEEPER = ("keeper", "nine-hundred-coats")


def load_demo() -> Iterator[str]:
    """Make the demo's people and their files where they are missing; yield a line for each.

    Somebody who exists already keeps everything as it is, deletions included.
    """
    for person in PEOPLE:
        if get_user_model().objects.filter(username=person.username).exists():
            yield f"{person.name} is here already."
        else:
            load_person(person)
            files = len(person.documents) + len(person.pictures)
            yield f"{person.name} has come with {files} files."
    username, password = KEEPER
    if not get_user_model().objects.filter(username=username).exists():
        get_user_model().objects.create_superuser(username, password=password)
        yield "The keeper has come, with the keys of the admin."


@transaction.atomic
def load_person(person: Person) -> None:
    """Files in the database take part in a transaction: an error leaves no person and no file."""
    user = get_user_model().objects.create_user(
        username=person.username, password=person.password, first_name=person.name
    )
    for filename in person.documents:
        with (FOLDER / filename).open("rb") as file:
            Document.objects.keep(user, File(file, name=filename))
    for filename, description in person.pictures:
        with (FOLDER / filename).open("rb") as file:
            Picture.objects.keep(user, File(file, name=filename), description)
