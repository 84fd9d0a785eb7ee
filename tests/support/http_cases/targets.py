"""Targets that many cases share."""

from tests.support.http_cases.answers import not_modified, whole
from tests.support.http_cases.files import etag_of

NAME = "open/hundred.bin"
URL = f"/files/{NAME}"
TAG = etag_of(NAME)
OTHER_TAG = '"0000"'

CLOSED = "closed/hundred.bin"
SIGNED = f"/files/{CLOSED}?token={{signed[{CLOSED}]}}"

#: Of several chunks.
CHUNKED = "open/chunks.bin"
EMPTY = "open/empty.txt"

#: What nginx finds malformed; which of it depends on its version.
BY_NGINX = {"nginx": 400}

WHOLE = whole(NAME)
NOT_CHANGED = not_modified(NAME)

SECRET = "closed/secret.txt"
SECRET_URL = f"/files/{SECRET}"
GOOD = f"{SECRET_URL}?token={{signed[{SECRET}]}}"
OPENED = whole(SECRET, signed=True)
