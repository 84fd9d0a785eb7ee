"""The internal route, from which a proxy fetches contents for its cache: see ``offload``.

Include it once for all storages, where your proxy lets nobody in. It is not part of ``urls``, so
that nobody has it who doesn't need it.
"""

from django.urls import path

from secure_dbstorage.links.routes import INTERNAL_NAMESPACE
from secure_dbstorage.serving.internal import send

app_name = INTERNAL_NAMESPACE

urlpatterns = [path("<path:content>", send, name="serve")]
