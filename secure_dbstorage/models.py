"""The one table: files, uploads that have no name yet, and the rows that hold their bytes."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Self

from django.core.exceptions import FullResultSet
from django.db import connections, models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from secure_dbstorage import names
from secure_dbstorage.fields import ExactCharField, InstantField
from secure_dbstorage.files.heads import HEAD_COLUMNS, StoredHead, head_of
from secure_dbstorage.outages import repeat
from secure_dbstorage.sealing.keyrings import Keyring
from secure_dbstorage.sealing.seals import TRASH_MARK

#: The position of a row that marks a one-time link as used, or that is a turn at an upload. No
#: content has that many rows.
USE_MARK_POSITION = 2**31 - 1

#: The widths of the columns, in characters. A project may use 90 and 512 of them; the rest is for
#: deleted files, whose names must be longer than any file's. More would not fit: an entry of
#: PostgreSQL's index holds 2,704 bytes, and a character may take four.
_NAMESPACE_WIDTH, _NAME_WIDTH = 100, 560

#: The longest sealed key. One that a key service wraps is longer than ours.
_SEALED_KEY_LENGTH = 1024

#: The columns that only a file has, those that an unfinished upload has as well, and those that
#: it may have.
_FILE_COLUMNS = ("name", "content_type", "is_public", "modified", "link_epoch")
_UPLOAD_COLUMNS = ("namespace", "size", "chunk_size", "created")
_OPTIONAL_COLUMNS = ("sha256", "sealed_key")

#: How many rows one query of a listing fetches.
_PAGE_LENGTH = 500

#: How many content keys one query fetches.
_KEY_PAGE_LENGTH = 1000


class StoredFileQuerySet(models.QuerySet["StoredFile"]):
    """Head rows."""

    def in_namespace(self, namespace: str) -> Self:
        """Keep the files of one storage."""
        return self.filter(namespace=namespace)

    def below(self, directory: str) -> Self:
        """Keep the files below a canonical directory, at any depth."""
        if not directory:
            return self
        low, high = names.directory_range(directory)
        return self.filter(name__gte=low, name__lt=high)

    def by_name(self, after: str = "") -> Iterator["StoredFile"]:
        """Yield the files in the order of their names, 500 a query.

        Nothing stays open between two queries, so the caller may write. Files that are saved
        meanwhile may or may not appear.

        :param after: start after this name.
        """
        ordered = self.order_by("name")
        while page := page_of(ordered.filter(name__gt=after), _PAGE_LENGTH):
            yield from page
            after = str(page[-1].name)

    def at_or_below(self, path: str) -> Self:
        """Keep the file of this canonical name and those below the directory of this name."""
        low, high = names.directory_range(path)
        return self.filter(Q(name=path) | Q(name__gte=low, name__lt=high))


class AmongHeads(Exact):
    """A condition for PostgreSQL alone: see Note [Names are at position 0]."""

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Return the condition's SQL and parameters."""
        if connection.vendor != "postgresql":
            raise FullResultSet
        return super().as_sql(compiler, connection)


class _HeadManager(models.Manager.from_queryset(StoredFileQuerySet)):  # type: ignore[misc]
    """Finds head rows, and does not fetch their bytes."""

    def heads(self, *, in_trash: bool) -> StoredFileQuerySet:
        """Return the head rows of files, or of deleted files, without their bytes."""
        heads: StoredFileQuerySet = (
            super().get_queryset().filter(AmongHeads(F("position"), 0), name__isnull=False)
        )
        # Not a range, which would tempt a database to read a whole table by its index.
        is_deleted = Q(namespace__startswith=TRASH_MARK)
        return heads.filter(is_deleted if in_trash else ~is_deleted).defer("data")


class StoredFileManager(_HeadManager):
    """Finds the head rows of files."""

    def get_queryset(self) -> StoredFileQuerySet:
        """Return the head rows without their bytes, and without those of deleted files."""
        return self.heads(in_trash=False)


class DeletedFileManager(_HeadManager):
    """Finds the head rows of deleted files."""

    def get_queryset(self) -> StoredFileQuerySet:
        """Return the head rows of deleted files without their bytes."""
        return self.heads(in_trash=True)


class StoredRowQuerySet(models.QuerySet["StoredFile"]):
    """Rows of every kind."""

    def in_namespace(self, namespace: str) -> Self:
        """Keep the files and the unfinished uploads of one storage."""
        return self.filter(namespace=namespace)

    def unfinished(self) -> Self:
        """Keep the first rows of uploads that have no name yet."""
        return self.filter(position=0, name__isnull=True)

    def of(self, content: int) -> Self:
        """Keep the rows that share a content key."""
        return self.filter(content=content)

    def use_marks(self) -> Self:
        """Keep the rows that mark one-time links as used, or that are turns at uploads."""
        return self.filter(position=USE_MARK_POSITION)

    def continuations(self) -> Self:
        """Keep the rows that hold the rest of the bytes of a file or an upload."""
        return self.filter(position__gt=0, position__lt=USE_MARK_POSITION)

    def strays(self) -> Self:
        """Keep the continuation rows of files and uploads that no longer exist."""
        # A statement that sees a continuation row sees the first row too. A file's rows are
        # committed together, and an upload begins with its first row.
        first = StoredFile.rows.using(self.db).filter(content=OuterRef("content"), position=0)
        return self.continuations().filter(~Exists(first))

    def content_keys(self) -> Iterator[int]:
        """Yield the content keys of the rows in order, a thousand a query."""
        keys = self.order_by("content").values_list("content", flat=True).distinct()
        last = -1
        while page := page_of(keys.filter(content__gt=last), _KEY_PAGE_LENGTH):
            yield from page
            last = page[-1]


