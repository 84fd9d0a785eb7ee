"""Checks of options: their names and their values."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error

from secure_dbstorage import conf
from secure_dbstorage.checks.declared import declared, fields
from secure_dbstorage.options import OPTION_NAMES


def check_options(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find unknown options and invalid values."""
    for problem in conf.find_default_problems():
        yield _option_error(problem, where="")
    of_all: set[conf.Problem] = set()
    for place, given in (*_declared_places(), *_field_places()):
        for problem in conf.find_problems(given):
            if not problem.is_in_setting:
                yield _option_error(problem, where=f"{place}: ")
            elif problem not in of_all:
                of_all.add(problem)
                yield _option_error(problem, where="")


def _declared_places() -> Iterator[tuple[str, Any]]:
    """Yield where the options of each storage in STORAGES are set, and the options."""
    for alias, given in declared().items():
        yield f"STORAGES[{alias!r}]['OPTIONS']", given


def _field_places() -> Iterator[tuple[str, Any]]:
    """Yield the same for each storage that was created for a model field."""
    in_storages = list(declared().values())
    for label, _, storage in fields():
        given = storage._given  # noqa: SLF001 -- `options` raises for invalid ones
        if given not in in_storages:
            yield label, given


def _option_error(problem: conf.Problem, *, where: str) -> CheckMessage:
    return Error(
        f"{where}{problem}.",
        hint=_option_hint(problem, is_default=not where) if problem.unknown else None,
        id="secure_dbstorage.E001" if problem.unknown else "secure_dbstorage.E002",
    )


def _option_hint(problem: conf.Problem, *, is_default: bool) -> str:
    """Return which name is meant, and all that there are, as they are written in that place."""
    known = [name for name in OPTION_NAMES if not is_default or name != "namespace"]
    near = conf.nearest_option(problem.option.removeprefix(conf.SETTING).strip("[]'"))
    if is_default:
        known, near = [name.upper() for name in known], near.upper()
    is_told = near in problem.message
    meant = f"Did you mean {near}? " if near in known and not is_told else ""
    return f"{meant}The options are {', '.join(known)}."
