"""The admin's links: the form that asks for their terms, and the page that shows them once."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
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

#: The lifetime of a link that is followed at once, in seconds.
_BRIEF = 60


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
        if not has_our_sessions(request, file):
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
            expires=timezone.localtime(datetime.now(UTC) + timedelta(seconds=seconds)),
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


def brief_link(
    request: HttpRequest, file: StoredFile, *, seconds: int = _BRIEF, **arguments: Any
) -> str:
    """Return a link for a click. It is bound to the user, so that the access log tells who it was.

    :raises ValidationError: when the file belongs to no storage.
    """
    return brief_links(request, [file], seconds=seconds, **arguments)[0][1]


def brief_links(
    request: HttpRequest, files: Iterable[StoredFile], *, seconds: int, **arguments: Any
) -> list[tuple[StoredFile, str]]:
    """Return files with such links, with one query for each storage.

    :raises ValidationError: when one of them belongs to no storage.
    """
    by_alias: dict[str, list[StoredFile]] = {}
    for file in files:
        by_alias.setdefault(operations.require_home(file).alias, []).append(file)
    made: list[tuple[StoredFile, str]] = []
    for together in by_alias.values():
        longest = operations.require_home(together[0]).storage.options.max_expires_in
        terms = {"expires_in": min(seconds, longest), **arguments}
        if has_our_sessions(request, together[0]):
            terms["user"] = request.user
        made += operations.links(together, **terms)
    return made


def has_our_sessions(request: HttpRequest, file: StoredFile) -> bool:
    """Tell whether a file is served where the user is signed in.

    :raises ValidationError: when the file is not served at all.
    """
    with operations.readable_errors():
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
