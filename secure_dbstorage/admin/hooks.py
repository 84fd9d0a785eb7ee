"""Hooks: the project's auth hooks, asked about a user of the admin."""

import dataclasses
import time
from urllib.parse import parse_qs, urlsplit

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from secure_dbstorage.access import HookGrant
from secure_dbstorage.admin import operations
from secure_dbstorage.admin.links import brief_link
from secure_dbstorage.links.paths import PARAMETER, SignedPath
from secure_dbstorage.models import StoredFile
from secure_dbstorage.serving.guards import ask_hooks
from secure_dbstorage.serving.refusals import Refused


def publish(request: HttpRequest, file: StoredFile) -> None:
    """Make a file public, if this user may open it.

    :raises ValidationError: if not, or if it can't be done.
    """
    check_hooks(request, file)
    operations.make_public(file)


@sensitive_variables()
def check_hooks(request: HttpRequest, file: StoredFile, *, name: str = "") -> None:
    """Return if the auth hooks let this user open a private file.

    They see the grant of a link that the admin would make for this user.

    :param name: another name that the file is about to have.
    :raises ValidationError: if one of them refuses.
    """
    storage = operations.require_home(file).storage
    if file.is_public or not storage.options.auth_hooks:
        return
    url = urlsplit(brief_link(request, file))
    tokens = parse_qs(url.query).get(PARAMETER, [])
    if not tokens:  # The file was made public or deleted a moment ago.
        return
    grant = storage.signer.unsign(
        str(file.name),
        tokens[0],
        storage.audience,
        max_lifetime=storage.options.max_expires_in,
        now=time.time(),
    )
    stat = file.head(storage.options.encryption_keys).stat
    shown = HookGrant(
        **dataclasses.asdict(grant), return_path=SignedPath(f"{url.path}?{url.query}")
    )
    try:
        instead = ask_hooks(
            storage.options.auth_hooks,
            request,
            dataclasses.replace(stat, name=name) if name else stat,
            shown,
        )
    except Refused as error:
        raise _refusal(name or str(file.name)) from error
    if instead is not None:
        raise _refusal(name or str(file.name))


def _refusal(name: str) -> ValidationError:
    return ValidationError(_("You may not open “%s”.") % name)
