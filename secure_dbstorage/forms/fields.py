"""The upload field: takes a file that was sent before the form, or comes with it."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from django import forms
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured, ValidationError
from django.core.files.storage import Storage, storages
from django.core.files.uploadedfile import UploadedFile
from django.db.models import FileField  # noqa: TID251 -- it asks no database
from django.forms.boundfield import BoundField
from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.exceptions import ContentVanished, UploadGone
from secure_dbstorage.files import ReceivedFile
from secure_dbstorage.forms.claims import GONE, received
from secure_dbstorage.forms.limits import Limits
from secure_dbstorage.forms.widgets import Kept, UploadInput
from secure_dbstorage.links.paths import SignedPath
from secure_dbstorage.links.upload_limits import media_ranges, size_limit
from secure_dbstorage.names import shown_name
from secure_dbstorage.receiving.faults import Fault
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.storage.alternatives import ADDED_CHARACTERS


class UploadField(forms.FileField):
    """A file, or several, that the browser may have sent before the form.

    The value is a :class:`~secure_dbstorage.files.ReceivedFile`, or what any file field gives if
    the form itself has brought the file; a list of them with ``multiple=True``. For a form that
    only one user may send, set the field's ``user`` in the form's ``__init__``.
    """

    widget = UploadInput

    def __init__(
        self,
        *,
        max_size: int | None = None,
        types: Sequence[str] = (),
        multiple: bool = False,
        storage: Storage | str | None = None,
        **arguments: Any,
    ) -> None:
        """Take what a file field takes, and the limits of uploads.

        :param max_size: the most bytes of a file. Needed unless the option ``max_size`` is set,
            which it may not exceed.
        :param types: media types, exact or like ``image/*``: the name of a file must have one.
        :param multiple: whether there may be several files.
        :param storage: the storage that receives uploads, or its alias; None for that of the model
            field, or "default".
        :raises ValueError: for a limit that no file can keep.
        """
        self.max_size = None if max_size is None else size_limit(max_size)
        self.types = media_ranges(types) if types else ()
        self.multiple = multiple
        self.storage = storage
        #: The user whom the form is for, or their primary key; None for everyone.
        self.user: object = None
        self._form: forms.BaseForm | None = None
        #: A model's FileField, or None.
        self._model_field: Any = None
        #: The content keys of the uploads that were claimed.
        self.claimed: set[int] = set()
        self._name = ""
        super().__init__(**arguments)
        if multiple:
            self.widget.allow_multiple_selected = True
            self.widget.attrs["multiple"] = True

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> BoundField:
        """Learn from the form which storage receives uploads.

        :raises ImproperlyConfigured: when neither the field nor the storage has a limit.
        """
        self._form = form
        if self.lacks_limit(form, field_name):
            raise ImproperlyConfigured(
                f"{type(form).__name__}.{field_name} needs a limit: give it max_size, or set the "
                "option max_size"
            )
        if self._input is not None and self._receiver is not None:
            self._input.begin, self._input.limits = self._upload_url, self._limits
        return super().get_bound_field(form, field_name)

    def lacks_limit(self, form: forms.BaseForm | type[forms.BaseForm], field_name: str) -> bool:
        """Tell whether neither the field nor the storage that receives uploads has a limit.

        :raises ImproperlyConfigured: when the storage can't be made.
        """
        self._model_field = _model_field(form, field_name)
        return self._receiver is not None and self._limits.max_size is None

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Let the browser offer files of the right types."""
        attrs: dict[str, Any] = super().widget_attrs(widget)
        return {**attrs, "accept": ",".join(self.types)} if self.types else attrs

    def clean(self, data: Any, initial: Any = None) -> Any:
        """Return the file, or a list with ``multiple=True``."""
        self.claimed = set()
        kept: list[Kept] = []
        try:
            if not self.multiple:
                return self._clean_one(data, initial, kept)
            given = data if isinstance(data, list) else [data]
            return self._clean_all([each for each in given if each], initial, kept)
        finally:
            if self._input is not None:
                self._input.kept = kept

    def to_python(self, data: Any) -> Any:
        """Return the file, which the browser may have sent before."""
        return super().to_python(self._taken(data))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Tell whether there is a file."""
        return super().has_changed(initial, data or None if self.multiple else data)

    def _taken(self, data: Any) -> Any:
        """Return the upload that a hidden value stands for, or what the form has brought."""
        try:
            if isinstance(data, SignedPath):
                data = self._received(data)
            elif isinstance(data, UploadedFile):
                self._name = str(data.name)
                self._check_limits(data)
        except ValidationError as error:
            if error.code in self.error_messages:
                error.message = self.error_messages[error.code]
            raise
        return data

    def _clean_all(self, given: list[Any], initial: Any, kept: list[Kept]) -> list[Any]:
        if not given:
            return super().clean(None, initial) or []
        files, errors = [], list[ValidationError]()
        for each in given:
            self._name = ""
            try:
                files.append(self._clean_one(each, None, kept))
            except ValidationError as error:
                errors += _naming(error, self._name)
        if errors:
            raise ValidationError(errors)
        return files

    def _clean_one(self, data: Any, initial: Any, kept: list[Kept]) -> Any:
        try:
            file = super().clean(data, initial)
        except (ContentVanished, UploadGone) as error:  # While a validator reads it, for example.
            text = self.error_messages.get("upload_gone", GONE)
            raise ValidationError(text, code="upload_gone") from error
        if isinstance(file, ReceivedFile) and isinstance(data, SignedPath):
            kept.append(Kept(data, shown_name(str(file.name))))
        return file

    @sensitive_variables()
    def _received(self, url: str) -> ReceivedFile:
        receiver = self._receiver
        if receiver is None:
            raise ValidationError(GONE, code="upload_gone")
        file = received(url, receiver, user=self.user)
        self._name = str(file.name)
        self._check_limits(file)
        key = file.upload.content.key
        # One upload is one file, and each field of this kind in the form would save one.
        if any(key in field.claimed for field in self._fields()):
            raise ValidationError(GONE, code="upload_gone")
        self.claimed.add(key)
        return file

    def _check_limits(self, file: "UploadedFile[Any]") -> None:
        """Return if a file is within the limits of this field.

        :raises ValidationError: otherwise.
        """
        self._limits.check(file)
        field = self._model_field
        if field is not None and not _has_room(field, str(file.name)):
            raise ValidationError(str(Fault.NAME.text), code="file_name")

    def _fields(self) -> Iterator["UploadField"]:
        """Yield all fields of this kind in the form."""
        fields = self._form.fields.values() if self._form is not None else [self]
        return (field for field in fields if isinstance(field, UploadField))

    def _upload_url(self) -> str:
        receiver, arguments = self._receiver, dict[str, Any]()
        if receiver is None:
            return ""
        if self.max_size is not None:
            arguments["max_size"] = self.max_size
        if self.types:
            arguments["types"] = self.types
        if self.user is not None:
            arguments["user"] = self.user
        return receiver.upload_url(**arguments)

    @property
    def _input(self) -> UploadInput | None:
        """The widget, if it can send files."""
        widget: forms.Widget = self.widget  # type: ignore[assignment]  # The class has a class.
        return widget if isinstance(widget, UploadInput) else None

    @property
    def _receiver(self) -> DatabaseStorage | None:
        """The storage that receives uploads; None where another kind is in its place, as in tests.

        :raises InvalidStorageError: for an alias that is not declared.
        """
        if self.storage is not None:
            given = storages[self.storage] if isinstance(self.storage, str) else self.storage
            return given if isinstance(given, DatabaseStorage) else None
        for storage in (getattr(self._model_field, "storage", None), storages["default"]):
            if isinstance(storage, DatabaseStorage):
                return storage
        return None

    @property
    def _limits(self) -> Limits:
        receiver = self._receiver
        if receiver is None:
            return Limits(max_size=self.max_size, types=self.types)
        max_size = receiver.options.max_size if self.max_size is None else self.max_size
        return Limits(max_size=max_size, types=self.types, storage=receiver)


def _model_field(form: forms.BaseForm | type[forms.BaseForm], field_name: str) -> Any:
    """Return the model field for files that a form field fills; None without one."""
    model = getattr(getattr(form, "_meta", None), "model", None)
    try:
        found = model._meta.get_field(field_name) if model else None
    except FieldDoesNotExist:
        return None
    return found if hasattr(found, "upload_to") else None


def _has_room(field: Any, name: str) -> bool:
    """Tell whether a model field has room for a name, even if it is shortened or taken.

    Only what stands in front of all extensions is shortened. What a callable ``upload_to``, or a
    field that generates names, puts there is not known yet.
    """
    generates = type(field).generate_filename is not FileField.generate_filename
    if generates or callable(field.upload_to) or field.max_length is None:
        return True
    path = PurePosixPath(field.generate_filename(None, name))
    directory, extensions = str(path)[: -len(path.name)], "".join(path.suffixes)
    if len(directory) + 1 + ADDED_CHARACTERS + len(extensions) <= field.max_length:
        return True
    return bool(field.storage.is_name_available(str(path), max_length=field.max_length))


def _naming(error: ValidationError, name: str) -> list[ValidationError]:
    """Return the errors of one file among several, with its name in front."""
    if not name:
        return [error]
    shown = shown_name(name)
    return [ValidationError(f"{shown}: {text}", code=error.code) for text in error.messages]
