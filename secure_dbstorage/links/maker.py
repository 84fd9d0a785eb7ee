"""Makes the URLs of a storage."""

import string
import time
from typing import Unpack

from django.utils.encoding import filepath_to_uri

from secure_dbstorage.files.heads import LinkState
from secure_dbstorage.links.arguments import (
    FolderLinkArguments,
    LinkArguments,
    UploadArguments,
    ZipLinkArguments,
)
from secure_dbstorage.links.batches import TokenBatch
from secure_dbstorage.links.grants import UploadGrant, UploadPlace
from secure_dbstorage.links.paths import MARK, PARAMETER, SignedPath
from secure_dbstorage.links.routes import internal_prefix, route_prefix
from secure_dbstorage.links.signer import LinkSigner
from secure_dbstorage.links.terms import (
    LinkTerms,
    folder_terms,
    link_terms,
    upload_terms,
    zip_terms,
)
from secure_dbstorage.links.tokens import Audience
from secure_dbstorage.names import has_control_character
from secure_dbstorage.options import StorageOptions

#: The bytes that need no quoting. Most names have no others, and checking that is quicker than
#: quoting.
_UNQUOTED = (string.ascii_letters + string.digits + "-._~/").encode()


class LinkMaker:
    """Makes the URLs of one storage."""

    def __init__(self, options: StorageOptions, signer: LinkSigner) -> None:
        self._options = options
        self._signer = signer
        self._usual_terms = link_terms({}, options)

    def batch(self, audience: Audience, **arguments: Unpack[LinkArguments]) -> "LinkBatch":
        """Return a maker of URLs on these terms.

        :param audience: whose files they are for.
        :raises TypeError: for an argument that a link doesn't have.
        :raises ValueError: for an impossible value; nothing is ever read as "no limit".
        """
        terms = self._terms(arguments)
        tokens = self._signer.batch(terms, audience)
        return LinkBatch(self.prefix(), terms, tokens, longest=self._options.max_expires_in)

    def unseen_batch(
        self, audience: Audience, **arguments: Unpack[LinkArguments]
    ) -> "UnseenLinkBatch":
        """Return a maker of URLs on these terms, for files that can't be looked up.

        Arguments and errors are those of :meth:`batch`.
        """
        terms = self._terms(arguments)
        tokens = self._signer.batch(terms, audience, unseen=True)
        return UnseenLinkBatch(self.prefix(), terms, tokens)

    def folder(
        self, folder: str, audience: Audience, **arguments: Unpack[FolderLinkArguments]
    ) -> str:
        """Return the URL of a canonical directory, with a slash at its end.

        Errors are those of :meth:`batch`.
        """
        terms = folder_terms(arguments, self._options)
        tokens = self._signer.folder_batch(terms, audience, depth=folder.count("/") + 1)
        token = _Instant().token(folder.encode(), tokens, terms)
        return f"{self.prefix()}{MARK}{token}/{filepath_to_uri(folder)}/"

    def zip(self, folder: str, audience: Audience, **arguments: Unpack[ZipLinkArguments]) -> str:
        """Return the URL of a zip archive of a canonical directory.

        Errors are those of :meth:`batch`.
        """
        terms = zip_terms(arguments, self._options)
        token = _Instant().token(folder.encode(), self._signer.zip_batch(terms, audience), terms)
        return f"{self.prefix()}{filepath_to_uri(folder)}?{PARAMETER}={token}"

    def upload(
        self, place: UploadPlace, audience: Audience, **arguments: Unpack[UploadArguments]
    ) -> str:
        """Return the URL for uploads to a place. Errors are those of :meth:`batch`.

        :raises ImproperlyConfigured: without a route. A ``base_url`` may be a CDN's, which takes
            no uploads, and a page may only send them to its own origin.
        """
        terms = upload_terms(arguments, self._options, place)
        subject = place.spelling.encode()
        issued = terms.issue_time(subject, int(time.time()), longest=self._options.max_expires_in)
        tokens = self._signer.upload_batch(terms, audience, kind=place.kind)
        token = tokens.token(subject, issued, terms.lifetime_from(issued), 0)
        return self._upload_url(place, token)

    def part(self, grant: UploadGrant, audience: Audience) -> SignedPath:
        """Return the URL at which one upload continues."""
        token = self._signer.part_token(grant, audience)
        return SignedPath(self._upload_url(grant.place, token))

    def content(self, content: str, audience: Audience, *, now: float) -> SignedPath:
        """Return the URL from which a proxy fetches a content for its cache.

        :param content: as the internal route spells it.
        :param now: seconds since 1970.
        :raises ImproperlyConfigured: without an internal route.
        """
        token = self._signer.content_token(content, audience, now=now)
        path = f"{internal_prefix()}{filepath_to_uri(content)}"
        return SignedPath(f"{path}?{PARAMETER}={token}")

    def _upload_url(self, place: UploadPlace, token: str) -> str:
        path = filepath_to_uri(place.spelling)
        return f"{route_prefix(self._options.namespace)}{path}?{PARAMETER}={token}"

    def prefix(self) -> str:
        """Return the URL under which the files are served."""
        if self._options.base_url is not None:
            return self._options.base_url
        return route_prefix(self._options.namespace)

    def _terms(self, arguments: LinkArguments) -> LinkTerms:
        return link_terms(arguments, self._options) if arguments else self._usual_terms


class LinkBatch:
    """Makes the URLs of any number of names, and does only once what they share."""

    def __init__(self, prefix: str, terms: LinkTerms, tokens: TokenBatch, *, longest: int) -> None:
        self._prefix = prefix
        self._terms = terms
        self._tokens = tokens
        self._longest = longest
        self._now = int(time.time())

    def url(self, name: str, state: LinkState | None) -> str:
        """Return the URL of a file. A public or missing file gets no token.

        :param name: canonical.
        :param state: None where there is no file.
        """
        encoded = name.encode()
        path = _path(name, encoded)
        if state is None or state.is_public:
            return self._prefix + path
        issued = self._terms.issue_time(encoded, self._now, longest=self._longest)
        token = self._tokens.token(
            encoded, issued, self._terms.lifetime_from(issued), state.link_epoch
        )
        return f"{self._prefix}{path}?{PARAMETER}={token}"


class UnseenLinkBatch:
    """Makes the URLs of any number of names without a look at the table.

    Each gets a token, whether there is such a file, and whether it is public or not.
    """

    def __init__(self, prefix: str, terms: LinkTerms, tokens: TokenBatch) -> None:
        self._prefix = prefix
        self._terms = terms
        self._tokens = tokens
        self._instant = _Instant()

    def url(self, name: str) -> str:
        """Return the URL of a canonical name. One that no file can have gets no token."""
        encoded = name.encode()
        path = _path(name, encoded)
        if not name or has_control_character(name):
            return self._prefix + path
        token = self._instant.token(encoded, self._tokens, self._terms)
        return f"{self._prefix}{path}?{PARAMETER}={token}"


class _Instant:
    """The instant at which links are made that no epoch of a file limits.

    It is never rounded to a window: a file that was saved within the window would be shut out.
    """

    def __init__(self) -> None:
        self._microseconds = time.time_ns() // 1000

    def token(self, subject: bytes, tokens: TokenBatch, terms: LinkTerms) -> str:
        """Return the token for a subject."""
        issued = self._microseconds // 10**6
        return tokens.token(subject, issued, terms.lifetime_from(issued), self._microseconds)


def _path(name: str, encoded: bytes) -> str:
    return name if not encoded.translate(None, _UNQUOTED) else filepath_to_uri(name)
