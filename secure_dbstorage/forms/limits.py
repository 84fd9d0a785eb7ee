"""Limits: how large a file may be, and of which types."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from secure_dbstorage.content_types import content_type_of
from secure_dbstorage.files import BaseUploadedFile
from secure_dbstorage.links.terms import is_among


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a file must be."""

    #: The most bytes; None for any number.
    max_size: int | None = None
    #: Media types, exact or like ``image/*``; none for all. They are decided by the name.
    types: Sequence[str] = ()
    #: Media types by extension, besides those that we know.
    content_types: Mapping[str, str] = field(default_factory=dict)

    def check(self, file: BaseUploadedFile) -> None:
        """Return if a file is within the limits.

        :raises ValidationError: otherwise, with the code ``too_large`` or ``file_type``.
        """
        if self.max_size is not None and (file.size or 0) > self.max_size:
            raise ValidationError(self.too_large, code="too_large")
        content_type = content_type_of(file.name or "", self.content_types)
        if self.types and not is_among(content_type, self.types):
            raise ValidationError(_("Files of this type are not accepted here."), code="file_type")

    @property
    def too_large(self) -> str:
        """What to tell people whose file is too large."""
        limit = filesizeformat(self.max_size or 0)
        return str(_("The file is too large. The limit is %(limit)s.") % {"limit": limit})
