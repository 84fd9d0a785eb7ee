"""Batches: the tokens of any number of files, signed on the same terms."""

import secrets
from collections.abc import Mapping
from typing import Any

from secure_dbstorage.links.claims import encoded, period
from secure_dbstorage.links.encodings import base36
from secure_dbstorage.links.keys import HMAC
from secure_dbstorage.links.tokens import message_of


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
        message = message_of(self._owner, subject, claims.encode())
        return f"{claims}.{self._signer.sign(message)}"

    def _with_nonce(self) -> str:
        return encoded({**self._claims, "n": secrets.token_urlsafe(8)})
