"""The tests' URLs, behind the code of a language."""

from django.conf.urls.i18n import i18n_patterns

from tests.urls import urlpatterns as tests_urls

urlpatterns = i18n_patterns(*tests_urls)
