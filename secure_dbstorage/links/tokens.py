"""Tokens: what a link allows, signed.

A token is ASCII text of five or six parts::

    1noa.tivw00.2s0.hkt5bh5k5c.eyJmIjoiYS5wZGYifQ.nldvF7mQ3pg3Y14vOJT9zW7dl8W9vZUx96PkqJKZVVE
    ││ │ │      │   │          │                  └ signature
    ││ │ │      │   │          └ rarer claims: base64url of JSON (left out when there are none)
    ││ │ │      │   └ the file's link epoch in microseconds
    ││ │ │      └ lifetime in seconds
    ││ │ └ issue time in seconds since 1970
    ││ └ purpose, flags and number: here the flag a, for attachment
    │└ key id, two characters
    └ version

This one lets ``2026/july.pdf`` in the namespace ``invoices`` be saved as ``a.pdf``, for an hour
from 2026-07-28 12:00 UTC. Its key is ``a secret key of 32 bytes or more``; the file is in the
database ``default``, in the schema ``acme``.

The grammar is the same for all purposes:

- The purpose is a capital letter (see :class:`~secure_dbstorage.links.keys.Purpose`). It selects
  the key that signs, and nothing else does. The link to a file has none; an unknown one is an
  error.
- The flags are ``a`` for an attachment and ``m`` for a link that was made without a look at the
  table. The link epoch of an ``m`` link is the instant at which it was made: it opens a file whose
  epoch is not later.
- The number, behind a hyphen, says what the purpose needs besides: for a folder its depth in
  segments (``1noF-2`` for ``videos/7``), for a link that begins uploads their largest size in
  bytes, for one that continues an upload its content key. Most need none.
- A slot that a purpose doesn't need is ``0``. Numbers are in base 36.

The signature is HMAC-SHA256, as base64url without padding, over six parts, each with its length in
front so that no two messages coincide: the alias of the database, the schema in it, and the
project's own word instead of both (together the audience: no tenant's link opens another's file);
the storage's namespace; the subject, which is the canonical name of the file or folder; and the
token up to the signature. The token doesn't repeat audience, namespace and subject. Host, scheme
and path aren't signed: a link survives another route or a CDN in front.

The rarer claims are the file name (``f``), keyed digests of the user (``u``) and the network
(``i``, behind its prefix length) that the link is for, and the nonce of a one-time link (``n``),
which makes every such link different.

A link for a folder stands in the URL's path. Its link epoch is that of an ``m`` link. The subject
of a link to a zip archive is the directory that it packs; its link epoch is that of an ``m`` link
too.

The subject of a link for uploads is the place as the URL spells it: the name of a file, a
directory with a slash at its end, or ``~`` for the root or for none. Claims say which of them
(``k``: ``d`` for a directory, ``n`` for none), which media types (``t``), whether a file may be
replaced (``o``), and the SHA-256 of the only accepted content (``h``). A link that continues an
upload has no times, since its end is in the table. It repeats ``k``, ``o``, ``h`` and the
bindings, for a directory also ``t``, and adds the client's Upload-Metadata as it was sent (``m``).

The subject of a token for a proxy's cache is the content as the internal route spells it, see
:func:`~secure_dbstorage.links.paths.spelled_content`. It has no claims but its times.
"""

import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_network
from typing import Any, NamedTuple

from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.addresses import Address
from secure_dbstorage.exceptions import BadToken
from secure_dbstorage.links.claims import (
    encoded,
    folder_above,
    grant_of,
    period,
    timely,
    told,
    upload_grant_of,
)
from secure_dbstorage.links.encodings import base36
from secure_dbstorage.links.grants import Grant, PlaceKind, UploadGrant
from secure_dbstorage.links.keys import HMAC, Purpose, derive
from secure_dbstorage.links.terms import LinkTerms, Terms, UploadTerms

#: Seconds for which a proxy may fetch a content for its cache. It fetches at once; of a film in
#: slices, it fetches the next one when the visitor's player has taken the last.
CONTENT_LIFETIME = 3600

#: Looked up here, since calling the enumeration takes four times as long.
_PURPOSES = {purpose.value: purpose for purpose in Purpose}

_SHAPE = re.compile(
    r"(?P<claims>1(?P<key_id>[0-9a-z]{2})(?P<purpose>[A-Z]?)(?P<flags>a?m?)"
    r"(?:-(?P<number>[0-9a-z]{1,13}))?"
    r"\.(?P<issued>[0-9a-z]{1,8})"
    r"\.(?P<lifetime>[0-9a-z]{1,6})"
    r"\.(?P<link_epoch>[0-9a-z]{1,12})"
    r"(?:\.(?P<rare>[A-Za-z0-9_-]{1,4096}))?)"
    r"\.(?P<signature>[A-Za-z0-9_-]{43})",
    re.ASCII,
)


