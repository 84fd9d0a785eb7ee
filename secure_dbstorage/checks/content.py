"""Checks of what a storage takes, what browsers show of it, and how long caches keep it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage
from django.template.defaultfilters import pluralize

from secure_dbstorage.checks.declared import usable
from secure_dbstorage.parsers.media_types import INLINE_TYPES
from secure_dbstorage.signals import file_changed
from secure_dbstorage.storage import DatabaseStorage

#: The longest time that a shared cache may show a file made private, if nobody purges it.
_LONG_SECONDS = 3600

#: A mistake is rarely noticed sooner.
_SHORTEST_KEPT = timedelta(hours=1)


def check_sizes(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find storages that take files of any size."""
    for alias, options in usable().items():
        if options.max_size is None:
            yield checks.Warning(
                f"STORAGES[{alias!r}] takes files of any size. One upload can fill the database.",
                hint="Set max_size to the largest file that you expect, in bytes, or silence this "
                "check.",
                id="secure_dbstorage.W013",
            )


def check_kept_briefly(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find storages that keep deleted files so briefly that days may have been meant."""
    for alias, options in usable().items():
        kept = options.keep_deleted
        if kept is not None and kept < _SHORTEST_KEPT:
            seconds = int(kept.total_seconds())
            yield checks.Warning(
                f"STORAGES[{alias!r}] keeps deleted files for {seconds} "
                f"second{pluralize(seconds)}.",
                hint="keep_deleted counts in seconds. Write timedelta(days=30) for 30 days, or "
                "silence this check.",
                id="secure_dbstorage.W010",
            )


def check_added_types(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find types that a project shows on the host of its pages, and that we have not tried.

    A separate host for files suits most sites that show uploads, so the checklist in SECURITY.md
    advises it. A check would warn everybody: hooks that ask who is signed in need the site's own
    host, and we have tried our own types in browsers.
    """
    for alias, options in usable().items():
        added = sorted(options.inline_types - INLINE_TYPES)
        if added and (options.base_url or "/").startswith("/"):
            yield checks.Warning(
                f"STORAGES[{alias!r}] shows {', '.join(added)} on the host of your pages. If a "
                "browser runs anything in such a file, it runs as part of your site.",
                hint="Serve these files from a separate host, with base_url; or take the types "
                "out of inline_types, or silence this check.",
                id="secure_dbstorage.W018",
            )


def check_order_of_ages(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find pairs of times that may be the wrong way round."""
    for alias, browsers, shared in _pairs():
        # With 0, shared caches ask each time, which nobody writes by mistake.
        if 0 < shared < browsers:
            yield checks.Warning(
                f"STORAGES[{alias!r}] lets browsers keep public files for {browsers} seconds, and "
                f"shared caches for {shared}. A shared cache can be purged, a browser can't.",
                hint="Write public_max_age as (browsers, shared caches), or silence this check.",
                id="secure_dbstorage.W011",
            )


def check_purging(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find shared caches that keep files for long, and are told of no change."""
    for alias, _browsers, shared in _pairs():
        if shared > _LONG_SECONDS and not file_changed.has_listeners(DatabaseStorage):
            yield checks.Warning(
                f"STORAGES[{alias!r}] lets shared caches show a file for {shared} seconds after "
                "it was made private, and nothing purges them.",
                hint="Connect a receiver that purges to the signal file_changed, shorten the "
                "second time in public_max_age, or silence this check.",
                id="secure_dbstorage.W024",
            )


def _pairs() -> Iterator[tuple[str, int, int]]:
    """Yield each storage with times for browsers and for shared caches, in seconds."""
    for alias, options in usable().items():
        if isinstance(options.public_max_age, tuple):
            yield alias, *options.public_max_age
