"""Claims: the upload behind a URL that a client sends in place of a file, or an error to show."""

from collections.abc import Sequence

from django.core.exceptions import SuspiciousFileOperation, ValidationError
from django.core.files.storage import Storage
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.exceptions import BadToken, UploadGone, UploadIncomplete
from secure_dbstorage.files import ReceivedFile
from secure_dbstorage.forms.limits import Limits
from secure_dbstorage.receiving.claims import claim
from secure_dbstorage.receiving.faults import Fault
from secure_dbstorage.storage import DatabaseStorage

GONE = _("This upload no longer exists. Choose the file again.")


@sensitive_variables()
def received(  # noqa: PLR0913 -- all that an upload is held against
    url: object,
    storage: Storage,
    *,
    max_size: int | None = None,
    types: Sequence[str] = (),
    user: object = None,
    ip: str | None = None,
) -> ReceivedFile:
    """Return the upload behind a URL that a client sends to an API in place of a file.

    :param url: the URL that the client got in ``Location``.
    :param storage: the one that has received it.
    :param max_size: the most bytes; None for as many as a link to the storage allowed.
    :param types: media types, exact or like ``image/*``; none for all.
    :param user: the user whom the link that began it is for, or their primary key; None for all.
    :param ip: the address of the client. Needed if that link is for a network.
    :raises ValidationError: when it is not such an upload. The code says why: ``upload_invalid``,
        ``upload_gone``, ``upload_incomplete``, ``too_large``, ``file_name`` or ``file_type``.
    """
    try:
        if not (isinstance(url, str) and isinstance(storage, DatabaseStorage)):
            raise BadToken("This is not the URL of an upload")
        file = claim(url, storage, user=user, ip=ip)
    except BadToken as error:
        text = _("This upload can’t be used here. Choose the file again.")
        raise ValidationError(text, code="upload_invalid") from error
    except UploadGone as error:
        raise ValidationError(GONE, code="upload_gone") from error
    except UploadIncomplete as error:
        text = _("This upload is not complete. Choose the file again to continue it.")
        raise ValidationError(text, code="upload_incomplete") from error
    except SuspiciousFileOperation as error:
        raise ValidationError(str(Fault.NAME.text), code="file_name") from error
    Limits(max_size=max_size, types=types, storage=storage).check(file)
    return file