class StoredRowManager(models.Manager.from_queryset(StoredRowQuerySet)):  # type: ignore[misc]
    """Finds rows of every kind."""


def _kinds_of_row() -> Q:
    """Return the condition that a row is of one of the three kinds of :class:`StoredFile`."""
    first, other = Q(position=0), Q(position__gt=0)
    head = first & _null(*_FILE_COLUMNS, *_UPLOAD_COLUMNS, "sha256", is_null=False)
    unfinished = first & _null(*_UPLOAD_COLUMNS, "expires", is_null=False) & _null(*_FILE_COLUMNS)
    return head | unfinished | other & _null(*_FILE_COLUMNS, *_UPLOAD_COLUMNS, *_OPTIONAL_COLUMNS)


def _null(*columns: str, is_null: bool = True) -> Q:
    return Q(**{f"{column}__isnull": is_null for column in columns})


class StoredFile(models.Model):
    """A row of the table, of one of three kinds.

    - A head row, at position 0, describes a file and holds its first chunk.
    - The first row of an unfinished upload is at position 0 too. It has no name yet, and expires.
    - Any other row is at a higher position. It holds more bytes of a file or an upload, marks a
      one-time link as used, or says that hooks are being asked about an upload.
    """

    id = models.BigAutoField(primary_key=True)
    #: Random for each save. Content is immutable, so readers never see a mixture of two saves.
    content = models.BigIntegerField(editable=False)
    position = models.PositiveIntegerField(default=0, editable=False)
    namespace = ExactCharField(max_length=_NAMESPACE_WIDTH, null=True, editable=False)
    name = ExactCharField(max_length=_NAME_WIDTH, null=True)
    #: In bytes; that of an unfinished upload is the declared one.
    size = models.PositiveBigIntegerField(null=True, editable=False)
    chunk_size = models.PositiveIntegerField(null=True, editable=False)
    sha256 = ExactCharField(max_length=64, null=True, editable=False)
    content_type = ExactCharField(max_length=127, null=True, editable=False)
    is_public = models.BooleanField(null=True)
    created = InstantField(null=True, editable=False)
    modified = InstantField(null=True, editable=False)
    #: Microseconds since 1970. A link works only while it names the same instant.
    link_epoch = models.BigIntegerField(null=True, editable=False)
    expires = InstantField(null=True, blank=True)
    #: The key of encrypted content, itself encrypted; NULL for plain content.
    sealed_key = models.BinaryField(max_length=_SEALED_KEY_LENGTH, null=True)
    # The last column: SQLite walks through the bytes to reach a column behind them.
    data = models.BinaryField()

    objects = StoredFileManager()
    #: The head rows of deleted files, see ``table/trash``.
    deleted = DeletedFileManager()
    #: All rows with their bytes, of every kind.
    rows = StoredRowManager()

    class Meta:
        verbose_name = _("stored file")
        verbose_name_plural = _("stored files")
        permissions = [
            ("open_storedfile", "Can open stored files and make links to them"),
            ("erase_storedfile", "Can erase deleted files for good"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["content", "position"], name="secure_dbstorage_unique_chunk"
            ),
            models.UniqueConstraint(
                fields=["namespace", "name"], name="secure_dbstorage_unique_name"
            ),
            models.CheckConstraint(name="secure_dbstorage_kind_of_row", condition=_kinds_of_row()),
        ]

    def __str__(self) -> str:
        if self.position == 0:
            return names.shown_name(self.name or "") or f"unfinished upload {self.content}"
        return f"chunk {self.position} of content {self.content}"

    def head(self, keyring: Keyring) -> StoredHead:
        """Return a head row as a value, without its bytes.

        :param keyring: the option ``encryption_keys`` of its storage.
        """
        values = [getattr(self, column) for column in HEAD_COLUMNS]
        namespace = str(self.namespace)
        return head_of(values, using=str(self._state.db), namespace=namespace, keyring=keyring)


def page_of(rows: "models.QuerySet[Any, Any]", length: int) -> list[Any]:
    """Return the first of these rows, for a task that takes long.

    After a lost connection or a conflict, ask for them again.

    :raises DatabaseUnavailable: when they can't be had now.
    """
    page = rows[:length]
    if connections[rows.db].in_atomic_block:  # On PostgreSQL, an error has ended it.
        return list(page)
    return repeat(partial(list, page), rows.db)
