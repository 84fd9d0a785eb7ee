"""Deeds: what changes who may open files, or whether they exist. Most are asked about first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin import helpers
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, ngettext_lazy

from secure_dbstorage.admin import operations
from secure_dbstorage.admin.base import FileAdmin
from secure_dbstorage.admin.forms import readable_lifetime
from secure_dbstorage.admin.homes import home_of
from secure_dbstorage.admin.hooks import publish
from secure_dbstorage.models import StoredFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A deed, and its texts. Those with two forms take the number of files."""

    #: Does it to one file.
    run: Callable[[HttpRequest, StoredFile], None]
    #: Asked first; None to do it at once.
    question: Any = None
    #: What it will do, above the names of the files.
    warning: Any = None
    #: What it did, for one file by its name.
    done: Any
    #: What it did, for several files.
    done_to_many: Any
    #: What the log says; "" for a deletion, which Django words.
    entry: Any = ""

    def told(self, names: list[str]) -> str:
        """Return what it did to the files of these names."""
        if len(names) == 1:
            return str(self.done % names[0])
        return str(self.done_to_many % len(names))


MAKE_PUBLIC = Deed(
    run=publish,
    question=ngettext_lazy("Make this file public?", "Make these files public?"),
    warning=ngettext_lazy(
        "Anyone who knows or guesses its URL will be able to open this file:",
        "Anyone who knows or guesses their URLs will be able to open these %(number)s files:",
        "number",
    ),
    done=_("“%s” is now public."),
    done_to_many=ngettext_lazy("%d file is now public.", "%d files are now public."),
    entry=_("Made public."),
)

MAKE_PRIVATE = Deed(
    run=lambda _request, file: operations.make_private(file),
    done=_("“%s” is now private."),
    done_to_many=ngettext_lazy("%d file is now private.", "%d files are now private."),
    entry=_("Made private."),
)

REVOKE = Deed(
    run=lambda _request, file: operations.revoke(file),
    question=ngettext_lazy("Revoke the links to this file?", "Revoke the links to these files?"),
    warning=ngettext_lazy(
        "All existing links to this file will stop working:",
        "All existing links to these %(number)s files will stop working:",
        "number",
    ),
    done=_("The existing links to “%s” no longer work."),
    done_to_many=ngettext_lazy(
        "The existing links to %d file no longer work.",
        "The existing links to %d files no longer work.",
    ),
    entry=_("Links revoked."),
)

DELETE = Deed(
    run=lambda _request, file: operations.delete(file),
    question=ngettext_lazy("Delete this file?", "Delete these files?"),
    warning=ngettext_lazy(
        "This file will be deleted, and links to it will stop working:",
        "These %(number)s files will be deleted, and links to them will stop working:",
        "number",
    ),
    done=_("“%s” was deleted."),
    done_to_many=ngettext_lazy("%d file was deleted.", "%d files were deleted."),
)


class DeedPages(FileAdmin):
    """Asks before a deed, and tells what it did."""

    def ask_first(
        self, request: HttpRequest, deed: Deed, files: list[StoredFile], **context: Any
    ) -> HttpResponse:
        """Show the page that asks whether to do it.

        :param context: ``back``, where it leads whoever says no; ``action``, that of the list, or
            ``operation``, that of a file's page.
        """
        question = deed.question % len(files)
        return self.render(
            request,
            "ask",
            title=question,
            warning=deed.warning % {"number": len(files)},
            files=files,
            is_deletion=deed is DELETE,
            kept=kept_note(files) if deed is DELETE else "",
            action_checkbox_name=helpers.ACTION_CHECKBOX_NAME,
            **{"original": question, **context},
        )

    def tell_done(
        self, request: HttpRequest, deed: Deed, names: list[str], *, note: str = ""
    ) -> None:
        """Tell what was done to the files of these names."""
        told = f"{deed.told(names)} {note}".rstrip()
        self.message_user(request, told, messages.SUCCESS)

    def note_deed(self, request: HttpRequest, entry: StoredFile, deed: Deed) -> None:
        """Log what was done to a file.

        :param entry: what :func:`~secure_dbstorage.admin.base.logged` returned.
        """
        if deed is DELETE:
            deleted: Any = [entry]
            self.log_deletions(request, deleted)
        else:
            self.log_change(request, entry, str(deed.entry))


def kept_note(files: list[StoredFile]) -> str:
    """Return how long files can be restored once they are deleted; "" if that is not at all."""
    kept = [home.storage.options.keep_deleted for home in map(home_of, files) if home]
    shortest = min((time for time in kept if time is not None), default=None)
    if shortest is None or None in kept:
        return ""
    text = ngettext(
        "It can be restored for %s, unless it expires sooner.",
        "They can be restored for %s, unless they expire sooner.",
        len(files),
    )
    return text % readable_lifetime(int(shortest.total_seconds()))
