"""Fields of the table that behave the same on every database, whatever the project's settings."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from secure_dbstorage.conf import uses_time_zones
from secure_dbstorage.files import utc

if TYPE_CHECKING:
    CharField = models.CharField[str | None, str | None]
    DateTimeField = models.DateTimeField[datetime | None, datetime | None]
else:
    CharField, DateTimeField = models.CharField, models.DateTimeField


class ExactCharField(CharField):
    """Text that every database compares byte for byte.

    Default collations treat ``A.txt`` as ``a.txt`` (MySQL), or ``a `` as ``a`` (padding ones), or
    sort by a locale's rules, so that a range of names is not a directory.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        """Return the column's type, with this database's binary collation."""
        parameters: dict[str, Any] = super().db_parameters(connection)
        parameters["collation"] = _byte_collation(connection)
        return parameters


# Note [Instants without time zones]
# Without `USE_TZ`, Django keeps local times. In the hour in which clocks are set back, each comes
# twice: a file could expire an hour early, and the record of a used one-time link be pruned while
# the link still works. So the columns hold UTC, and values are aware, in such a project too. Only
# the storage methods that Django defines, such as `get_modified_time()`, return local times.
# psycopg2 alone can't be helped: it doesn't say which of the two a local time was.
class InstantField(DateTimeField):
    """An instant: aware, in UTC, with and without ``USE_TZ``. Takes naive local times as well."""

    def get_prep_value(self, value: Any) -> Any:
        """Return an aware time, in UTC."""
        moment = super().get_prep_value(value)
        return utc(moment) if isinstance(moment, datetime) else moment

    def get_db_prep_value(
        self,
        value: Any,
        connection: BaseDatabaseWrapper,
        prepared: bool = False,  # noqa: FBT001, FBT002 -- as Django calls it
    ) -> Any:
        """Return the time as the column holds it: without a time zone where it has none."""
        if not prepared:
            value = self.get_prep_value(value)
        if isinstance(value, datetime) and not _keeps_zone(connection):
            value = value.replace(tzinfo=None)
        return connection.ops.adapt_datetimefield_value(value)

    def from_db_value(
        self, value: datetime | None, _expression: object, connection: BaseDatabaseWrapper
    ) -> datetime | None:
        """Return an aware time, in UTC."""
        if value is None:
            return None
        return utc(value) if _keeps_zone(connection) else value.replace(tzinfo=UTC)


def _keeps_zone(connection: Any) -> bool:
    """Tell whether Django reads and writes aware times."""
    return uses_time_zones() or connection.features.supports_timezones


def _byte_collation(connection: Any) -> str | None:
    if connection.vendor == "postgresql":
        return "C"
    if connection.vendor == "mysql":
        return "utf8mb4_nopad_bin" if connection.mysql_is_mariadb else "utf8mb4_0900_bin"
    return None  # SQLite compares byte for byte by default.
