"""Tokens: what a link allows, signed.

A token is ASCII text of five or six parts::

    1noa.tivw00.2s0.hkt5bh5k5c.eyJmIjoiYS5wZGYifQ.XZmujxuFqGfrpOHGW8aqd_5nly42YKbHSMAzRPOnNCc
    ││ │ │      │   │          │                  └ signature
    ││ │ │      │   │          └ rarer claims: base64url of JSON (left out when there are none)
    ││ │ │      │   └ the file's link epoch in microseconds
    ││ │ │      └ lifetime in seconds
    ││ │ └ issue time in seconds since 1970
    ││ └ flags: a for attachment
    │└ key id, two characters
    └ version

This one lets ``2026/july.pdf`` in the namespace ``invoices`` be saved as ``a.pdf``, for an hour
from 2026-07-28 12:00 UTC on. Its key is ``a secret key of 32 bytes or more``.

A link that is bound to a user or a network carries keyed digests of them among its rarer claims,
and a one-time link a nonce, so that no two are alike.

A link for a folder has its depth, in segments, behind the flags (``1no-2`` for ``videos/7``). It
stands in the URL's path, and is signed under a key of its own with the folder in the place of the
name. Its link epoch is the instant at which it was made: it opens files whose epoch is not later.

Numbers are in base 36. The signature is HMAC-SHA256, as base64url without padding, over the
storage's namespace, the file's canonical name and the token up to the signature, each with its
length in front, so that no two messages coincide. The name stands in the URL's path already, so
the token does not repeat it. Host, scheme and path are not signed: a link survives a move of the
route and a CDN in front.
"""

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from ipaddress import ip_network
from typing import Any

from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.addresses import Address, Network
from secure_dbstorage.exceptions import BadToken, ExpiredToken
from secure_dbstorage.links.encodings import base36, base64url, from_base64url
from secure_dbstorage.links.grants import Grant
from secure_dbstorage.links.keys import SigningKey, derive

#: How far a server's clock may be ahead of ours, in seconds.
CLOCK_SKEW = 60

#: The longest file name a link can carry, in characters.
MAX_FILENAME_LENGTH = 255

#: Returns the token for a name in UTF-8, an issue time, a lifetime and a link epoch.
Sign = Callable[[bytes, int, int, int], str]

#: Returns the signature of a message under a key, for one purpose.
_Signature = Callable[[SigningKey, bytes], str]

_SHAPE = re.compile(
    r"(?P<claims>1(?P<key_id>[0-9a-z]{2})(?P<flags>a?)(?:-(?P<depth>[1-9a-z][0-9a-z]?))?"
    r"\.(?P<issued>[0-9a-z]{1,8})"
    r"\.(?P<lifetime>[0-9a-z]{1,6})"
    r"\.(?P<link_epoch>[0-9a-z]{1,12})"
    r"(?:\.(?P<rare>[A-Za-z0-9_-]{1,4096}))?)"
    r"\.(?P<signature>[A-Za-z0-9_-]{43})",
    re.ASCII,
)


