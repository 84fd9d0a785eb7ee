"""Limits: how large a file may be, and of which types."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.core.exceptions import SuspiciousFileOperation, ValidationError
from django.core.files.storage import Storage
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from secure_dbstorage.files import BaseUploadedFile
from secure_dbstorage.links.upload_limits import takes
from secure_dbstorage.receiving.faults import Fault
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.storage.uploads import cleaned_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a file must be."""

    #: The most bytes; None for any number.
    max_size: int | None = None
    #: Media types, exact or like ``image/*``; none for all. They are decided by the name.
    types: Sequence[str] = ()
    #: Where the file will be saved.
    storage: Storage = field(default_factory=Storage)

    def check(self, file: BaseUploadedFile) -> None:
        """Return if a file is within the limits.

        :raises ValidationError: otherwise, with the code ``too_large``, ``file_name`` or
            ``file_type``.
        """
        if self.max_size is not None and (file.size or 0) > self.max_size:
            raise ValidationError(self.too_large, code="too_large")
        # A model's field cleans the name. Code that calls `save()` with it may not.
        name = file.name or ""
        try:
            names = name, cleaned_name(self.storage, name)
        except SuspiciousFileOperation as error:
            raise ValidationError(str(Fault.NAME.text), code="file_name") from error
        if not all(takes(self.types, each, self.content_types) for each in names):
            raise ValidationError(str(Fault.TYPE.text), code="file_type")

    @property
    def content_types(self) -> Mapping[str, str]:
        """The project's own media types by extension."""
        storage = self.storage
        return storage.options.content_types if isinstance(storage, DatabaseStorage) else {}

    @property
    def too_large(self) -> str:
        """What to tell people whose file is too large."""
        limit = filesizeformat(self.max_size or 0)
        return str(_("The file is too large. The limit is %(limit)s.") % {"limit": limit})
