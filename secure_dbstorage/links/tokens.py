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

import re
from functools import lru_cache
from typing import NamedTuple

from secure_dbstorage.exceptions import BadToken
from secure_dbstorage.links.keys import Purpose

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


def matched(token: str) -> re.Match[str]:
    """Return the parts of a token.

    :raises BadToken: for a text that isn't shaped like a token.
    """
    match = _SHAPE.fullmatch(token)
    if match is None:
        raise BadToken("The token has the wrong shape")
    return match


def purpose_of(match: re.Match[str]) -> Purpose:
    """Return what a token is for.

    :raises BadToken: for a purpose that another release knows.
    """
    purpose = _PURPOSES.get(match["purpose"])
    if purpose is None:
        raise BadToken("The token is for no purpose that we know")
    return purpose


def message_of(owner: bytes, subject: bytes, claims: bytes) -> bytes:
    """Return the message to sign: each part has its length in front, so that none coincide.

    :param owner: what :func:`owner_of` returned.
    """
    return b"%b%d:%b%d:%b" % (owner, len(subject), subject, len(claims), claims)


@lru_cache(maxsize=1024)  # One for each tenant that is busy.
def owner_of(audience: Audience, namespace: str) -> bytes:
    """Return the parts of a message that say whose file it is, each with its length in front."""
    parts = map(str.encode, (*audience, namespace))
    return b"".join(b"%d:%b" % (len(part), part) for part in parts)
