"""The claims of a token: how they are spelled, and what they grant when they are read back."""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from secure_dbstorage.exceptions import BadToken, ExpiredToken
from secure_dbstorage.links.encodings import base36, base64url, from_base64url
from secure_dbstorage.links.grants import Grant, PlaceKind, UploadGrant, UploadPlace
from secure_dbstorage.links.keys import Purpose
from secure_dbstorage.links.terms import UploadTerms

AnyGrant = TypeVar("AnyGrant", bound=Grant)

#: How far a server's clock may be ahead of ours, in seconds.
CLOCK_SKEW = 60


def upload_claims(terms: UploadTerms, kind: PlaceKind) -> dict[str, Any]:
    """Return the rarer claims of a link that begins uploads, but for its bindings."""
    claims = {
        "k": kind.value,
        "t": terms.types,
        "o": int(terms.overwrite),
        "h": terms.sha256,
    }
    return _told(claims)


def part_claims(grant: UploadGrant) -> dict[str, Any]:
    """Return the rarer claims of a link that continues an upload."""
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
    return _told(claims)


def encoded(claims: Mapping[str, Any]) -> str:
    """Return the rarer claims as a token spells them, with a dot in front if there are any."""
    if not claims:
        return ""
    text = json.dumps(claims, ensure_ascii=False, separators=(",", ":"))
    return f".{base64url(text.encode())}"


@lru_cache(maxsize=1024)  # Links made at one time share a few hundred.
def period(issued: int, lifetime: int) -> str:
    """Return issue time and lifetime as a token spells them, each with a dot in front."""
    return f".{base36(issued)}.{base36(lifetime)}"


def folder_above(match: re.Match[str], name: str) -> str:
    """Return the folder that a token is for, which is above the file of a name."""
    segments, depth = name.split("/"), int(match["number"] or "0", 36)
    if not 0 < depth < len(segments):
        raise BadToken("The token is not for a folder above the file")
    return "/".join(segments[:depth])


def grant_of(match: re.Match[str], max_lifetime: int, purpose: Purpose, subject: str) -> Grant:
    """Return what a token for files grants.

    :param subject: the name that was signed.
    """
    rare: dict[str, Any] = json.loads(from_base64url(match["rare"])) if match["rare"] else {}
    issued, lifetime = int(match["issued"], 36), int(match["lifetime"], 36)
    return Grant(
        link_epoch=int(match["link_epoch"], 36),
        issued=issued,
        lifetime=min(lifetime, max_lifetime),
        folder=subject if purpose in (Purpose.FOLDER, Purpose.ZIP) else None,
        is_zip=purpose is Purpose.ZIP,
        unseen="m" in match["flags"],
        attachment="a" in match["flags"],
        filename=rare.get("f"),
        user=rare.get("u"),
        network=tuple(rare["i"]) if "i" in rare else None,
        nonce=rare.get("n"),
        use_key=_use_key(match["signature"]) if "n" in rare else 0,
        usable_until=issued + lifetime + CLOCK_SKEW if "n" in rare else 0,
        link_id=match["signature"][:8],
    )


def upload_grant_of(
    match: re.Match[str], path: str, max_lifetime: int, *, is_part: bool
) -> UploadGrant:
    """Return what a token for uploads grants.

    :param path: the place as the URL spells it.
    :param is_part: whether it continues an upload.
    :raises ValueError: for a kind of place that another release knows.
    """
    rare: dict[str, Any] = json.loads(from_base64url(match["rare"])) if match["rare"] else {}
    number = int(match["number"] or "0", 36)
    return UploadGrant(
        link_epoch=0,
        issued=int(match["issued"], 36),
        lifetime=min(int(match["lifetime"], 36), max_lifetime),
        place=UploadPlace.spelled(PlaceKind(rare.get("k", "")), path),
        max_size=0 if is_part else number,
        types=tuple(rare.get("t", ())),
        overwrite=bool(rare.get("o")),
        sha256=rare.get("h"),
        key=number if is_part else None,
        metadata=rare.get("m", ""),
        user=rare.get("u"),
        network=tuple(rare["i"]) if "i" in rare else None,
        link_id=match["signature"][:8],
    )


def timely(grant: AnyGrant, now: float) -> AnyGrant:
    """Return a grant that is valid now."""
    if grant.issued > now + CLOCK_SKEW:
        raise BadToken("The token is from the future")
    if now >= grant.expires:
        raise ExpiredToken(grant)
    return grant


def _told(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims that have a value."""
    return {name: value for name, value in claims.items() if value}


def _use_key(signature: str) -> int:
    # Of its digest: whoever reads the table doesn't learn the signature.
    return int.from_bytes(hashlib.sha256(signature.encode()).digest()[:8]) >> 2