class Audience(NamedTuple):
    """Whose files a link opens. It is signed: no tenant's link opens the file of another."""

    #: Alias of the database that is written to.
    alias: str = ""
    #: The schema in it; "" for a database without one for each tenant.
    schema: str = ""
    #: What the project says instead of both.
    word: str = ""


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

    def batch(self, terms: LinkTerms, audience: Audience, *, unseen: bool = False) -> "TokenBatch":
        """Return a signer of links to files on these terms.

        :param unseen: without a look at the table.
        """
        return self._batch(Purpose.FILE, terms, audience, flags="m" if unseen else "")

    def folder_batch(self, terms: LinkTerms, audience: Audience, *, depth: int) -> "TokenBatch":
        """Return a signer of links for folders on these terms.

        The link epoch of such a link is the instant at which it is made.

        :param depth: the number of segments of each folder's name.
        """
        return self._batch(Purpose.FOLDER, terms, audience, number=f"-{base36(depth)}")

    def zip_batch(self, terms: LinkTerms, audience: Audience) -> "TokenBatch":
        """Return a signer of links to zip archives of directories on these terms.

        The link epoch of such a link is the instant at which it is made.
        """
        return self._batch(Purpose.ZIP, terms, audience)

    def upload_batch(
        self, terms: UploadTerms, audience: Audience, *, kind: PlaceKind
    ) -> "TokenBatch":
        """Return a signer of links that begin uploads on these terms."""
        claims = {
            "k": kind.value,
            "t": terms.types,
            "o": int(terms.overwrite),
            "h": terms.sha256,
            **self._bindings(terms),
        }
        number = f"-{base36(terms.max_size)}"
        return self._tokens(Purpose.UPLOAD, audience, number, told(claims))

    def part_token(self, grant: UploadGrant, audience: Audience) -> str:
        """Return the token that continues one upload.

        :param grant: with the content key of the upload. The bindings are kept as they are.
        """
        is_folder = grant.place.kind is PlaceKind.FOLDER  # Only there, the name isn't final yet.
        claims = {
            "k": grant.place.kind.value,
            "t": grant.types if is_folder else (),
            "m": grant.metadata,
            "o": int(grant.overwrite),
            "h": grant.sha256,
            "u": grant.user,
            "i": grant.network,
        }
        tokens = self._tokens(Purpose.PART, audience, f"-{base36(grant.key or 0)}", told(claims))
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
        match = _matched(token)
        purpose = _purpose(match)
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
        match = _matched(token)
        if _purpose(match) is not Purpose.CONTENT:
            raise BadToken("The token fetches no content")
        self._check_signature(match, Purpose.CONTENT, audience, content)
        timely(grant_of(match, CONTENT_LIFETIME, Purpose.CONTENT, content), now)

    def _checked(
        self, name: str, token: str, audience: Audience, max_lifetime: int, *, in_path: bool
    ) -> Grant:
        """Return what :meth:`unsign` does, whatever the time."""
        match = _matched(token)
        purpose = _purpose(match)
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
    ) -> "TokenBatch":
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
    ) -> "TokenBatch":
        """Return a signer of tokens.

        :param middle: flags and number.
        """
        key = self._keys[0]
        owner = _owner(audience, self._namespace)
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
        owner = _owner(audience, self._namespace)
        message = _message(owner, subject.encode(), match["claims"].encode())
        for key in self._keys:
            # The encoded text is compared: decoding is lenient, and would let several spellings
            # of one signature pass.
            if key.id == match["key_id"] and hmac.compare_digest(
                key.hmac(purpose).sign(message), match["signature"]
            ):
                return
        raise BadToken("The signature is not ours")


class TokenBatch:
    """Signs any number of tokens on the same terms, and does only once what they share."""

    def __init__(
        self,
        signer: HMAC,
        owner: bytes,
        start: str,
        claims: Mapping[str, Any],
        *,
        once: bool,
    ) -> None:
        """Encode the parts that all tokens share.

        :param owner: the first parts of the message, each with its length in front.
        :param start: the token's first part.
        :param claims: the rarer ones.
        :param once: whether each token has a nonce.
        """
        self._signer = signer
        self._owner = owner
        self._start = start
        self._claims = claims
        self._once = once
        self._rare = encoded(claims)

    def token(self, subject: bytes, issued: int, lifetime: int, link_epoch: int) -> str:
        """Return the token for one subject.

        :param subject: the canonical name of a file or a folder, in UTF-8.
        """
        rare = self._with_nonce() if self._once else self._rare
        claims = f"{self._start}{period(issued, lifetime)}.{base36(link_epoch)}{rare}"
        message = _message(self._owner, subject, claims.encode())
        return f"{claims}.{self._signer.sign(message)}"

    def _with_nonce(self) -> str:
        return encoded({**self._claims, "n": secrets.token_urlsafe(8)})


def _client(grant: Grant, address: Address) -> str:
    # With the link, so that the uses of two links don't tell that one client made them.
    return f"{grant.use_key}:{address}"


def _matched(token: str) -> re.Match[str]:
    match = _SHAPE.fullmatch(token)
    if match is None:
        raise BadToken("The token has the wrong shape")
    return match


def _purpose(match: re.Match[str]) -> Purpose:
    purpose = _PURPOSES.get(match["purpose"])
    if purpose is None:
        raise BadToken("The token is for no purpose that we know")
    return purpose


def _message(owner: bytes, subject: bytes, claims: bytes) -> bytes:
    """Return the message to sign: each part has its length in front, so that none coincide.

    :param owner: what :func:`_owner` returned.
    """
    return b"%b%d:%b%d:%b" % (owner, len(subject), subject, len(claims), claims)


@lru_cache(maxsize=1024)  # One for each tenant that is busy.
def _owner(audience: Audience, namespace: str) -> bytes:
    """Return the parts of a message that say whose file it is, each with its length in front."""
    parts = map(str.encode, (*audience, namespace))
    return b"".join(b"%d:%b" % (len(part), part) for part in parts)
