"""Inventory: how much a storage holds, by type, age and directory."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.db.models import Case, CharField, Count, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import StrIndex, Substr
from django.db.models.lookups import Exact

from secure_dbstorage.models import StoredFile, StoredFileQuerySet
from secure_dbstorage.storage import DatabaseStorage

#: Ages since the last save, each up to this many days. Anything beyond is "older".
_AGES = {"up to a day": 1, "up to a week": 7, "up to a month": 30, "up to a year": 365}

#: Stands for everything that is not listed individually.
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of files and their total size."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What a storage holds below one directory."""

    total: Amount
    public: Amount
    #: Temporary files, including expired ones.
    temporary: Amount
    #: Temporary files that have expired and have not been pruned yet.
    expired: Amount
    #: Deleted files that are still there, and content that was overwritten. No part of the total.
    deleted: Amount
    #: Uploads of the whole storage that have no name yet, with the sizes that were declared.
    unfinished: Amount
    #: By age since the last save, newest first.
    ages: Mapping[str, Amount]
    #: By media type, largest first.
    types: Mapping[str, Amount]
    #: By the entries of the directory, largest first. The name of a subdirectory ends in a slash.
    entries: Mapping[str, Amount]


def take_inventory(storage: DatabaseStorage, *, prefix: str = "", limit: int = 20) -> Inventory:
    """Count the files below a canonical directory, without reading their content.

    :param limit: how many types, and how many entries, are listed individually.
    """
    files = storage.catalog.files().below(prefix)
    total, public, temporary, expired, *by_age = _amounts(
        files,
        Q(),
        Q(is_public=True),
        Q(expires__isnull=False),
        Q(expires__lte=datetime.now(UTC)),
        *_age_conditions(),
    )
    return Inventory(
        total=total,
        public=public,
        temporary=temporary,
        expired=expired,
        deleted=_amounts(storage.catalog.trash.files().below(prefix), Q())[0],
        unfinished=_amounts(storage.inbox.unfinished(), Q())[0],
        ages=dict(zip((*_AGES, "older"), by_age, strict=True)),
        types=_largest(files, F("content_type"), total, limit),
        entries=_largest(files, _entry(prefix), total, limit),
    )


def _entry(prefix: str) -> Any:
    """Return the part of a name below a directory, up to and including its first slash."""
    rest: Any = Substr("name", len(prefix) + 2) if prefix else F("name")
    slash: Any = StrIndex(rest, Value("/"))
    return Case(
        When(Exact(slash, 0), then=rest),
        default=Substr(rest, 1, slash),
        output_field=CharField(),
    )


def _amounts(files: QuerySet[StoredFile], *conditions: Q) -> list[Amount]:
    """Return the amount of files (or uploads) that meet each condition, in one pass."""
    wanted: dict[str, Any] = {}
    for number, condition in enumerate(conditions):
        wanted[f"files_{number}"] = Count("pk", filter=condition or None)
        wanted[f"bytes_{number}"] = Sum("size", filter=condition or None, default=0)
    found = files.aggregate(**wanted)
    numbers = range(len(conditions))
    return [Amount(found[f"files_{number}"], found[f"bytes_{number}"]) for number in numbers]


def _age_conditions() -> list[Q]:
    now = datetime.now(UTC)
    bounds = [now - timedelta(days=days) for days in _AGES.values()]
    first, last = Q(modified__gte=bounds[0]), Q(modified__lt=bounds[-1])
    between = [Q(modified__lt=later, modified__gte=earlier) for later, earlier in pairwise(bounds)]
    return [first, *between, last]


def _largest(
    files: StoredFileQuerySet, group: Any, total: Amount, limit: int
) -> dict[str, Amount]:
    """Return the amounts by the value of an expression, largest first."""
    groups = files.order_by().annotate(group=group).values("group")
    groups = groups.annotate(files=Count("pk"), bytes=Sum("size"))
    found: Any = groups.order_by("-bytes", "group")[:limit]
    amounts = {row["group"]: Amount(row["files"], row["bytes"]) for row in found}
    rest = Amount(
        total.files - sum(amount.files for amount in amounts.values()),
        total.bytes - sum(amount.bytes for amount in amounts.values()),
    )
    return {**amounts, OTHERS: rest} if rest.files > 0 else amounts
