"""The storages and views that ours is compared with."""

from dataclasses import dataclass
from importlib.util import find_spec

OURS = "secure_dbstorage"
DISK = "FileSystemStorage"


@dataclass(frozen=True, slots=True)
class Peer:
    """A package that keeps files in a table, as ours does."""

    #: What pip calls it.
    name: str
    #: Its Django app.
    app: str
    #: Dotted path of its storage.
    storage: str

    @property
    def is_installed(self) -> bool:
        """Tell whether it can take part."""
        return find_spec(self.app) is not None


DATABASE_PEERS = (
    Peer(
        "django-single-table-db-storage",
        "django_single_table_db_storage",
        "django_single_table_db_storage.storage.SingleTableDbFileStorage",
    ),
    Peer("django-dbfiles", "dbfiles", "dbfiles.storage.DBStorage"),
    Peer(
        "django-binary-database-files",
        "binary_database_files",
        "binary_database_files.storage.DatabaseStorage",
    ),
)


def installed() -> list[Peer]:
    """Return the peers that can take part."""
    return [peer for peer in DATABASE_PEERS if peer.is_installed]
