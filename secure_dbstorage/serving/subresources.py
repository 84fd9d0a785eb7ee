"""Subresources: files that a page loads. An uploaded one must not run in the site's name.

``attachment`` and the Content-Security-Policy of a file stop navigations alone. A page whose own
policy says ``script-src 'self'`` would run a stored script. The type that is sent stops that in
every browser and behind every cache, see :func:`~secure_dbstorage.content_types.is_active`; the
Sec-Fetch-* fields stop the rest.
"""

from collections.abc import Mapping

#: Destinations whose content runs, or decides what runs (Fetch standard section 2.2.5). Browsers
#: look at the type of a manifest or a style sheet of XSLT no more than at a file's name.
_RUNNING = frozenset(
    {
        *("audioworklet", "manifest", "paintworklet", "script", "serviceworker", "sharedworker"),
        *("speculationrules", "style", "worker", "xslt"),
    }
)

#: Destinations that show a document, unless they show a picture.
_EMBEDDING = frozenset({"embed", "object"})

#: Types that scripts fetch to put them into a page. htmx doesn't look at the type that is sent.
_PAGES = frozenset({"application/xhtml+xml", "text/html"})


def may_be_loaded(meta: Mapping[str, str], content_type: str, *, inline: bool) -> bool:
    """Tell whether a file of this type may be what the browser says that it loads.

    Browsers without these fields say nothing, and are let through.

    :param content_type: the file's own, whatever type is sent.
    :param inline: whether a browser may show the file.
    """
    destination = meta.get("HTTP_SEC_FETCH_DEST", "")
    if destination in _RUNNING or (destination in _EMBEDDING and not inline):
        return False
    # A link with the attribute "download" has the destination "empty" too, and navigates.
    is_fetched = destination == "empty" and meta.get("HTTP_SEC_FETCH_MODE") != "navigate"
    return not (is_fetched and content_type in _PAGES)