class LinkSigner:
    """Signs and checks the tokens of one storage."""

    def __init__(self, keys: Sequence[bytes], *, namespace: str) -> None:
        """Derive the keys of this purpose.

        :param keys: newest first; the first one signs, each one verifies.
        """
        self._namespace = namespace.encode()
        self._keys = [derive(key) for key in keys]

    @sensitive_variables()
    def sign(self, name: str, grant: Grant) -> str:
        """Return the token that grants this for the file of a canonical name."""
        claims = {"f": grant.filename, "u": grant.user, "i": grant.network, "n": grant.nonce}
        sign = self._signing(SigningKey.sign_file, claims, attachment=grant.attachment)
        return sign(name.encode(), grant.issued, grant.lifetime, grant.link_epoch)

    def signing(
        self,
        *,
        attachment: bool,
        filename: str | None,
        user: str | None = None,
        network: Network | None = None,
        once: bool = False,
    ) -> Sign:
        """Return a function that signs for any number of names, with what they share done once.

        :param user: primary key of the user whom the links are for.
        :param network: the network that the links are for.
        :param once: make each a one-time link.
        """
        claims = {"f": filename, **self._bindings(user, network)}
        return self._signing(SigningKey.sign_file, claims, attachment=attachment, once=once)

    def signing_folder(
        self, folder: str, *, attachment: bool, user: str | None, network: Network | None
    ) -> Callable[[int, int, int], str]:
        """Return a function that signs for the files below a canonical directory.

        It takes an issue time, a lifetime, and the instant, in microseconds, from which on neither
        a new file nor a revoked one is opened.
        """
        claims, depth = self._bindings(user, network), f"-{base36(folder.count('/') + 1)}"
        sign = self._signing(SigningKey.sign_folder, claims, attachment=attachment, depth=depth)
        return partial(sign, folder.encode())

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

    def _is_bound(self, digest: str, kind: str, value: str) -> bool:
        # With any key: the token is authentic, and it does not matter which of them signed it.
        return any(hmac.compare_digest(key.binding(kind, value), digest) for key in self._keys)

    def _bindings(self, user: str | None, network: Network | None) -> dict[str, Any]:
        key, claims = self._keys[0], dict[str, Any]()
        if user is not None:
            claims["u"] = key.binding("user", user)
        if network is not None:
            claims["i"] = network.prefixlen, key.binding("network", str(network))
        return claims

    def _signing(
        self,
        signature: _Signature,
        claims: Mapping[str, Any],
        *,
        attachment: bool,
        depth: str = "",
        once: bool = False,
    ) -> Sign:
        key, namespace = self._keys[0], self._namespace
        start = f"1{key.id}{'a' if attachment else ''}{depth}"
        rare = _rare_claims(claims)

        def sign(name: bytes, issued: int, lifetime: int, link_epoch: int) -> str:
            own = _rare_claims({**claims, "n": secrets.token_urlsafe(8)}) if once else rare
            text = f"{start}{_period(issued, lifetime)}.{base36(link_epoch)}{own}"
            return f"{text}.{signature(key, _message(namespace, name, text.encode()))}"

        return sign

    @sensitive_variables()
    def unsign(
        self,
        name: str,
        token: str,
        *,
        max_lifetime: int,
        now: float | None = None,
    ) -> Grant:
        """Return what a token grants for the file of a canonical name.

        :param max_lifetime: seconds after which even a longer link has expired.
        :param now: seconds since 1970, for tests.
        :raises ExpiredToken: when it is authentic, and its time is over.
        :raises BadToken: for all else that is wrong with it.
        """
        match = _matched(token)
        self._check_signature(match, SigningKey.sign_file, name)
        grant = _grant(match, max_lifetime)
        _check_times(grant, time.time() if now is None else now)
        return grant

    @sensitive_variables()
    def unsign_folder(
        self,
        name: str,
        token: str,
        *,
        max_lifetime: int,
        now: float | None = None,
    ) -> Grant:
        """Return what a folder's token grants for the file of a canonical name below it.

        Arguments and errors are those of :meth:`unsign`.
        """
        match = _matched(token)
        segments, depth = name.split("/"), int(match["depth"] or "0", 36)
        if not 0 < depth < len(segments):
            raise BadToken("The token is not for a folder above the file")
        folder = "/".join(segments[:depth])
        self._check_signature(match, SigningKey.sign_folder, folder)
        grant = _grant(match, max_lifetime, folder)
        _check_times(grant, time.time() if now is None else now)
        return grant

    def _check_signature(self, match: re.Match[str], signature: _Signature, name: str) -> None:
        message = _message(self._namespace, name.encode(), match["claims"].encode())
        if not any(
            # The encoded text is compared: decoding is lenient, and would let several spellings
            # of one signature pass.
            hmac.compare_digest(signature(key, message), match["signature"])
            for key in self._keys
            if key.id == match["key_id"]
        ):
            raise BadToken("The signature is not ours")


def _matched(token: str) -> re.Match[str]:
    match = _SHAPE.fullmatch(token)
    if match is None:
        raise BadToken("The token has the wrong shape")
    return match


def _check_times(grant: Grant, now: float) -> None:
    if grant.issued > now + CLOCK_SKEW:
        raise BadToken("The token is from the future")
    if now >= grant.expires:
        raise ExpiredToken(grant)


def _grant(match: re.Match[str], max_lifetime: int, folder: str | None = None) -> Grant:
    rare: dict[str, Any] = json.loads(from_base64url(match["rare"])) if match["rare"] else {}
    issued, lifetime = int(match["issued"], 36), int(match["lifetime"], 36)
    return Grant(
        link_epoch=int(match["link_epoch"], 36),
        issued=issued,
        lifetime=min(lifetime, max_lifetime),
        folder=folder,
        attachment="a" in match["flags"],
        filename=rare.get("f"),
        user=rare.get("u"),
        network=tuple(rare["i"]) if "i" in rare else None,
        nonce=rare.get("n"),
        use_key=_use_key(match["signature"]) if "n" in rare else 0,
        usable_until=issued + lifetime + CLOCK_SKEW if "n" in rare else 0,
        link_id=match["signature"][:8],
    )


def _use_key(signature: str) -> int:
    # Of its digest: who reads the table does not learn the signature.
    return int.from_bytes(hashlib.sha256(signature.encode()).digest()[:8]) >> 2


def _message(namespace: bytes, name: bytes, claims: bytes) -> bytes:
    """Return what is signed: each part with its length, so that no two messages coincide."""
    parts = len(namespace), namespace, len(name), name, len(claims), claims
    return b"%d:%b%d:%b%d:%b" % parts


def _rare_claims(claims: Mapping[str, Any]) -> str:
    given = {name: value for name, value in claims.items() if value is not None}
    if not given:
        return ""
    rare = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
    return f".{base64url(rare.encode())}"


@lru_cache(maxsize=1024)  # Links made at one time share a few hundred.
def _period(issued: int, lifetime: int) -> str:
    return f".{base36(issued)}.{base36(lifetime)}"
