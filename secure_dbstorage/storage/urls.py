"""The URLs of a storage: for its files as they are now, logged and announced."""

import logging
from asyncio import _get_running_loop
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import PurePath
from typing import TypeVar, Unpack

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured

from secure_dbstorage.files.heads import LinkState
from secure_dbstorage.links.arguments import (
    FolderLinkArguments,
    LinkArguments,
    UploadArguments,
    ZipLinkArguments,
)
from secure_dbstorage.links.grants import UploadPlace
from secure_dbstorage.links.paths import link_id
from secure_dbstorage.links.tokens import Audience
from secure_dbstorage.names import (
    canonical_name,
    has_control_character,
    is_plain,
    normal_name,
    text_of,
)
from secure_dbstorage.signals import link_made
from secure_dbstorage.storage.base import LEFT_OUT, BaseStorage, LeftOut, Name

#: A name as the caller spells it, None included.
AnyName = TypeVar("AnyName", bound=str | PurePath | None)

_logger = logging.getLogger("secure_dbstorage.links")


class LinkingStorage(BaseStorage):
    """Makes the links of a storage."""

    @property
    def base_url(self) -> str:
        """The URL under which the files are served, with a slash at its end."""
        return self.links.prefix()

    def url(self, name: Name | None, **arguments: Unpack[LinkArguments]) -> str:
        """Return the URL of a file: unsigned for a public one, signed for a private one.

        A missing file gets an unsigned URL, which leads to a 404, so that no page breaks. Makes
        one small query.

        In an event loop, which can't wait for a query, the URL is signed without a look: that of
        a public file too, and that of a lost one answers 403. :meth:`aurl` looks.

        :param arguments: see :class:`~secure_dbstorage.links.arguments.LinkArguments`.
        :raises ValueError: for impossible arguments.
        :raises SynchronousOnlyOperation: in an event loop that can't know the tenant.
        """
        normal, audience = _normal(name), self.audience
        if _is_in_event_loop():
            made = self.links.unseen_batch(audience, **arguments).url(normal)
        else:
            links = self.links.batch(audience, **arguments)
            made = links.url(normal, _found(self, [normal], audience).get(normal))
        _tell_made(self, {normal: made})
        return made

    def urls(
        self, names: Iterable[AnyName], **arguments: Unpack[LinkArguments]
    ) -> dict[AnyName, str]:
        """Return the URLs of any number of files by name, with one query.

        In an event loop they are those of :meth:`url`.
        """
        if isinstance(names, str):
            raise TypeError("urls() takes names; url() takes one")
        normal = {name: _normal(name) for name in names}
        audience = self.audience
        if _is_in_event_loop():
            unseen = self.links.unseen_batch(audience, **arguments)
            made = {given: unseen.url(name) for given, name in normal.items()}
        else:
            links = self.links.batch(audience, **arguments)
            found = _found(self, normal.values(), audience).get
            made = {given: links.url(name, found(name)) for given, name in normal.items()}
        _tell_made(self, {normal[given]: url for given, url in made.items()})
        return made

    async def aurl(self, name: Name | None, **arguments: Unpack[LinkArguments]) -> str:
        """Do what :meth:`url` does, in async code."""
        return await sync_to_async(self.url)(name, **arguments)

    async def aurls(
        self, names: Iterable[AnyName], **arguments: Unpack[LinkArguments]
    ) -> dict[AnyName, str]:
        """Do what :meth:`urls` does, in async code."""
        return await sync_to_async(self.urls)(names, **arguments)

    def folder_url(self, prefix: Name, **arguments: Unpack[FolderLinkArguments]) -> str:
        """Return a signed URL of a directory, with a slash at its end.

        Append the names of files below the directory. Relative links between them work: from a
        playlist to its segments, or from a page to its pictures. The URL opens the files that
        exist now. Files that are saved, renamed or revoked later need a new one. Makes no query.

        :param arguments: see :class:`~secure_dbstorage.links.arguments.FolderLinkArguments`.
        :raises ValueError: for impossible arguments, and for the root.
        """
        folder = _folder(prefix, "A link for a folder must name one: the root is every file")
        made = self.links.folder(folder, self.audience, **arguments)
        _tell_made(self, {folder: made})
        return made

    def zip_url(self, *, prefix: Name, **arguments: Unpack[ZipLinkArguments]) -> str:
        """Return a signed URL that downloads the files below a directory as one zip archive.

        The archive has the files that exist now, as they are when it is downloaded. Files that are
        saved, renamed or revoked later stay out. Makes no query.

        :param prefix: the directory.
        :param arguments: see :class:`~secure_dbstorage.links.arguments.ZipLinkArguments`.
        :raises ValueError: for impossible arguments, and for the root.
        :raises ImproperlyConfigured: without the package that makes the archives.
        """
        check_zip()
        folder = _folder(prefix, "An archive must name its directory: the root is every file")
        made = self.links.zip(folder, self.audience, **arguments)
        _tell_made(self, {folder: made})
        return made

    def upload_url(
        self, name: Name | LeftOut = LEFT_OUT, **arguments: Unpack[UploadArguments]
    ) -> str:
        """Return a signed URL that takes an upload: by PUT, or in pieces by tus.

        With a name, the upload becomes this file. With ``prefix=``, any number of uploads become
        files below that directory, named by the client. Without either, an upload has no name
        until a form takes it. Makes no query.

        :param arguments: see :class:`~secure_dbstorage.links.arguments.UploadArguments`.
        :raises ValueError: for impossible arguments, and without a limit of the size.
        :raises SuspiciousFileOperation: for a name that no file can have.
        :raises ImproperlyConfigured: without a route: a CDN takes no uploads.
        :raises SynchronousOnlyOperation: in an event loop that can't know the tenant.
        """
        prefix = arguments.pop("prefix", LEFT_OUT)
        if None in (name, prefix):
            raise ValueError("None is neither a name nor a prefix: leave it out")
        place = UploadPlace.of(
            None if isinstance(name, LeftOut) else name,
            None if isinstance(prefix, LeftOut) else prefix,
        )
        made = self.links.upload(place, self.audience, **arguments)
        _tell_made(self, {place.path: made})
        return made

    async def aupload_url(
        self, name: Name | LeftOut = LEFT_OUT, **arguments: Unpack[UploadArguments]
    ) -> str:
        """Do what :meth:`upload_url` does, in async code."""
        return await sync_to_async(self.upload_url)(name, **arguments)


