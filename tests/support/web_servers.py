"""The servers that Django's people deploy, for ``pytest.mark.parametrize``.

The sync worker of gunicorn answers as its threads do.
"""

import pytest

from tests.servers.web import Kind


def _swept(*kinds: Kind) -> list[object]:
    return [pytest.param(kind, marks=pytest.mark.sweep) for kind in kinds]


#: All of them. The first two are asked whenever tests run.
KINDS = ["gunicorn", "uvicorn", *_swept("granian-asgi", "granian-wsgi", "hypercorn")]

#: Those that serve ASGI.
ASGI_KINDS = ["uvicorn", *_swept("granian-asgi", "hypercorn")]
