"""Groups: small files of one namespace that are found, saved and read together."""

from collections.abc import Mapping, Sequence
from itertools import chain

from secure_dbstorage import names
from secure_dbstorage.exceptions import CopyFailed
from secure_dbstorage.files.contents import Content
from secure_dbstorage.files.heads import StoredHead
from secure_dbstorage.files.records import FileRecord
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.sealing.seals import Owner, Seal, seal_of
from secure_dbstorage.table import chunks, heads
from secure_dbstorage.table.dialects import rows


class Groups:
    """Groups of files in one database. Each method takes as many statements as for one file."""

    def __init__(self, options: StorageOptions, using: str) -> None:
        self._options, self._using = options, using

    def find(self, wanted: Sequence[str]) -> dict[str, StoredHead | None]:
        """Return the heads of files by name, None for a free name, and no directories.

        :param wanted: canonical names.
        """
        stored, namespace = rows(self._using), self._options.namespace
        found = stored.heads(namespace, wanted, keyring=self._options.encryption_keys)
        missing = [name for name in wanted if name not in found]
        directories = stored.directories(namespace, missing) if missing else set()
        return found | dict.fromkeys(name for name in missing if name not in directories)

    def new_heads(self, files: Sequence[tuple[FileRecord, bytes]]) -> dict[str, heads.Columns]:
        """Return the columns of new files that have one row each, by name.

        A key service may be slow, so call this before any transaction.

        :param files: the names, public flags and times that the files had elsewhere, and their
            bytes.
        :raises FileTooLarge: above the option ``max_size``.
        """
        return {record.name: self._new_head(record, content) for record, content in files}

    def add(self, new: Mapping[str, heads.Columns]) -> dict[str, StoredHead]:
        """Save new files in the caller's transaction, and read them again.

        A name that lies below a file is left out. No name may lie below another one of them.

        :param new: of :meth:`new_heads`.
        :returns: the heads of the saved files with their bytes, as they were read, by name.
        :raises CopyFailed: when one can't be read again.
        :raises django.db.IntegrityError: when a name is taken.
        """
        if not (free := self._outside_files(new)):
            return {}
        stored = rows(self._using)
        stored.insert_heads(list(free.values()))
        saved = stored.heads(
            self._options.namespace,
            list(free),
            keyring=self._options.encryption_keys,
            with_chunk=True,
        )
        if saved.keys() != free.keys():
            raise CopyFailed("a file was missing right after it was saved")
        return saved

    def _new_head(self, record: FileRecord, content: bytes) -> heads.Columns:
        names.check_new_name(record.name)
        if len(content) > self._options.chunk_size:
            raise ValueError("The content needs more than one row")
        keyring, namespace = self._options.encryption_keys, self._options.namespace
        seal = Seal.new(keyring, Owner(namespace, chunks.new_key())) if keyring else None
        written = chunks.write(
            [content],
            using=self._using,
            chunk_size=self._options.chunk_size,
            max_size=self._options.max_size,
            seal=seal,
        )
        self._keep_key(written.content)
        return heads.new_head(record.name, written, self._options, record)

    def _keep_key(self, content: Content) -> None:
        """Let the keyring unwrap a new key now, so that no service is asked when it is read."""
        if content.seal is None:
            return
        seal = seal_of(
            content.seal.sealed_key,
            namespace=self._options.namespace,
            content=content.key,
            size=content.size,
            keyring=self._options.encryption_keys,
        )
        content._replace(seal=seal).unlock()

    def _outside_files(self, new: Mapping[str, heads.Columns]) -> dict[str, heads.Columns]:
        """Return those heads whose names don't lie below a file."""
        above = {name: names.ancestors(name) for name in new}
        directories = list(dict.fromkeys(chain.from_iterable(above.values())))
        if not directories:
            return dict(new)
        files = rows(self._using).link_states(self._options.namespace, directories)
        return {name: head for name, head in new.items() if files.keys().isdisjoint(above[name])}
