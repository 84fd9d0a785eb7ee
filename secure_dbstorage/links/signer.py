"""The signer of a storage: signs tokens, checks them, and says what they grant."""

import hmac
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_network
from typing import Any

from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.addresses import Address
from secure_dbstorage.exceptions import BadToken
from secure_dbstorage.links.batches import TokenBatch
from secure_dbstorage.links.claims import (
    folder_above,
    grant_of,
    part_claims,
    timely,
    upload_claims,
    upload_grant_of,
)
from secure_dbstorage.links.encodings import base36
from secure_dbstorage.links.grants import Grant, PlaceKind, UploadGrant
from secure_dbstorage.links.keys import Purpose, derive
from secure_dbstorage.links.terms import LinkTerms, Terms, UploadTerms
from secure_dbstorage.links.tokens import Audience, matched, message_of, owner_of, purpose_of

#: Seconds for which a proxy may fetch a content for its cache. It fetches at once; of a film in
#: slices, it fetches the next one when the visitor's player has taken the last.
CONTENT_LIFETIME = 3600


class LinkSigner:
    """Signs and checks the tokens of one storage."""

    def __init__(self, keys: Sequence[bytes], *, namespace: str) -> None:
        """Derive the keys of each purpose.

        :param keys: newest first; the first one signs, each one verifies.
        """
        self._namespace = namespace
        self._keys = [derive(key) for key in keys]
        # A page's visitors, and the parts of a film, come with one token again and again. What a
        # token grants never changes, and one that is refused isn't kept. It is found by a hash
        # with a secret seed, so the time that takes tells nothing of the tokens that are kept.
        # A folder's token is kept for each name that is asked for below it. The view refuses names
        # that are too long for a file. Otherwise, visitors could fill the memory with them.
        self._granted = lru_cache(maxsize=1024)(self._checked)

    def batch(self, terms: LinkTerms, audience: Audience, *, unseen: bool = False) -> TokenBatch:
        """Return a signer of links to files on these terms.

        :param unseen: without a look at the table.
        """
        return self._batch(Purpose.FILE, terms, audience, flags="m" if unseen else "")

    def folder_batch(self, terms: LinkTerms, audience: Audience, *, depth: int) -> TokenBatch:
        """Return a signer of links for folders on these terms.

        The link epoch of such a link is the instant at which it is made.

        :param depth: the number of segments of each folder's name.
        """
        return self._batch(Purpose.FOLDER, terms, audience, number=f"-{base36(depth)}")

    def zip_batch(self, terms: LinkTerms, audience: Audience) -> TokenBatch:
        """Return a signer of links to zip archives of directories on these terms.

        The link epoch of such a link is the instant at which it is made.
        """
        return self._batch(Purpose.ZIP, terms, audience)

    def upload_batch(
        self, terms: UploadTerms, audience: Audience, *, kind: PlaceKind
    ) -> TokenBatch:
        """Return a signer of links that begin uploads on these terms."""
        claims = upload_claims(terms, kind) | self._bindings(terms)
        return self._tokens(Purpose.UPLOAD, audience, f"-{base36(terms.max_size)}", claims)

    def part_token(self, grant: UploadGrant, audience: Audience) -> str:
        """Return the token that continues one upload.

        :param grant: with the content key of the upload. The bindings are kept as they are.
        """
        number = f"-{base36(grant.key or 0)}"
        tokens = self._tokens(Purpose.PART, audience, number, part_claims(grant))
        return tokens.token(grant.place.spelling.encode(), 0, 0, 0)

    def content_token(self, content: str, audience: Audience, *, now: float) -> str:
        """Return the token with which a proxy fetches a content for its cache.

        :param content: as the internal route spells it.
        :param now: seconds since 1970.
        """
        tokens = self._tokens(Purpose.CONTENT, audience, "", {})
        return tokens.token(content.encode(), int(now), CONTENT_LIFETIME, 0)

    def is_for_user(self, grant: Grant, user: str) -> bool:
        """Tell whether a link is bound to the user with this primary key."""
        return grant.user is not None and self._is_bound(grant.user, "user", user)

    def is_for_address(self, grant: Grant, address: Address) -> bool:
        """Tell whether a link is bound to a network that this address belongs to."""
        if grant.network is None or grant.network[0] > address.max_prefixlen:
            return False
        length, digest = grant.network
        network = ip_network((address, length), strict=False)
        return self._is_bound(digest, "network", str(network))

    def client_digest(self, grant: Grant, address: Address) -> bytes:
        """Return a keyed digest of who uses a one-time link."""
        return self._keys[0].binding("client", _client(grant, address)).encode()

    def is_client(self, grant: Grant, digest: bytes, address: Address) -> bool:
        """Tell whether a digest of who uses a one-time link is of this address."""
        return self._is_bound(digest.decode(), "client", _client(grant, address))

    @sensitive_variables()
    def unsign(  # noqa: PLR0913 -- all that a token is held against
        self,
        name: str,
        token: str,
        audience: Audience,
        *,
        in_path: bool = False,
        max_lifetime: int,
        now: float,
    ) -> Grant:
        """Return what a token grants for the file, or the directory, of a canonical name.

        :param audience: whose file it is.
        :param in_path: whether the token stood in the URL's path, as those for folders do.
        :param max_lifetime: seconds after which even a longer link has expired.
        :param now: the time of the request, in seconds since 1970.
        :raises ExpiredToken: when it is authentic and its time is over.
        :raises BadToken: for any other fault.
        """
        return timely(self._granted(name, token, audience, max_lifetime, in_path=in_path), now)

    @sensitive_variables()
    def unsign_upload(
        self, path: str, token: str, audience: Audience, *, max_lifetime: int, now: float
    ) -> UploadGrant:
        """Return what a token grants for uploads to the place that a path spells.

        Arguments and errors are those of :meth:`unsign`. A token that continues an upload has no
        end: that is in the upload's first row.
        """
        match = matched(token)
        purpose = purpose_of(match)
        if purpose not in (Purpose.UPLOAD, Purpose.PART):
            raise BadToken("The token is not for uploads")
        self._check_signature(match, purpose, audience, path)
        try:
            grant = upload_grant_of(match, path, max_lifetime, is_part=purpose is Purpose.PART)
        except ValueError:  # A kind of place that another release knows.
            raise BadToken("The token is for no place that we know") from None
        return grant if purpose is Purpose.PART else timely(grant, now)

    @sensitive_variables()
    def check_content(self, content: str, token: str, audience: Audience, *, now: float) -> None:
        """Check a token with which a proxy fetches a content.

        Arguments are those of :meth:`content_token`, and the token.

        :raises ExpiredToken: when it is authentic and its time is over.
        :raises BadToken: for any other fault.
        """
        match = matched(token)
        if purpose_of(match) is not Purpose.CONTENT:
            raise BadToken("The token fetches no content")
        self._check_signature(match, Purpose.CONTENT, audience, content)
        timely(grant_of(match, CONTENT_LIFETIME, Purpose.CONTENT, content), now)

    def _checked(
        self, name: str, token: str, audience: Audience, max_lifetime: int, *, in_path: bool
    ) -> Grant:
        """Return what :meth:`unsign` does, whatever the time."""
        match = matched(token)
        purpose = purpose_of(match)
        if purpose not in (Purpose.FILE, Purpose.FOLDER, Purpose.ZIP):
            raise BadToken("The token opens no file")
        if in_path != (purpose is Purpose.FOLDER):
            raise BadToken("The token does not stand where a link has it")
        subject = folder_above(match, name) if purpose is Purpose.FOLDER else name
        self._check_signature(match, purpose, audience, subject)
        return grant_of(match, max_lifetime, purpose, subject)

    def _batch(
        self,
        purpose: Purpose,
        terms: LinkTerms,
        audience: Audience,
        *,
        flags: str = "",
        number: str = "",
    ) -> TokenBatch:
        claims: dict[str, Any] = {"f": terms.filename} if terms.filename is not None else {}
        middle = f"{'a' if terms.attachment else ''}{flags}{number}"
        claims |= self._bindings(terms)
        return self._tokens(purpose, audience, middle, claims, once=terms.once)

    def _tokens(
        self,
        purpose: Purpose,
        audience: Audience,
        middle: str,
        claims: Mapping[str, Any],
        *,
        once: bool = False,
    ) -> TokenBatch:
        """Return a signer of tokens.

        :param middle: flags and number.
        """
        key = self._keys[0]
        owner = owner_of(audience, self._namespace)
        start = f"1{key.id}{purpose}{middle}"
        return TokenBatch(key.hmac(purpose), owner, start, claims, once=once)

    def _bindings(self, terms: Terms) -> dict[str, Any]:
        key, claims = self._keys[0], dict[str, Any]()
        if terms.user is not None:
            claims["u"] = key.binding("user", terms.user)
        if terms.network is not None:
            digest = key.binding("network", str(terms.network))
            claims["i"] = terms.network.prefixlen, digest
        return claims

    def _is_bound(self, digest: str, kind: str, value: str) -> bool:
        # With any key: the token is authentic, and it doesn't matter which of them signed it.
        return any(hmac.compare_digest(key.binding(kind, value), digest) for key in self._keys)

    def _check_signature(
        self, match: re.Match[str], purpose: Purpose, audience: Audience, subject: str
    ) -> None:
        owner = owner_of(audience, self._namespace)
        message = message_of(owner, subject.encode(), match["claims"].encode())
        for key in self._keys:
            # The encoded text is compared: decoding is lenient, and would let several spellings
            # of one signature pass.
            if key.id == match["key_id"] and hmac.compare_digest(
                key.hmac(purpose).sign(message), match["signature"]
            ):
                return
        raise BadToken("The signature is not ours")


def _client(grant: Grant, address: Address) -> str:
    # With the link, so that the uses of two links don't tell that one client made them.
    return f"{grant.use_key}:{address}"
