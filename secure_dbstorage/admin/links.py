"""The admin's links: the form that asks for their terms, and the page that shows them once."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.admin import operations
from secure_dbstorage.admin.base import FileAdmin
from secure_dbstorage.admin.forms import LinkForm, readable_lifetime
from secure_dbstorage.links.paths import link_id
from secure_dbstorage.models import StoredFile

#: The lifetime of the links behind previews and downloads, in seconds.
_BRIEF = 60

#: The lifetime of the links behind players, which ask again while they play, in seconds.
_PLAYING = 3600

#: Media types shown as a preview: raster images, which can't carry script.
_PREVIEW_TYPES = frozenset(
    f"image/{kind}"
    for kind in ("apng", "avif", "bmp", "gif", "jpeg", "png", "vnd.microsoft.icon", "webp")
)

#: Larger pictures, in bytes, have no preview.
_MAX_PREVIEW = 5 * 1024 * 1024


class FileLinks(FileAdmin):
    """Opens files, and creates links to them."""

    def open_view(self, request: HttpRequest, object_id: str, *, attachment: bool) -> HttpResponse:
        """Redirect to a file, through a link made for this click."""
        file = self.get_object(request, unquote(object_id))
        if not (self.has_view_permission(request, file) and self.has_open_permission(request)):
            raise PermissionDenied
        if file is None:
            return self.gone(request, unquote(object_id))
        try:
            url = brief_link(request, file, attachment=attachment, window=0)
        except ValidationError as error:
            return self.back_to(request, file, error)
        if not _has_our_sessions(request, file):
            # The access log can't tell who it was.
            self.note(request, file, _("Opened through the link %s.") % link_id(url))
        return HttpResponseRedirect(url, headers={"Referrer-Policy": "no-referrer"})

    @sensitive_variables()
    def links_page(
        self, request: HttpRequest, files: list[StoredFile], form: LinkForm, **context: Any
    ) -> HttpResponse | None:
        """Create links, log them, and show them; None if the form is not valid.

        :raises ValidationError: when a link can't be created.
        """
        if not form.is_valid():
            return None
        seconds = form.cleaned_data["lifetime"]
        links = operations.links(files, **form.arguments)
        for file, url in links:
            self.note(request, file, _made(url, readable_lifetime(seconds)))
        return self.render(
            request,
            "links",
            links=[(file, request.build_absolute_uri(url)) for file, url in links],
            lifetime=readable_lifetime(seconds),
            expires=timezone.now() + timedelta(seconds=seconds),
            once=form.cleaned_data["once"],
            **context,
        )


def link_form(files: list[StoredFile], data: Any = None) -> LinkForm:
    """Return the form that asks for the terms of links to these files.

    :raises ValidationError: when one of them belongs to no storage.
    """
    options = [operations.require_home(file).storage.options for file in files]
    longest = min(option.max_expires_in for option in options)
    usual = min(option.expires_in for option in options)
    return LinkForm(data, usual=min(usual, longest), longest=longest)


def preview_url(request: HttpRequest, file: StoredFile) -> str:
    """Return the URL of a small picture, a film or a sound; "" for any other file."""
    plays = str(file.content_type).startswith(("audio/", "video/"))
    is_picture = file.content_type in _PREVIEW_TYPES and (file.size or 0) <= _MAX_PREVIEW
    if not plays and not is_picture:
        return ""
    try:
        return brief_link(request, file, seconds=_PLAYING if plays else _BRIEF)
    except ValidationError:
        return ""


def brief_link(
    request: HttpRequest, file: StoredFile, *, seconds: int = _BRIEF, **arguments: Any
) -> str:
    """Return a link for a click. It is bound to the user, so that the access log tells who it was.

    :raises ValidationError: when the file belongs to no storage.
    """
    longest = operations.require_home(file).storage.options.max_expires_in
    if _has_our_sessions(request, file):
        arguments["user"] = request.user
    return operations.link(file, expires_in=min(seconds, longest), **arguments)


def _has_our_sessions(request: HttpRequest, file: StoredFile) -> bool:
    """Tell whether the files are served where the user is signed in."""
    host = urlsplit(operations.require_home(file).storage.base_url).netloc
    return host in ("", request.get_host())


def _made(url: str, lifetime: str) -> str:
    """Return the log entry for a link. Its short name finds the link in the access log."""
    if short := link_id(url):
        return _("Link %(link)s created, valid for %(lifetime)s.") % {
            "link": short,
            "lifetime": lifetime,
        }
    return _("Unsigned link shown.")
