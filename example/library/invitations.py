"""Invitations: links to a page where somebody without an account can send files."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from django.contrib.auth.models import User
from django.core import signing
from django.urls import reverse

LIFETIME = timedelta(days=1)

_SALT = "library.invitation"


@dataclass(frozen=True, slots=True)
class Invitation:
    """Lets people send files to somebody, for a day. Nothing is stored: the link is signed."""

    owner: int
    ends: datetime

    @classmethod
    def to(cls, owner: User) -> Self:
        return cls(owner.pk, datetime.now(UTC).replace(microsecond=0) + LIFETIME)

    @classmethod
    def read(cls, token: str) -> Self | None:
        """Return the invitation in a link; None if it has expired, or is not ours."""
        try:
            owner, ends = signing.loads(token, salt=_SALT)
        except signing.BadSignature:
            return None
        invitation = cls(owner, datetime.fromtimestamp(ends, UTC))
        return invitation if datetime.now(UTC) < invitation.ends else None

    def get_absolute_url(self) -> str:
        token = signing.dumps([self.owner, int(self.ends.timestamp())], salt=_SALT)
        return reverse("send-files", args=[token])
