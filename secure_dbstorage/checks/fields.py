"""Checks of models: where their files are, and who else keeps the names of files."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core import checks
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.db import router

from secure_dbstorage import conf
from secure_dbstorage.checks.declared import database_of, fields, usable, wrapping_fields

#: Apps that keep earlier versions of rows in a form that is not searched for names of files.
_UNSEEN_VERSIONS = ("auditlog", "easyaudit", "field_history")


def check_models(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find FileFields whose files are in another database than their rows."""
    for label, model, storage in fields():
        try:
            files = database_of(conf.read_options(storage._given))  # noqa: SLF001 -- as below
        except ImproperlyConfigured:
            continue  # `check_options()` reports it.
        rows = router.db_for_write(model)
        if files != rows:
            yield checks.Warning(
                f"{label} keeps its rows in DATABASES[{rows!r}] and its files in "
                f"DATABASES[{files!r}]. They roll back separately.",
                hint="Keep both in one database, or open a transaction in each.",
                id="secure_dbstorage.W012",
            )


def check_wrappers(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find storages of the project that keep one of ours in an attribute."""
    for label, storage in wrapping_fields():
        yield checks.Warning(
            f"{label} has a {type(storage).__qualname__}, which holds a DatabaseStorage. Checks, "
            "delete_with_instance and renaming in the admin don't see the storage inside.",
            hint="Derive the class from DatabaseStorage, or silence this check.",
            id="secure_dbstorage.W017",
        )


def check_history(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find packages that keep earlier versions of rows where nobody looks for their files."""
    unseen = [app for app in _UNSEEN_VERSIONS if apps.is_installed(app)]
    if unseen and any(options.delete_with_instance for options in usable().values()):
        yield checks.Warning(
            f"delete_with_instance can't see the names of files that {', '.join(unseen)} keeps.",
            hint="Turn delete_with_instance off, or silence this check if you never go back to an "
            "earlier version.",
            id="secure_dbstorage.W016",
        )
