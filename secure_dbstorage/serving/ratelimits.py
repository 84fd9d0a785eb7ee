"""Rate limits: how often a client may ask, counted by django-ratelimit in a cache."""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any, Literal

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django_ratelimit.core import get_usage

from secure_dbstorage.addresses import Address, parse_address
from secure_dbstorage.conf import ratelimit_is_enabled
from secure_dbstorage.options import StorageOptions
from secure_dbstorage.serving.outages import USERS, asking, begin, end
from secure_dbstorage.serving.refusals import Reason, Refused, unavailable
from secure_dbstorage.serving.visits import Visit

#: Seconds in the units of django-ratelimit's rates.
_UNITS = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}

#: The kinds of request that have a budget: with a good token, without one, with a bad one; with a
#: token for uploads, and those among them that begin one.
Kind = Literal["signed", "plain", "refused", "upload", "begun"]

_logger = logging.getLogger("secure_dbstorage.serving")

_CACHE = "cache of the rate limits"


def check_limit(visit: Visit, kind: Kind) -> None:
    """Count a request, and return if it is within the budget of its client.

    :raises Refused: 429 over the limit; 503 while the cache is down, unless the option
        ``rate_limit_fail_open`` lets requests pass, or while the user can't be found out. All
        carry Retry-After.
    """
    options = visit.storage.options
    rate = options.rate_limits[kind]
    if rate is None:
        return
    budget = _budget(visit)
    if budget is None:
        return
    usage = _usage(visit.request, kind, options, rate=rate, budget=budget)
    if usage is None:
        if not options.rate_limit_fail_open:
            raise unavailable()
    elif usage["should_limit"]:
        seconds = max(1, usage["time_left"])
        raise Refused(Reason.TOO_MANY_REQUESTS, headers={"Retry-After": str(seconds)})


def _budget(visit: Visit) -> str | None:
    """Return the name of the budget to charge, or None if clients can't be told apart."""
    key, request = visit.storage.options.rate_limit_key, visit.request
    # Without a good token there is no link, and looking for a user would cost a query.
    if visit.grant is None or key == "ip":
        return _address_budget(visit)
    if key == "link":
        return f"link:{visit.grant.link_id}"
    if key in ("user", "user_or_ip"):  # Anonymous users would share one budget.
        return _user_budget(visit) or _address_budget(visit)
    with asking(f"database of the rate_limit_key of {visit.alias!r}", visit.storage):
        return f"key:{_value_of(key, request)}"


def _user_budget(visit: Visit) -> str | None:
    """Return the name of a user's budget, or None for a visitor who is not signed in."""
    with asking(USERS, visit.storage):
        user = visit.request.user
        return f"user:{user.pk}" if user.is_authenticated else None


def _address_budget(visit: Visit) -> str | None:
    budget = visit.client.budget
    if budget is None:
        _warn_of_unknown_proxy(parse_address(visit.request.META.get("REMOTE_ADDR", "")))
        return None
    return f"ip:{budget}"


@cache  # Warn once, not for each request.
def _warn_of_unknown_proxy(peer: Address | None) -> None:
    _logger.warning(
        "Requests come through a proxy at %s that trusted_proxies does not name: "
        "limits by address are not applied.",
        peer or "a unix socket",
    )


def _value_of(key: str | Callable[..., str], request: HttpRequest) -> str:
    """Return what one of django-ratelimit's other keys makes of a request."""
    if isinstance(key, str):
        source, _, parameter = key.partition(":")
        values = request.headers if source == "header" else request.GET
        return str(values.get(parameter, ""))
    return str(key("secure_dbstorage", request))


@cache  # django-ratelimit would take a text apart twice for each request.
def _split(rate: str) -> tuple[int, int]:
    """Return a rate as the number of requests, and of seconds: (5, 10) for "5/10s"."""
    count, _, period = rate.partition("/")
    number = period.rstrip("smhd")
    return int(count), int(number or 1) * _UNITS[period.removeprefix(number) or "s"]


def _usage(
    request: HttpRequest, kind: Kind, options: StorageOptions, *, rate: str, budget: str
) -> dict[str, Any] | None:
    """Count a request, and return what its client has used; None while the cache is down."""
    try:
        usage: dict[str, Any] | None = get_usage(
            request,
            # Joined without separators by django-ratelimit, so they are in the parts.
            group=f"secure_dbstorage/{options.namespace}/{kind}/",
            key=lambda group, request: f"/{budget}/",
            rate=_split(rate),
            increment=True,
        )
    except ImproperlyConfigured:
        raise
    except Exception as error:  # noqa: BLE001 -- each cache has its own errors for being down
        begin(_CACHE, error)
        return None
    if usage is None and not ratelimit_is_enabled():
        return {"should_limit": False}
    # A request that was counted is at least the first. Where the cache failed, django-ratelimit
    # says 0, or nothing by its own setting RATELIMIT_FAIL_OPEN; ours decides.
    if usage is None or usage["count"] <= 0:
        begin(_CACHE, None)
        return None
    end(_CACHE)
    return usage
