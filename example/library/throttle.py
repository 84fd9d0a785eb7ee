"""Slows down anyone who guesses passwords, on every login page.

The package depends on django-ratelimit, so it is installed.
"""

from collections.abc import Callable
from functools import wraps
from ipaddress import ip_address, ip_network
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django_ratelimit.core import get_usage

#: How many wrong passwords a client may send, and within what time.
RATE = "10/5m"

View = Callable[..., HttpResponseBase]


def throttled(view: View) -> View:
    """Refuse a client that has sent too many wrong passwords.

    Only those are counted, so requests that arrive together may pass by as many as there are
    threads.
    """

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" and (seconds := seconds_to_wait(request)):
            answer = render(request, "library/too_many.html", status=429)
            answer["Retry-After"] = str(seconds)
            return answer
        return view(request, *args, **kwargs)

    return inner


@receiver(user_login_failed)
def count_failure(request: HttpRequest | None = None, **kwargs: object) -> None:
    if request is not None:  # Other callers of authenticate() are not visitors.
        failures(request, increment=True)


def seconds_to_wait(request: HttpRequest) -> int:
    usage = failures(request)
    return max(usage["time_left"], 1) if usage["count"] >= usage["limit"] else 0


def failures(request: HttpRequest, *, increment: bool = False) -> dict[str, Any]:
    usage: dict[str, Any] = get_usage(
        request, group="sign-in", key="ip", rate=RATE, increment=increment
    )
    return usage


def address(request: HttpRequest) -> str:
    """Return the visitor's address: nginx's word for it, if the request comes from nginx."""
    peer = request.META.get("REMOTE_ADDR") or "127.0.0.1"  # "" is a unix socket
    proxies = [ip_network(proxy) for proxy in settings.SECURE_DBSTORAGE["TRUSTED_PROXIES"]]
    told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    if told and any(ip_address(peer) in proxy for proxy in proxies):
        return told
    return peer
