"""Tokens: read out of URLs, and written from their documentation with nothing but ``hmac``.

Tests write the tokens that ``url()`` would not make: from the future, with another epoch. The
writer shares no code with the package, so it also proves the documentation complete.
"""

import base64
import hashlib
import hmac
import json
import string
import time
from typing import Any
from urllib.parse import unquote, urlsplit

from secure_dbstorage.links.grants import Grant, UploadGrant
from secure_dbstorage.storage import DatabaseStorage

WEEK = 604800

#: Database, schema and the project's own word, where none of them says whose files they are.
NOBODY = ("", "", "")

_DIGITS = string.digits + string.ascii_lowercase


def token_of(url: str) -> str:
    """Return the token of a link to a file, which has nothing else in its query."""
    query = urlsplit(url).query
    assert query.startswith("token=")
    return query.removeprefix("token=")


def folder_token_of(url: str) -> str:
    """Return the token of a link for a folder."""
    (segment,) = (part for part in urlsplit(url).path.split("/") if part.startswith("~"))
    return segment.removeprefix("~")


def grant_of(storage: DatabaseStorage, name: str, url: str, *, max_lifetime: int = WEEK) -> Grant:
    """Return what a link to a file grants."""
    return storage.signer.unsign(
        name, token_of(url), storage.audience, max_lifetime=max_lifetime, now=time.time()
    )


def upload_grant_of(
    storage: DatabaseStorage, url: str, *, max_lifetime: int = WEEK
) -> UploadGrant:
    """Return what a link for uploads grants, however the storage is served."""
    path = unquote(urlsplit(url).path).removeprefix(storage.base_url)
    return storage.signer.unsign_upload(
        path, token_of(url), storage.audience, max_lifetime=max_lifetime, now=time.time()
    )


def folder_grant_of(storage: DatabaseStorage, name: str, url: str) -> Grant:
    """Return what a link for a folder grants for a file below it."""
    token = folder_token_of(url)
    return storage.signer.unsign(
        name, token, storage.audience, in_path=True, max_lifetime=WEEK, now=time.time()
    )


def written_for(storage: DatabaseStorage, name: str, grant: Grant, **others: Any) -> str:
    """Return the token that grants this for a file of a storage, or for the grant's folder.

    :param others: what else is to be signed, instead of what the storage has.
    """
    options = storage.options
    audience = (options.using or "default", "", "")
    if options.audience is not None:
        audience = ("", "", options.audience())
    ours: dict[str, Any] = {
        "key": options.signing_keys[0],
        "namespace": options.namespace,
        "audience": audience,
    }
    return written(name, grant, **(ours | others))


def written(
    name: str,
    grant: Grant,
    *,
    key: bytes,
    namespace: str = "",
    audience: tuple[str, str, str] = NOBODY,
    purpose: tuple[str, str] | None = None,
) -> str:
    """Return the token that grants this for a file, or for the grant's folder.

    :param purpose: its letter and the name of its key, instead of those that the grant has.
    """
    kind = ("", "file") if grant.folder is None else ("F", "folder")
    letter, key_name = purpose or (("Z", "zip") if grant.is_zip else kind)
    number = int.from_bytes(_derived(key, "key_id"))
    key_id = _DIGITS[number % 36**2 // 36] + _DIGITS[number % 36]
    start = f"1{key_id}{letter}{'a' if grant.attachment else ''}{'m' if grant.unseen else ''}"
    subject = name
    if grant.folder is not None:
        subject = grant.folder
        start += "" if grant.is_zip else f"-{_base36(grant.folder.count('/') + 1)}"
    numbers = map(_base36, (grant.issued, grant.lifetime, grant.link_epoch))
    claims = ".".join((start, *numbers, *_rare(grant)))
    parts = (*audience, namespace, subject, claims)
    message = b"".join(b"%d:%b" % (len(part), part) for part in map(str.encode, parts))
    digest = hmac.digest(_derived(key, key_name), message, hashlib.sha256)
    return f"{claims}.{_base64url(digest)}"


def written_upload(path: str, grant: UploadGrant, **ours: Any) -> str:
    """Return the token that grants this for uploads to the place that a path spells.

    :param ours: key, namespace and audience, as of :func:`written`; and perhaps the purpose.
    """
    letter, key_name = ours.get("purpose") or (
        ("U", "upload") if grant.key is None else ("P", "part")
    )
    number = grant.max_size if grant.key is None else grant.key
    key_number = int.from_bytes(_derived(ours["key"], "key_id"))
    key_id = _DIGITS[key_number % 36**2 // 36] + _DIGITS[key_number % 36]
    rare = {
        "k": grant.place.kind.value,
        "t": grant.types,
        "m": grant.metadata,
        "o": int(grant.overwrite),
        "h": grant.sha256,
        "u": grant.user,
        "i": grant.network,
    }
    told = {name: value for name, value in rare.items() if value}
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    start = f"1{key_id}{letter}-{_base36(number)}"
    numbers = map(_base36, (grant.issued, grant.lifetime, 0))
    claims = ".".join((start, *numbers, *([_base64url(text.encode())] if text != "{}" else [])))
    parts = (*ours.get("audience", NOBODY), ours.get("namespace", ""), path, claims)
    message = b"".join(b"%d:%b" % (len(part), part) for part in map(str.encode, parts))
    digest = hmac.digest(_derived(ours["key"], key_name), message, hashlib.sha256)
    return f"{claims}.{_base64url(digest)}"


def _derived(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, f"secure_dbstorage.v1.{purpose}".encode(), hashlib.sha256)


def _rare(grant: Grant) -> list[str]:
    claims = {"f": grant.filename, "u": grant.user, "i": grant.network, "n": grant.nonce}
    given = {name: value for name, value in claims.items() if value is not None}
    text = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
    return [_base64url(text.encode())] if given else []


def _base36(number: int) -> str:
    digits = _DIGITS[number % 36]
    while number := number // 36:
        digits = _DIGITS[number % 36] + digits
    return digits


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
