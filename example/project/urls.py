"""The site's URLs. Each of the two storages has its own prefix."""

from django.conf import settings
from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView
from library.throttle import throttled

urlpatterns = [
    # For pages that name no icon: the admin, and files in a tab.
    path("favicon.ico", RedirectView.as_view(url=static("library/ticket.svg"))),
    path("admin/login/", throttled(admin.site.login)),
    path("admin/", admin.site.urls),
    path("", include("library.urls")),
    path("files/", include("secure_dbstorage.urls")),
    path(
        "pictures/",
        include("secure_dbstorage.urls", namespace="pictures"),
        {"storage": "pictures"},
    ),
]

if "OFFLOAD" in settings.SECURE_DBSTORAGE:  # nginx fetches content here.
    urlpatterns += [path("_content/", include("secure_dbstorage.urls_internal"))]
