"""The ASGI application: the project of DJANGO_SETTINGS_MODULE."""

from django.core.asgi import get_asgi_application

application = get_asgi_application()
