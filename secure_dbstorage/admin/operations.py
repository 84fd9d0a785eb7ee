"""Operations: what the admin does to a file, through its storage, with readable errors."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from secure_dbstorage.admin.homes import Home, home_of
from secure_dbstorage.exceptions import FileTooLarge, KeyLost, KeyServiceUnavailable, SealBroken
from secure_dbstorage.files import DeletedFile, ReceivedFile
from secure_dbstorage.links.arguments import LinkArguments
from secure_dbstorage.models import StoredFile
from secure_dbstorage.names import canonical_name
from secure_dbstorage.serving.outages import key_service_failed
from secure_dbstorage.storage import DatabaseStorage
from secure_dbstorage.upkeep.renaming import Reference, rename_with_rows, rows_naming

Result = TypeVar("Result")


def require_home(file: StoredFile) -> Home:
    """Return the storage of a file.

    :raises ValidationError: if no storage has the file's namespace.
    """
    home = home_of(file)
    if home is None:
        raise ValidationError(_("No storage has the namespace “%s”.") % file.namespace)
    return home


def upload(
    home: Home,
    name: str,
    content: Any,
    *,
    public: bool | None,
    before_publishing: Callable[[StoredFile], None],
) -> StoredFile:
    """Save a new file, and return its row. No file is ever replaced.

    :param public: None for the storage's default.
    :param before_publishing: raises ValidationError if the user may not make the file public.
    :raises ValidationError: if the file can't be saved; nothing is saved then.
    """
    with readable_errors(), transaction.atomic(using=home.database):
        saved = _save_new(home.storage, canonical_name(name), content)
        if public:
            before_publishing(home.files.get(name=saved))
        if public is not None:
            home.storage.set_public(saved, public)
        return home.files.get(name=saved)


def rename(file: StoredFile, name: str) -> tuple[str, int]:
    """Rename a file in its storage and in the rows that name it.

    :returns: the new name as the storage spells it, and the number of rows.
    """
    with readable_errors():
        return rename_with_rows(require_home(file).storage, _name(file), name)


def references(file: StoredFile, name: str = "") -> list[Reference]:
    """Return the rows that name a file.

    :param name: another name that the file is about to have.
    """
    storage = require_home(file).storage
    return list(rows_naming(storage, name or _name(file)))


def canonical(name: str) -> str:
    """Return a name as the storage spells it.

    :raises ValidationError: when no file can have it.
    """
    with readable_errors():
        return canonical_name(name)


def make_public(file: StoredFile) -> None:
    """Let anyone open a file, without a signed link."""
    with readable_errors():
        require_home(file).storage.set_public(_name(file), True)  # noqa: FBT003 -- as it is called


def make_private(file: StoredFile) -> None:
    """Let only signed links open a file."""
    with readable_errors():
        require_home(file).storage.set_public(_name(file), False)  # noqa: FBT003 -- as it is called


def revoke(file: StoredFile) -> None:
    """Make all existing links to a file stop working."""
    with readable_errors():
        require_home(file).storage.revoke_urls(_name(file))


def delete(file: StoredFile) -> None:
    """Delete a file, without reading its content."""
    with readable_errors():
        require_home(file).storage.delete(_name(file))


def restore(home: Home, file: DeletedFile) -> None:
    """Restore a deleted file."""
    with readable_errors():
        home.storage.undelete(file.name, version=file)


def erase(home: Home, file: DeletedFile) -> None:
    """Delete a deleted file for good."""
    if not home.storage.catalog.trash.erase(file.name, file.version):
        raise ValidationError(_("The file no longer exists."))


def links(files: Iterable[StoredFile], **arguments: Any) -> list[tuple[StoredFile, str]]:
    """Return files with their URLs, with one query for each storage."""
    wanted = [(file, require_home(file)) for file in files]
    storages = {home.alias: home.storage for _file, home in wanted}
    terms: LinkArguments = arguments  # type: ignore[assignment]
    with readable_errors():
        urls = {
            alias: storage.urls(
                [_name(file) for file, home in wanted if home.alias == alias], **terms
            )
            for alias, storage in storages.items()
        }
    return [(file, urls[home.alias][_name(file)]) for file, home in wanted]


def each(
    operation: Callable[[StoredFile], object], files: Iterable[StoredFile]
) -> Iterator[tuple[StoredFile, str]]:
    """Run an operation on each file; yield the file and the error, or "" if there was none."""
    for file in files:
        try:
            operation(file)
        except ValidationError as error:
            yield file, error.messages[0]
        else:
            yield file, ""


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turn the errors that a storage raises into a ValidationError with a readable message."""
    try:
        yield
    except KeyServiceUnavailable as error:
        key_service_failed(error)
        text = _("This storage’s encryption key is not available. Try again later.")
        raise ValidationError(text) from error
    except FileTooLarge as error:
        raise ValidationError(_("The file is too large for this storage.")) from error
    except SuspiciousFileOperation as error:
        raise ValidationError(_("This is not a valid file name.")) from error
    except FileExistsError as error:
        text = _("“%s” already exists.") % error.filename
        raise ValidationError(text) from error
    except FileNotFoundError as error:
        raise ValidationError(_("The file no longer exists.")) from error
    except (KeyLost, SealBroken, ImproperlyConfigured, ValueError) as error:
        raise ValidationError(str(error)) from error
    except OSError as error:
        raise ValidationError(_("This is the name of a directory.")) from error


def _save_new(storage: DatabaseStorage, name: str, content: Any) -> str:
    """Save a file under a free name, and return its name.

    :raises FileExistsError: when the name is taken, and the storage tries no other.
    """
    if not storage.options.allow_overwrite:
        return storage.save(name, content)
    with storage.open(name, "xb") as target:
        for chunk in content.chunks():
            target.write(chunk)
    if isinstance(content, ReceivedFile):  # Nobody will finish it.
        storage.inbox.delete(content.upload)
    return name


def _name(file: StoredFile) -> str:
    return str(file.name)
