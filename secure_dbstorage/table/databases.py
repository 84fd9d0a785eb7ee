"""The databases of a storage: the primary, perhaps a replica, and their transactions."""

from collections.abc import Callable

from django.db import DEFAULT_DB_ALIAS, connections, router, transaction

from secure_dbstorage import outages
from secure_dbstorage.models import StoredFile
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.outages import OutagesTold, Result
from secure_dbstorage.table import lending, replicas
from secure_dbstorage.table.tenants import schema_of


class Databases:
    """Where the files of one namespace are."""

    def __init__(self, options: StorageOptions) -> None:
        self._options = options

    @property
    def writer(self) -> str:
        """Alias of the primary database, for writes."""
        if self._options.using:
            return self._options.using
        # Without routers, Django's answer is the same and takes longer.
        return router.db_for_write(StoredFile) if router.routers else DEFAULT_DB_ALIAS

    @property
    def place(self) -> tuple[str, str]:
        """The table that is written to: the alias of its database, and the schema in that.

        :raises SynchronousOnlyOperation: in an event loop that can't know the schema.
        """
        alias = self.writer
        return alias, schema_of(connections[alias])

    @property
    def replica(self) -> str | None:
        """Alias of a database that has bytes and listings too, perhaps not the latest, or None.

        The project's router names it. Inside ``atomic()`` the primary is asked for everything.
        """
        return self._replica_of(self.writer)

    def release(self) -> None:
        """Return the connection that a query used to its pool."""
        lending.release(self.writer)

    def outages_told(self) -> OutagesTold:
        """Tell an outage of the database from a fault in a statement, as a context manager.

        :raises DatabaseUnavailable: when the database can't be asked now.
        """
        return OutagesTold()

    def repeat(self, change: Callable[[], Result]) -> Result:
        """Make a change in one transaction, and try again if it conflicts with another.

        :raises ChangeConflict: when it conflicts three times.
        :raises DatabaseUnavailable: when it fails three times.
        """
        return outages.repeat(change, self.writer)

    def alone(self, task: Callable[[], Result]) -> Result:
        """Do one of many tasks. The others can be done even if this one can't.

        :raises FileBusy: when this task can't be done now.
        :raises DatabaseUnavailable: when no other can be done either.
        """
        return outages.alone(task, self.writer)

    def after_commit(self, function: Callable[[], object]) -> None:
        """Call a function after the commit, or at once outside a transaction."""
        transaction.on_commit(function, using=self.writer, robust=True)

    @property
    def is_in_atomic_block(self) -> bool:
        """Whether Django itself will commit what is saved now, or roll it back."""
        return connections[self.writer].in_atomic_block

    @property
    def is_in_transaction(self) -> bool:
        """Whether what is saved now may still be rolled back."""
        connection = connections[self.writer]
        return connection.in_atomic_block or not connection.get_autocommit()

    def _replica_of(self, writer: str) -> str | None:
        if self._options.using or not router.routers:
            return None
        alias = router.db_for_read(StoredFile)
        if alias == writer or connections[writer].in_atomic_block or replicas.is_resting(alias):
            return None
        return alias
