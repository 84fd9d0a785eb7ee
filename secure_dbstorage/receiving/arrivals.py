"""Arrivals: a request that brings an upload, with everything known about it."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from django.http import HttpRequest

from secure_dbstorage.exceptions import DatabaseUnavailable, UploadChanged
from secure_dbstorage.files.uploads import Upload
from secure_dbstorage.links.grants import PlaceKind, UploadGrant
from secure_dbstorage.links.lifetimes import UPLOAD_LIFETIME
from secure_dbstorage.receiving.bodies import Body
from secure_dbstorage.receiving.faults import Fault, Rejected
from secure_dbstorage.serving.visits import Visit
from secure_dbstorage.storage import DatabaseStorage

#: The most bytes that one transaction writes: a piece of 4 MiB, with the rows in which it begins
#: and ends. With a megabyte, there would be five commits for each piece.
_TOGETHER = 4608 * 1024


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request whose token allows it to begin or to continue an upload."""

    visit: Visit
    #: What the token allows.
    grant: UploadGrant

    @property
    def request(self) -> HttpRequest:
        """The request, without its token."""
        return self.visit.request

    @property
    def storage(self) -> DatabaseStorage:
        """The storage that receives the upload."""
        return self.visit.storage

    @property
    def most(self) -> int:
        """The most bytes of an upload: the link may be older than the option ``max_size``."""
        limit = self.storage.options.max_size
        return self.grant.max_size if limit is None else min(self.grant.max_size, limit)

    def body(self, length: int) -> Body:
        """Return the body. With a pool, no connection is held while waiting for it."""
        return Body(self.request, length, before_waiting=self.storage.catalog.release)

    @property
    def names_at_once(self) -> bool:
        """Whether an upload that one request brings gets its name together with its last rows.

        Hooks read it before it has a name, and without a named place it waits for a form.
        """
        is_named = self.grant.place.kind is not PlaceKind.NOWHERE
        return is_named and not self.storage.options.upload_hooks

    def new_upload(self, size: int) -> Upload:
        """Return an upload of this many bytes, which nothing was written of.

        It may outlive the link: it has a day, or as long as the link lives.
        """
        seconds = max(UPLOAD_LIFETIME, self.grant.lifetime)
        expires = datetime.fromtimestamp(int(self.visit.now), tz=UTC) + timedelta(seconds=seconds)
        return self.storage.inbox.new(size, expires)

    def append(self, upload: Upload, pieces: Sequence[bytes]) -> Upload:
        """Write pieces behind those of an upload, and return it with them.

        :raises Rejected: 409 when another request was faster.
        """
        storage = self.storage
        try:
            return storage.catalog.repeat(partial(storage.inbox.append, upload, pieces))
        except UploadChanged:
            raise Rejected(Fault.OFFSET) from None

    def receive(self, upload: Upload, body: Body) -> tuple[Upload, str | None]:
        """Write a body behind what is there, and return its SHA-256 if it is the whole upload.

        No transaction is open while waiting for the network. The last pieces of a whole upload
        are kept for the transaction that gives it its name, if nothing has to come before that.

        :raises Rejected: 409 when another request was faster.
        """
        is_whole = body.left == upload.content.size
        is_held = is_whole and self.names_at_once
        digest = hashlib.sha256()
        while pieces := body.pieces(upload.row_lengths(_TOGETHER)):
            for piece in pieces if is_whole else ():
                digest.update(piece)
            if is_held and body.has_ended:
                offset = upload.content.size
                upload = replace(upload, offset=offset, last_pieces=pieces)
            else:
                upload = self.append(upload, pieces)
                pieces.clear()  # Before the next ones need memory as well.
        if not (upload.is_begun or (is_held and upload.is_complete)):
            upload = self.append(upload, ())
        return upload, digest.hexdigest() if is_whole and upload.is_complete else None

    @contextmanager
    def all_or_nothing(self, upload: Upload) -> Iterator[None]:
        """Delete an upload whose beginning fails: nobody was told how to continue it."""
        is_done = False
        try:
            yield
            is_done = True
        finally:
            storage = self.storage
            if not is_done:
                with suppress(DatabaseUnavailable):
                    storage.catalog.repeat(partial(storage.inbox.delete, upload))

    def find(self) -> Upload:
        """Return the upload that the token continues, or the file that it has become.

        :raises Rejected: 410 when it was deleted, or it has expired.
        """
        storage = self.storage
        with storage.catalog.outages_told():
            upload = storage.inbox.find(self.grant.key or 0)
        if upload is None or upload.has_expired(self.visit.now):
            raise Rejected(Fault.GONE)
        return upload
