"""The demo's content: two people and their files."""

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


#: The administrator's name and password.
KEEPER = ("keeper", "nine-hundred-coats")


def load_demo() -> Iterator[str]:
    """Create the demo's people and their files where they are missing; yield a line for each.

    People who already exist are left as they are, even if they have deleted files.
    """
    for person in PEOPLE:
        if get_user_model().objects.filter(username=person.username).exists():
            yield f"{person.name} already exists."
        else:
            load_person(person)
            files = len(person.documents) + len(person.pictures)
            yield f"Created {person.name} with {files} files."
    username, password = KEEPER
    if not get_user_model().objects.filter(username=username).exists():
        get_user_model().objects.create_superuser(username, password=password)
        yield f"Created {username}, the administrator."


@transaction.atomic
def load_person(person: Person) -> None:
    """The files take part in the transaction: an error leaves neither a person nor a file."""
    user = get_user_model().objects.create_user(
        username=person.username, password=person.password, first_name=person.name
    )
    for filename in person.documents:
        with (FOLDER / filename).open("rb") as file:
            Document.objects.keep(user, File(file, name=filename))
    for filename, description in person.pictures:
        with (FOLDER / filename).open("rb") as file:
            Picture.objects.keep(user, File(file, name=filename), description)
