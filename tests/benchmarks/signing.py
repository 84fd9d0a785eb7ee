"""The cost of a link: in HMACs of as many bytes, and beside other signers."""

import hmac
import secrets
from functools import partial
from hashlib import sha256
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.signing import TimestampSigner

from secure_dbstorage.files.heads import LinkState
from tests.benchmarks.environment import Workspace
from tests.benchmarks.measuring import (
    QUICK_SAMPLE_SECONDS,
    SAMPLE_SECONDS,
    Contender,
    ratios,
    take_turns,
)
from tests.benchmarks.results import Result

NAMES = [f"invoices/2026/{number:05}-q3-report.pdf" for number in range(1000)]

_RAW = "one raw HMAC"


def measure(workspace: Workspace, *, quick: bool) -> list[Result]:
    """Measure on one database: ``url()`` and ``urls()`` ask it for the public flag."""
    found = workspace.call(sign, *((3, QUICK_SAMPLE_SECONDS) if quick else (15, SAMPLE_SECONDS)))
    return [Result(topic="signing", database=workspace.database, **result) for result in found]


def sign(rounds: int, sample_seconds: float) -> list[dict[str, Any]]:
    """Return what each way to sign a link costs."""
    storage: Any = storages["default"]
    for name in NAMES:
        storage.save(name, ContentFile(b"x"))
    links = storage.links.batch(storage.audience)
    state = LinkState(is_public=False, link_epoch=storage.catalog.find(NAMES[0]).link_epoch)
    # As long as what a link signs.
    key, message = secrets.token_bytes(32), secrets.token_bytes(75)
    signer = TimestampSigner()
    prefixed = [f"/files/{name}" for name in NAMES]

    def ask_for_links() -> None:
        storage.catalog.link_states(NAMES)

    def sign_all() -> None:
        for name in NAMES:
            links.url(name, state)

    contenders = [
        Contender(name=_RAW, run=lambda: hmac.new(key, message, sha256).digest()),
        Contender(name="signing alone", run=sign_all),
        Contender(name="urls() of 1,000", run=partial(storage.urls, NAMES)),
        Contender(name="the query of urls() alone", run=ask_for_links),
        Contender(name="url()", run=partial(storage.url, NAMES[0])),
        Contender(
            name="the query of url() alone", run=partial(storage.catalog.link_states, NAMES[:1])
        ),
        Contender(name="Django's TimestampSigner", run=partial(signer.sign, prefixed[0])),
        *_s3(NAMES[0]),
    ]
    take_turns(contenders, rounds=rounds, sample_seconds=sample_seconds)
    many = {"signing alone", "urls() of 1,000", "the query of urls() alone"}
    results = []
    for contender in contenders:
        calls = len(NAMES) if contender.name in many else 1
        seconds = [second / calls for second in contender.seconds]
        ratio = ratios(seconds, contenders[0].seconds) if seconds else None
        results.append(
            {
                "case": "a link",
                "contender": contender.name,
                "value": sorted(seconds)[len(seconds) // 2] * 1e6 if seconds else None,
                "unit": "us",
                "ratio": ratio,
                "reference": _RAW,
                "note": contender.failure,
            }
        )
    return results


def _s3(name: str) -> list[Contender]:
    try:
        from storages.backends.s3 import S3Storage
    except ImportError:
        return []
    storage = S3Storage(
        access_key="key",
        secret_key="secret",
        bucket_name="bucket",
        region_name="eu-central-1",
        signature_version="s3v4",
    )
    return [Contender(name="django-storages, S3", run=partial(storage.url, name))]
