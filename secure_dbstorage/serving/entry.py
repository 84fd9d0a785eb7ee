"""Entry: how a request becomes a visit, before anything about the file is known."""

import logging
import time

from django.core.files.storage import InvalidStorageError, storages
from django.http import HttpRequest

from secure_dbstorage.serving.clients import Client
from secure_dbstorage.serving.credentials import Credentials
from secure_dbstorage.serving.offload import may_offload
from secure_dbstorage.serving.refusals import Reason, Refused
from secure_dbstorage.serving.visits import Visit
from secure_dbstorage.storage import DatabaseStorage

_logger = logging.getLogger("secure_dbstorage.serving")


def begin_visit(request: HttpRequest, name: str, storage: str) -> Visit:
    """Return a visit, with the tokens taken out of its request.

    :param name: what the route found.
    :param storage: an alias in ``STORAGES``.
    :raises Refused: when that is no storage of ours: the checks say so, and a client may have
        chosen the alias.
    """
    credentials, name = Credentials.take(request, name)
    asked = _database_storage(storage)
    return Visit(
        request=request,
        storage=asked,
        name=name,
        credentials=credentials,
        client=Client.of(request.META, asked.options.trusted_proxies),
        now=time.time(),
        alias=storage,
        may_offload=may_offload(request, asked.options),
    )


def _database_storage(alias: str) -> DatabaseStorage:
    try:
        storage = storages[alias]
    except InvalidStorageError as error:
        _logger.warning("A route serves STORAGES[%a]: %s", alias, error)
        raise Refused(Reason.MISSING) from None
    if not isinstance(storage, DatabaseStorage):
        _logger.warning("A route serves STORAGES[%a], which is not a DatabaseStorage", alias)
        raise Refused(Reason.MISSING)
    return storage
