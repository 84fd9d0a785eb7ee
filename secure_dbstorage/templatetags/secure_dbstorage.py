"""Template tags: links with a chosen lifetime and other terms.

::

    {% load secure_dbstorage %}
    <a href="{% signed_url report.file expires_in=60 attachment=True %}">Download</a>

    {% signed_urls reports "file" as links %}
    {% for report, url in links %}<a href="{{ url }}">{{ report }}</a>{% endfor %}

    <video src="{% signed_folder_url film.playlist film.folder %}" controls></video>

    <a href="{% signed_zip_url "reports/2026" filename="Reports.zip" %}">Download all</a>
"""

from collections.abc import Iterable
from typing import Any

from django import template
from django.core.files.storage import storages
from django.utils.encoding import filepath_to_uri

from secure_dbstorage.names import canonical_name
from secure_dbstorage.storage import DatabaseStorage

register = template.Library()


@register.simple_tag
def signed_url(file: Any, **arguments: Any) -> str:
    """Return the URL of a FileField's file, with the arguments of ``DatabaseStorage.url()``.

    Return "" if there is no file. For a file in another kind of storage, as in tests, return the
    URL that this storage gives it.
    """
    if _is_stored(file):
        return str(file.storage.url(file.name, **arguments))
    return _url(file)


@register.simple_tag
def signed_urls(
    objects: Iterable[Any], field: str = "", **arguments: Any
) -> list[tuple[Any, str]]:
    """Return each object with the URL of its file, with one query for each storage.

    :param field: the name of the FileField; "" if the objects are files themselves.
    """
    pairs = [(each, getattr(each, field) if field else each) for each in objects]
    names: dict[DatabaseStorage, set[str]] = {}
    for _, file in pairs:
        if _is_stored(file):
            names.setdefault(file.storage, set()).add(file.name)
    urls = {storage: storage.urls(wanted, **arguments) for storage, wanted in names.items()}
    return [
        (each, urls[file.storage][file.name] if file and file.storage in urls else _url(file))
        for each, file in pairs
    ]


@register.simple_tag
def signed_folder_url(file: Any, folder: str, **arguments: Any) -> str:
    """Return the URL of a FileField's file, through a link to a directory above it.

    Relative links in the file therefore work, for example from a playlist to its segments. Whoever
    has the link can open every file below the directory, so the directory must be named. Takes the
    arguments of ``DatabaseStorage.folder_url()``. Return "" if there is no file. For a file in
    another kind of storage, return the URL that this storage gives it.

    :raises ValueError: when the file is not below the directory, and for the root.
    """
    if not _is_stored(file):
        return _url(file)
    url = file.storage.folder_url(folder, **arguments)
    name, above = canonical_name(file.name), f"{canonical_name(folder)}/"
    if not name.startswith(above):
        raise ValueError(f"The file {name!r} is not below the directory {folder!r}")
    return f"{url}{filepath_to_uri(name.removeprefix(above))}"


@register.simple_tag
def signed_zip_url(prefix: str, storage: str = "default", **arguments: Any) -> str:
    """Return the URL of a zip archive of the files below a directory.

    Takes the arguments of ``DatabaseStorage.zip_url()``. For another kind of storage, as in tests,
    return its URL of the directory. No archive is served there.

    :param storage: an alias in ``STORAGES``.
    :raises ValueError: for the root.
    """
    found = storages[storage]
    if isinstance(found, DatabaseStorage):
        return found.zip_url(prefix=prefix, **arguments)
    return str(found.url(prefix))


def _is_stored(file: Any) -> bool:
    """Tell whether there is a file, and one of our storages holds it.

    :raises TypeError: for anything but a file, such as a name.
    """
    if file and not hasattr(file, "storage"):
        raise TypeError(
            f"This tag takes a file, such as the value of a FileField, not {file!r}. For a name, "
            "call url() of the storage in the view."
        )
    return bool(file) and isinstance(file.storage, DatabaseStorage)


def _url(file: Any) -> str:
    return str(file.url) if file else ""
