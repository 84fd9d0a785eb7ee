"""Cells: what lists show of a file."""

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html

#: A longer name is shortened in lists, in characters.
MAX_SHOWN = 80


def name_cell(name: str, thumbnail: str = "") -> str:
    """Return a name, and a picture beside it. A long name loses its middle.

    :param thumbnail: URL of the picture, if there is one.
    """
    shown = name
    if len(name) > MAX_SHOWN:
        middle = f"{name[: MAX_SHOWN // 2]}…{name[-MAX_SHOWN // 2 + 1 :]}"
        shown = format_html('<span title="{}">{}</span>', name, middle)
    if not thumbnail:
        return shown
    # The name beside it says what it is. If a hook refuses the picture, nothing shows.
    return format_html(
        '{}<img class="thumbnail" src="{}" alt="" loading="lazy" referrerpolicy="no-referrer">',
        shown,
        thumbnail,
    )


def type_cell(content_type: str) -> str:
    """Return a media type whose halves wrap, and are cut where they are too long."""
    major, slash, minor = content_type.partition("/")
    return format_html(
        '<span title="{}"><span class="type">{}</span><span class="type">{}</span></span>',
        content_type,
        major + slash,
        minor,
    )


def date_cell(moment: datetime | None) -> str:
    """Return the date; the time shows when the pointer rests on it."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    return format_html(
        '<time title="{}">{}</time>',
        date_format(local, "DATETIME_FORMAT"),
        date_format(local, "SHORT_DATE_FORMAT"),
    )
