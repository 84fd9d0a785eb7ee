"""The admin's archives: selected files as one download."""

import posixpath

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from secure_dbstorage.admin import operations
from secure_dbstorage.admin.hooks import check_hooks
from secure_dbstorage.models import StoredFile
from secure_dbstorage.serving.archives import answer_archive, first_encrypted
from secure_dbstorage.serving.entry import begin_visit
from secure_dbstorage.storage.urls import check_zip


def archive_of(request: HttpRequest, files: list[StoredFile]) -> HttpResponseBase:
    """Return files as a zip archive, named below the directory that they share.

    The access log and the signals tell of it as of any download.

    :raises ValidationError: when an auth hook refuses one of them, when they are in several
        storages, and without the package that makes archives.
    """
    with operations.readable_errors():
        check_zip()
    home = operations.require_home(files[0])
    alias, keyring = home.alias, home.storage.options.encryption_keys
    if any(operations.require_home(file).alias != alias for file in files):
        raise ValidationError(_("Select files from a single storage."))
    for file in files:
        check_hooks(request, file)
    heads = sorted((file.head(keyring) for file in files), key=lambda head: head.stat.name)
    with operations.readable_errors():
        first_encrypted(heads).unlock()  # Before any byte is promised.
    below = posixpath.commonpath([posixpath.dirname(head.stat.name) for head in heads])
    return answer_archive(begin_visit(request, below, alias), heads, below=below)
