"""Offloading: Django decides who gets a large file, and a proxy sends it from its cache."""

import re
from collections.abc import Mapping
from http import HTTPStatus

from django.http import HttpRequest

from secure_dbstorage.files.contents import Content
from secure_dbstorage.links.paths import spelled_content
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.serving.clients import is_from_proxy
from secure_dbstorage.serving.conditions import Selection, has_preconditions
from secure_dbstorage.serving.responses import FileResponse, StreamingFileResponse, respond
from secure_dbstorage.serving.visits import Visit

#: Where the proxy says that it can. It must set the field in each location, so that no visitor's
#: own comes through.
_SAYS_IT_CAN = "HTTP_X_OFFLOAD"

#: A range that nginx reads as we do. Of others, it refuses some that we ignore.
_PLAIN_RANGE = re.compile(r"bytes=(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})", re.ASCII)

#: The proxy takes these from the content itself.
_OF_THE_CONTENT = ("Accept-Ranges", "Content-Length", "Content-Range", "ETag", "Last-Modified")


# Note [Two readings of a request]
# The proxy applies Range, If-Range and preconditions to what it sends, and so do we, to decide. A
# one-time link depends on what they make of them: a part may be asked for again, a whole body may
# not. So a request is offloaded only if both must come to the same. Django sends the rest itself.
def may_offload(request: HttpRequest, options: StorageOptions) -> bool:
    """Tell whether a proxy may send the body that a request gets.

    A trusted one must say that it can, for others would send the visitor an empty body.
    """
    if not offloads(options):
        return False
    meta = request.META
    return (
        request.method == "GET"
        and meta.get(_SAYS_IT_CAN) == options.offload
        and not has_preconditions(request)
        and _PLAIN_RANGE.fullmatch(meta.get("HTTP_RANGE", "bytes=0-")) is not None
        and is_from_proxy(meta, options.trusted_proxies)
    )


def offloads(options: StorageOptions) -> bool:
    """Tell whether a storage hands files to a proxy: never plain bytes of encrypted ones."""
    return options.offload is not None and not options.encryption_keys


def is_offloaded(visit: Visit, content: Content, selected: Selection) -> bool:
    """Tell whether a proxy sends the selected bytes.

    One row is sent sooner than the proxy could fetch it.
    """
    is_part = selected.status == HTTPStatus.PARTIAL_CONTENT
    return (
        visit.may_offload
        and content.chunk_count > 1
        and ("HTTP_RANGE" in visit.request.META) == is_part
    )


def hand_over(
    visit: Visit, content: Content, headers: Mapping[str, str], *, is_private: bool
) -> FileResponse | StreamingFileResponse:
    """Return the answer that makes a proxy send a content.

    It is a 202, which the proxy doesn't look at: Django's cache middleware would keep a 200, and
    show it to somebody else.

    :param headers: those of the answer that the visitor gets.
    :raises ImproperlyConfigured: without an internal route.
    """
    storage = visit.storage
    path = spelled_content(visit.alias, content.key, storage.catalog.place)
    told = {name: value for name, value in headers.items() if name not in _OF_THE_CONTENT}
    told["X-Accel-Redirect"] = storage.links.content(path, storage.audience, now=visit.now)
    told["X-Link"] = visit.link_id  # For the proxy's log.
    told["Content-Length"] = "0"
    return respond(HTTPStatus.ACCEPTED, told, b"", is_private=is_private)