def check_zip() -> None:
    """Check that zip archives can be made.

    :raises ImproperlyConfigured: without the package that makes them.
    """
    if find_spec("zipstream") is None:
        raise ImproperlyConfigured(
            "Zip archives need zipstream-ng: pip install 'secure-dbstorage[zip]'"
        )


def _folder(prefix: Name, refusal: str) -> str:
    folder = canonical_name(prefix)
    if not folder:
        raise ValueError(refusal)
    return folder


def _found(storage: BaseStorage, names: Iterable[str], audience: Audience) -> dict[str, LinkState]:
    # No file has any other name, and a page must not break because of one.
    return storage.catalog.link_states(
        [name for name in names if name and not has_control_character(name)],
        using=audience.alias,
    )


def _tell_made(storage: BaseStorage, urls: Mapping[str, str]) -> None:
    """Log each signed link by its short name, and send a signal. Most projects need neither.

    :param urls: by the names of the files or folders.
    """
    sender = type(storage)
    if not (_logger.isEnabledFor(logging.DEBUG) or link_made.has_listeners(sender)):
        return
    for name, url in urls.items():
        if short := link_id(url):
            _logger.debug(
                "link=%s namespace=%a name=%a", short, storage.options.namespace, str(name)
            )
            link_made.send_robust(sender, storage=storage, name=name, link=short)


def _is_in_event_loop() -> bool:
    # The public function says no by an error, which takes a quarter of the time of signing.
    return _get_running_loop() is not None


def _normal(name: Name | None) -> str:
    if isinstance(name, str) and is_plain(name):
        return name
    return "" if name is None else normal_name(text_of(name).lstrip("/\\"))
