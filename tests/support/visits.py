"""Visits that never came through the view."""

import time
from typing import Any

from django.http import HttpRequest

from secure_dbstorage.links.grants import Grant
from secure_dbstorage.serving.clients import Client
from secure_dbstorage.serving.credentials import Credentials
from secure_dbstorage.serving.visits import Visit
from secure_dbstorage.storage import DatabaseStorage


def visit_of(request: HttpRequest, grant: Grant | None = None, **options: Any) -> Visit:
    """Return the visit of a request to a storage with these options."""
    storage = DatabaseStorage(**options)
    client = Client.of(request.META, storage.options.trusted_proxies)
    return Visit(
        request=request,
        storage=storage,
        name="a.txt",
        credentials=Credentials(),
        client=client,
        now=time.time(),
        grant=grant,
    )
