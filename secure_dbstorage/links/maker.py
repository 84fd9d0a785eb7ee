"""Makes the URLs of a storage."""

import string
import time
import zlib
from typing import Unpack

from django.utils.encoding import filepath_to_uri

from secure_dbstorage.files import LinkState
from secure_dbstorage.links.paths import FOLDER_MARK, PARAMETER
from secure_dbstorage.links.routes import route_prefix
from secure_dbstorage.links.terms import (
    FolderLinkArguments,
    LinkArguments,
    LinkTerms,
    folder_terms,
    link_terms,
)
from secure_dbstorage.links.tokens import LinkSigner, TokenBatch
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

    def batch(self, **arguments: Unpack[LinkArguments]) -> "LinkBatch":
        """Return a maker of URLs on these terms.

        :raises TypeError: for an argument that a link doesn't have.
        :raises ValueError: for an impossible value; nothing is ever read as "no limit".
        """
        terms = link_terms(arguments, self._options) if arguments else self._usual_terms
        return LinkBatch(
            self.prefix(), terms, self._signer.batch(terms), longest=self._options.max_expires_in
        )

    def folder(self, folder: str, **arguments: Unpack[FolderLinkArguments]) -> str:
        """Return the URL of a canonical directory, with a slash at its end.

        Errors are those of :meth:`batch`.
        """
        terms, issued = folder_terms(arguments, self._options), int(time.time())
        tokens = self._signer.folder_batch(terms, depth=folder.count("/") + 1)
        token = tokens.token(
            folder.encode(), issued, terms.lifetime_from(issued), time.time_ns() // 1000
        )
        return f"{self.prefix()}{FOLDER_MARK}{token}/{filepath_to_uri(folder)}/"

    def prefix(self) -> str:
        """Return the URL under which the files are served."""
        if self._options.base_url is not None:
            return self._options.base_url
        return route_prefix(self._options.namespace)


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
        path = name if not encoded.translate(None, _UNQUOTED) else filepath_to_uri(name)
        if state is None or state.is_public:
            return self._prefix + path
        issued = self._issue_time(encoded)
        token = self._tokens.token(
            encoded, issued, self._terms.lifetime_from(issued), state.link_epoch
        )
        return f"{self._prefix}{path}?{PARAMETER}={token}"

    def _issue_time(self, name: bytes) -> int:
        now, terms = self._now, self._terms
        # Each name has its own offset, or all links would change at once.
        issued = now - (now + zlib.crc32(name)) % terms.window if terms.window else now
        if terms.expires_at is None:
            return issued
        # No window may bring the lifetime above the cap, which would end the link early.
        return max(issued, terms.expires_at - self._longest)
