"""Template tags: links with a lifetime and terms of their own.

::

    {% load secure_dbstorage %}
    <a href="{% signed_url report.file expires_in=60 attachment=True %}">Download</a>

    {% signed_urls reports "file" as links %}
    {% for report, url in links %}<a href="{{ url }}">{{ report }}</a>{% endfor %}

    <video src="{% signed_folder_url film.playlist %}" controls></video>
"""

from collections.abc import Iterable
from typing import Any

from django import template
from django.utils.encoding import filepath_to_uri

from secure_dbstorage.storage import DatabaseStorage

register = template.Library()


@register.simple_tag
def signed_url(file: Any, **arguments: Any) -> str:
    """Return the URL of a FileField's file, with the arguments of ``DatabaseStorage.url()``.

    Without a file, "". A file of another storage, as in a test, gets its storage's URL.
    """
    if file and isinstance(file.storage, DatabaseStorage):
        return file.storage.url(file.name, **arguments)
    return _url(file)


@register.simple_tag
def signed_urls(
    objects: Iterable[Any], field: str = "", **arguments: Any
) -> list[tuple[Any, str]]:
    """Return each object with the URL of its file, with one query for all files of a storage.

    :param field: the name of the objects' field; "" where they are the files.
    """
    pairs = [(each, getattr(each, field) if field else each) for each in objects]
    names: dict[DatabaseStorage, set[str]] = {}
    for _, file in pairs:
        if file and isinstance(file.storage, DatabaseStorage):
            names.setdefault(file.storage, set()).add(file.name)
    urls = {storage: storage.urls(wanted, **arguments) for storage, wanted in names.items()}
    return [
        (each, urls[file.storage][file.name] if file and file.storage in urls else _url(file))
        for each, file in pairs
    ]


@register.simple_tag
def signed_folder_url(file: Any, **arguments: Any) -> str:
    """Return the URL of a FileField's file by a link for the directory that it is in.

    What the file says of its neighbors by relative links is found. Takes the arguments of
    ``DatabaseStorage.folder_url()``. Without a file, ""; a file of another storage gets its
    storage's URL, and one in no directory a link of its own.
    """
    if not (file and isinstance(file.storage, DatabaseStorage)):
        return _url(file)
    folder, _, name = file.name.rpartition("/")
    if not folder:  # The root is every file: nobody gets a link for it.
        return file.storage.url(file.name, **arguments)
    return f"{file.storage.folder_url(folder, **arguments)}{filepath_to_uri(name)}"


def _url(file: Any) -> str:
    return str(file.url) if file else ""
