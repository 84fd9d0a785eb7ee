"""What a storage is made of: its options, and what works with them."""

from enum import Enum
from functools import cached_property
from pathlib import PurePath
from pickle import PicklingError
from typing import Any, Final, Self, Unpack

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import Storage, storages
from django.core.signals import setting_changed

from secure_dbstorage.conf import (
    SECRET_OPTIONS,
    declared_storages,
    hide_keys,
    read_options,
    unknown_option,
)
from secure_dbstorage.links.maker import LinkMaker
from secure_dbstorage.links.signer import LinkSigner
from secure_dbstorage.links.tokens import Audience
from secure_dbstorage.options import OPTION_NAMES, Options, StorageOptions
from secure_dbstorage.table.catalog import Catalog
from secure_dbstorage.table.changes import Changes
from secure_dbstorage.table.inbox import Inbox
from secure_dbstorage.table.saves import Saves

Name = str | PurePath


class LeftOut(Enum):
    """Stands for an argument that was not given, where None would be a mistake."""

    LEFT_OUT = "left out"


LEFT_OUT: Final = LeftOut.LEFT_OUT


class BaseStorage(Storage):
    """A storage with its options, which can be copied, pickled and named in a migration."""

    def __init__(self, **options: Unpack[Options]) -> None:
        """Keep the options for later.

        :param options: see the README. Defaults come from ``SECURE_DBSTORAGE``.
        :raises ImproperlyConfigured: for an unknown name; with keys among the options, on
            first use. Values are checked by the system checks and on first use, so that models
            may create a storage while apps are loading.
        """
        self._given: Options = hide_keys(options)
        # An error report shows the callers' variables too. Their keys can't be hidden.
        if SECRET_OPTIONS.isdisjoint(options):
            for name in options:
                if name not in OPTION_NAMES:
                    raise ImproperlyConfigured(unknown_option(name, self._given, type(self)))
        setting_changed.connect(self._forget_settings)

    def deconstruct(self) -> tuple[str, tuple[()], dict[str, Any]]:
        """Return what a migration needs. Keys and hooks never end up in one."""
        kept = {
            name: value
            for name, value in self._given.items()
            if name in ("namespace", "using", "base_url")
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", (), kept

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the alias in ``STORAGES``, or else options without keys.

        :raises PicklingError: for keys outside ``STORAGES``: a pickle must not hold them.
        """
        for alias, given in declared_storages(type(self)).items():
            if given == self._given and type(storages[alias]) is type(self):
                return _declared_as, (alias,)
        for option in sorted(SECRET_OPTIONS):
            if self._given.get(option):
                raise PicklingError(f"A storage with {option} is pickled only from STORAGES")
        return _made_again, (type(self), self._given)

    def __copy__(self) -> Self:
        """Copy the given options, and no key that was derived from them."""
        return type(self)(**self._given)

    def __deepcopy__(self, memo: object) -> Self:
        """Do the same: the options are never changed."""
        return self.__copy__()

    @cached_property
    def options(self) -> StorageOptions:
        """The options of this storage, complete and checked.

        :raises ImproperlyConfigured: for an invalid value.
        """
        return read_options(self._given)

    @cached_property
    def signer(self) -> LinkSigner:
        """Signs and checks the tokens of this storage."""
        return LinkSigner(self.options.signing_keys, namespace=self.options.namespace)

    @property
    def audience(self) -> Audience:
        """The owner of these files at this moment, which every link signs.

        :raises ImproperlyConfigured: when the option ``audience`` gives no text.
        :raises SynchronousOnlyOperation: in an event loop that can't know the tenant.
        """
        if (word := self.options.audience) is not None:
            return Audience(word=word())
        return Audience(*self.catalog.place)

    @cached_property
    def catalog(self) -> Catalog:
        """Finds the files of this storage, and reads them."""
        return Catalog(self.options)

    @cached_property
    def saves(self) -> Saves:
        """Saves content as files of this storage."""
        return Saves(self.options, self.catalog)

    @cached_property
    def changes(self) -> Changes:
        """Changes and deletes files of this storage."""
        return Changes(self.options, self.catalog)

    @cached_property
    def inbox(self) -> Inbox:
        """The uploads to this storage that are no files yet."""
        return Inbox(self.options, self.catalog, self.saves)

    @cached_property
    def links(self) -> LinkMaker:
        """Makes the URLs of this storage."""
        return LinkMaker(self.options, self.signer)

    def _forget_settings(self, **kwargs: object) -> None:
        for name in ("options", "signer", "catalog", "saves", "changes", "inbox", "links"):
            self.__dict__.pop(name, None)


def _made_again(storage_class: type[BaseStorage], options: Options) -> BaseStorage:
    return storage_class(**options)


def _declared_as(alias: str) -> Storage:
    return storages[alias]
