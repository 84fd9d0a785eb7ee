"""Results: one number of one contender, beside that of a reference."""

from dataclasses import dataclass
from typing import Literal

Database = Literal["sqlite", "postgres", "mariadb", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The median of several rounds."""

    #: Which benchmark, such as ``storage``.
    topic: str
    #: What was done, such as ``read 64 MiB``.
    case: str
    #: Who did it.
    contender: str
    #: The median; None where the contender failed.
    value: float | None
    #: Of the value.
    unit: str
    #: The value in those of the reference: the median of each round's quotient.
    ratio: float | None = None
    #: Whom the ratio compares with.
    reference: str = ""
    #: Where it was done; empty where no database takes part.
    database: Database = ""
    #: What the value depends on, where that is a number: bytes, files, clients.
    x: float | None = None
    #: Why there is no value, or what else is to be known.
    note: str = ""
