"""The options that a project may set for a storage."""

import dataclasses
import math
import re
from contextvars import ContextVar
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy
from django_ratelimit.core import _split_rate

from secure_dbstorage.access import authenticated, staff
from secure_dbstorage.content_types import content_type_of
from secure_dbstorage.options import (
    OPTION_NAMES,
    Options,
    StorageOptions,
    default_of,
    parse_option,
)
from secure_dbstorage.sealing.keyrings import NO_KEYS, Keyring
from secure_dbstorage.sealing.services import LocalKey
from secure_dbstorage.secret_keys import MIN_KEY_BYTES
from tests.support.sealing import KEY, OLD_KEY, Service

NAN = float("nan")
INFINITY = float("inf")
LONG_KEY = "k" * MIN_KEY_BYTES
RATES = {
    "signed": "600/m",
    "plain": "1200/m",
    "refused": "60/m",
    "upload": "1200/m",
    "begun": "600/h",
}


#: A key in the other alphabet of base64, and a key service.
URL_SAFE_KEY, SERVICE = "_" * 42 + "8=", Service()


def public_by_name(name: str) -> bool:
    """Stand for a project's own function."""
    return name.startswith("public/")


USABLE: dict[str, list[tuple[object, object]]] = {
    "namespace": [("", ""), ("a.B-c_1", "a.B-c_1"), ("x" * 90, "x" * 90)],
    "base_url": [
        (None, None),
        ("/", "/"),
        ("/media", "/media/"),
        ("/media/", "/media/"),
        ("https://cdn.example.com", "https://cdn.example.com/"),
        ("HTTP://localhost:8000/é/", "HTTP://localhost:8000/é/"),
        ("/a:b/", "/a:b/"),
        (reverse_lazy("admin:index"), "/admin/"),
    ],
    "using": [(None, None), ("default", "default")],
    "allow_overwrite": [(True, True), (False, False)],
    "delete_with_instance": [(True, True), (False, False)],
    "keep_deleted": [
        (None, None),
        (60, timedelta(seconds=60)),
        (timedelta(days=30), timedelta(days=30)),
    ],
    "expires_in": [(1, 1), (60.9, 60), (timedelta(hours=1), 3600), (2**31 - 1, 2**31 - 1)],
    "max_expires_in": [(1, 1), (timedelta(days=7), 604800)],
    "url_window": [(0, 0), (300, 300), (timedelta(0), 0)],
    "signing_keys": [
        (None, ()),
        ([LONG_KEY], (LONG_KEY.encode(),)),
        ((LONG_KEY.encode(), "é" * 16), (LONG_KEY.encode(), ("é" * 16).encode())),
    ],
    "auth_hooks": [
        ([], ()),
        ((), ()),
        (["secure_dbstorage.access.authenticated", staff], (authenticated, staff)),
    ],
    "upload_hooks": [
        ([], ()),
        ((), ()),
        (["secure_dbstorage.access.authenticated", staff], (authenticated, staff)),
    ],
    "rate_limits": [
        ({}, RATES),
        ({"plain": "5/10s"}, RATES | {"plain": "5/10s"}),
        ({"plain": None}, RATES | {"plain": None}),
        (dict.fromkeys(RATES, "0/d"), dict.fromkeys(RATES, "0/d")),
        ({"plain": "9" * 9 + "/" + "9" * 9}, RATES | {"plain": "9" * 9 + "/" + "9" * 9}),
    ],
    "rate_limit_key": [
        *((key, key) for key in ("ip", "link", "user", "user_or_ip", "header:x-a", "get:a")),
        (public_by_name, public_by_name),
        ("secure_dbstorage.access.staff", staff),
    ],
    "rate_limit_fail_open": [(True, True), (False, False)],
    "inline_types": [
        ([], frozenset()),
        (["image/png", "image/png"], frozenset({"image/png"})),
        ({"application/vnd.x+json"}, frozenset({"application/vnd.x+json"})),
    ],
    "content_types": [
        ({}, {}),
        ({".step": "model/step", ".c++": "text/x-c"}, {".step": "model/step", ".c++": "text/x-c"}),
    ],
    "cross_origin": [(one, one) for one in ("same-origin", "same-site", "cross-origin")],
    "public_max_age": [
        *((0, 0), (timedelta(minutes=1), 60)),
        *(((60, 86400), (60, 86400)), ([0, timedelta(days=1)], (0, 86400)), ((300, 0), (300, 0))),
    ],
    "private_max_age": [(0, 0), (60, 60)],
    "chunk_size": [(4096, 4096), (4 * 2**20, 4 * 2**20)],
    "trusted_proxies": [
        ([], ()),
        (["10.0.0.0/8", "::1"], (ip_network("10.0.0.0/8"), ip_network("::1/128"))),
        (["::/8"], (ip_network("::/8"),)),
    ],
    "max_size": [(None, None), (1, 1), (2**40, 2**40)],
    "offload": [(None, None), ("nginx", "nginx")],
    "encryption_keys": [
        (None, NO_KEYS),
        ([KEY], Keyring([LocalKey(b"\1" * 32)])),
        ((KEY.encode(), OLD_KEY), Keyring([LocalKey(b"\1" * 32), LocalKey(b"\2" * 32)])),
        ([URL_SAFE_KEY], Keyring([LocalKey(b"\xff" * 32)])),
        ([SERVICE, KEY], Keyring([SERVICE, LocalKey(b"\1" * 32)])),
        (["tests.test_options.SERVICE"], Keyring([SERVICE])),
    ],
}

NO_BOOLEANS: list[object] = [None, 0, 1, "True", "", []]
NO_SECONDS: list[object] = [
    *(None, True, False, "60", -1, -0.1, NAN, INFINITY, 2**31, 10**400, timedelta(-1), []),
]

UNUSABLE: dict[str, list[object]] = {
    "namespace": [None, 1, b"a", "a/b", "a b", "a:b", "é", "\u0661", "a\n", "~", "~a", "x" * 91],
    "base_url": [
        "",
        1,
        True,
        "media/",
        "/a?b",
        "/a#b",
        "/a?",
        "/a#",
        "https:",
        "https:///a",
        "http://[/",
        b"/",
        "/a b/",
        "/a\n/",
        "/a\x00/",
        "/a\x85/",
        "/a\u2028/",
        " https://cdn.example.com/",
        "ht\ttps://cdn.example.com/",
        "javascript://cdn.example.com/",
        "ftp://cdn.example.com/",
        "data:text/html,",
        "//",
        "//cdn.example.com/",
        "///cdn.example.com/",
        "/\\cdn.example.com/",
    ],
    "using": [1, True, b"default", ["default"]],
    "default_public": [None, 1, 0, "yes", "no.such.module", [True]],
    "allow_overwrite": NO_BOOLEANS,
    "delete_after": [
        *(True, 0, 0.5, -1, math.nan, math.inf, timedelta(0), timedelta(days=-1)),
        *("no.such.module", [60], b"60"),
    ],
    "delete_with_instance": NO_BOOLEANS,
    "keep_deleted": [*NO_SECONDS[1:], 0, 0.5, timedelta(0)],
    "expires_in": [*NO_SECONDS, 0, 0.5, timedelta(0)],
    "max_expires_in": [*NO_SECONDS, 0, 0.5],
    "url_window": NO_SECONDS,
    "signing_keys": [
        [],
        "",
        LONG_KEY,
        LONG_KEY.encode(),
        [""],
        [LONG_KEY, ""],
        ["k" * (MIN_KEY_BYTES - 1)],
        [LONG_KEY, b"short"],
        [None],
        [1],
        {LONG_KEY},
        7,
    ],
    "auth_hooks": [
        None,
        "secure_dbstorage.access.staff",
        staff,
        ["secure_dbstorage.access.nobody"],
        ["secure_dbstorage.access.__doc__"],
        [None],
        ["staff"],
    ],
    "upload_hooks": [
        None,
        "secure_dbstorage.access.staff",
        staff,
        ["secure_dbstorage.access.nobody"],
        ["secure_dbstorage.access.__doc__"],
        [None],
        ["staff"],
    ],
    "rate_limits": [
        None,
        "600/m",
        [],
        {"signed": 600},
        {"signed": ""},
        {"signed": "600"},
        {"signed": "600/x"},
        {"signed": "600/m\n"},
        {"signed": "-1/m"},
        {"signed": "1.5/m"},
        {"signed": "1/0s"},
        {"signed": "1/00"},
        {"signed": "\u0661/m"},
        {"signed": "9" * 5000 + "/m"},
        {"signed": "9" * 10 + "/m"},
        {"signed": "1/" + "9" * 5000 + "s"},
        {"signed": "1/" + "9" * 10},
        {"signed": "1/M"},
        {"signed": True},
        {"everything": "1/m"},
    ],
    "rate_limit_key": [None, 1, "", "address", "no.such.function", "post:a", "header:", "get:"],
    "rate_limit_fail_open": NO_BOOLEANS,
    "inline_types": [
        None,
        "image/png",
        [None],
        ["image/*"],
        ["image"],
        ["Image/PNG"],
        ["image/png; charset=utf-8"],
        ["image/png\n"],
        ["text/html"],
        ["image/svg"],
        ["image/svg+xml"],
        ["text/xml"],
        ["application/xml"],
        ["application/xhtml+xml"],
        ["text/javascript"],
        ["application/ecmascript"],
        ["image/png", "application/rss+xml"],
        ["text/xsl"],
        ["application/xslt+xml"],
        ["application/vnd.x.xml-y"],
        ["multipart/x-mixed-replace"],
        ["multipart/related"],
        ["message/rfc822"],
        ["text/css"],
        ["application/wasm"],
        ["application/manifest+json"],
        ["image/" + "x" * 122],
    ],
    "content_types": [
        None,
        [".a"],
        "a",
        {"a": "text/plain"},
        {".A": "text/plain"},
        {".tar.gz": "text/plain"},
        {".": "text/plain"},
        {"": "text/plain"},
        {".a/b": "text/plain"},
        {1: "text/plain"},
        {".a": "text"},
        {".a": "Text/Plain"},
        {".a": "text/plain; charset=utf-8"},
        {".a": "text/plain\r\nX-A: b"},
        {".a": None},
        {".a": "text/" + "x" * 123},
    ],
    "cross_origin": [None, True, "", "*", "Same-Site", "https://a.example", ["same-site"]],
    "public_max_age": [*NO_SECONDS, (), (60,), (1, 2, 3), (60, None), (-1, 60), "60, 86400"],
    "private_max_age": NO_SECONDS,
    "chunk_size": [None, True, "4096", 4095, 4 * 2**20 + 1, 4096.0, 0, -1],
    "trusted_proxies": [
        None,
        "10.0.0.0/8",
        ["10.0.0.1/8"],
        ["localhost"],
        ["10.0.0.0/33"],
        ["*"],
        {"10.0.0.0/8": 1},
        [2130706433],
        [None],
        [b"\x7f\x00\x00\x01"],
        b"\x7f",
        [ip_network("10.0.0.0/8")],
        ["0.0.0.0/0"],
        ["10.0.0.0/8", "::/0"],
        ["::ffff:10.0.0.0/104"],
        ["::ffff:127.0.0.1"],
        ["::ffff:0:0/96"],
    ],
    "offload": [True, False, "", "Nginx", "varnish", b"nginx", ["nginx"]],
    "encryption_keys": [
        [],
        KEY,
        KEY.encode(),
        5,
        {KEY},
        [""],
        [b""],
        ["short"],
        [f"{KEY}="],
        [KEY[:-4]],
        [KEY + KEY],
        [None],
        [5],
        [KEY, KEY],
        [SERVICE, SERVICE],
        ["tests.no.such"],
        ["tests.test_options.LONG_KEY"],
        [Service],
        [Service(id="")],
        [Service(id="é")],
        [Service(id="x" * 65)],
        [Service(id=5)],
    ],
    "audience": [1, b"acme", True, ["acme"], "no.such.function", "acme.example.com", "math.pi"],
    "max_size": [-1, 0, True, False, 1.0, "1", NAN],
}


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [(name, raw, value) for name, rows in USABLE.items() for raw, value in rows],
    ids=lambda given: getattr(given, "__name__", ascii(given)[:30]),
)
def test_usable_values_are_parsed(name: str, raw: object, value: object) -> None:
    assert parse_option(name, raw) == value
    assert type(parse_option(name, raw)) is type(value)


@pytest.mark.parametrize(
    ("name", "raw"),
    [(name, raw) for name, rows in UNUSABLE.items() for raw in rows],
    ids=lambda given: getattr(given, "__name__", ascii(given)[:30]),
)
def test_unusable_values_are_refused_with_a_reason(name: str, raw: object) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        parse_option(name, raw)


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("default_public", "yes", "must be True, False, callable or the dotted path"),
        ("default_public", None, "must be True, False, callable or the dotted path"),
        ("delete_after", "30d", "must be seconds, a timedelta, None, callable or the dotted path"),
        ("rate_limit_key", "users", "must be 'ip', 'user', 'user_or_ip', 'link', 'header:"),
        ("rate_limit_key", "header", "not 'header'"),
        ("auth_hooks", ["owner_only"], "must be callable or the dotted path of a callable, not"),
        ("auth_hooks", ["tests.absent"], "can't be imported: "),
        (
            "trusted_proxies",
            ["10.0.0.1/8"],
            "must contain networks, like '10.0.0.0/8': 10.0.0.1/8",
        ),
        ("keep_deleted", -1, "must be at least one second"),
        ("delete_after", timedelta(days=-1), "must be at least one second"),
    ],
)
def test_a_text_that_is_no_path_is_answered_with_what_is_allowed(
    name: str, raw: object, expected: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        parse_option(name, raw)


@pytest.mark.parametrize(
    ("raw", "public", "private"),
    [
        (True, ["a", "public/a"], []),
        (False, [], ["a", "public/a"]),
        (public_by_name, ["public/a"], ["a"]),
        (f"{__name__}.public_by_name", ["public/a"], ["a"]),
    ],
)
def test_new_files_are_public_by_a_flag_or_by_their_names(
    raw: Any, public: list[str], private: list[str]
) -> None:
    is_public = parse_option("default_public", raw)
    assert [name for name in (*public, *private) if is_public(name)] == public


def current_tenant() -> object:
    """Stand for a project's own function."""
    return _tenant.get()


_tenant: ContextVar[object] = ContextVar("tenant", default="acme")


def test_the_audience_is_a_text_or_asked_each_time() -> None:
    assert parse_option("audience", None) is None
    for text in ("", "acme", "a b:/é"):
        assert parse_option("audience", text)() == text
    for raw in (current_tenant, f"{__name__}.current_tenant"):
        ask = parse_option("audience", raw)
        assert ask() == "acme"
        token = _tenant.set("other")
        assert ask() == "other"
        _tenant.reset(token)


@pytest.mark.parametrize("told", [None, 1, b"acme", ("acme",), gettext_lazy("acme")])
def test_an_audience_that_is_no_text_is_an_error_when_it_is_asked(told: object) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"The option audience returned .*, and not a"):
        parse_option("audience", lambda: told)()


@pytest.mark.parametrize("rate", ["600/m", "5/10s", "0/d", "1/", "1/30", "1/h", "100/5m"])
def test_a_rate_has_the_syntax_of_django_ratelimit(rate: str) -> None:
    assert parse_option("rate_limits", {"plain": rate})["plain"] == rate
    count, seconds = _split_rate(rate)
    assert count == int(rate.partition("/")[0])
    assert seconds > 0


@pytest.mark.parametrize(
    "extension",
    ["html", "htm", "svg", "xml", "xsl", "rdf", "wsdl", "js", "mjs", "mht", "mhtml", "eml"],
)
def test_no_type_of_ours_that_carries_script_can_be_shown(extension: str) -> None:
    with pytest.raises(ValueError, match="which can carry script"):
        parse_option("inline_types", [content_type_of(f"a.{extension}")])


def test_a_proxy_network_of_all_addresses_is_refused() -> None:
    with pytest.raises(ValueError, match=r"not contain ::/0, which would trust every client"):
        parse_option("trusted_proxies", ["::/0"])


def test_a_mapped_proxy_must_be_written_as_ipv4() -> None:
    with pytest.raises(
        ValueError, match=r"contain ::ffff:10\.0\.0\.0/104 as IPv4: 10\.0\.0\.0/8$"
    ):
        parse_option("trusted_proxies", ["::ffff:10.0.0.0/104"])


def stay(name: str) -> object:
    """Stand for a project's own function."""
    return {"exports/a": 60, "logs/a": timedelta(days=1), "broken": -1}.get(name)


@pytest.mark.parametrize(
    ("raw", "name", "lifetime"),
    [
        (None, "a", None),
        (60, "a", timedelta(minutes=1)),
        (timedelta(days=1), "a", timedelta(days=1)),
        (stay, "exports/a", timedelta(minutes=1)),
        (f"{__name__}.stay", "logs/a", timedelta(days=1)),
        (stay, "a", None),
    ],
)
def test_how_long_a_file_stays_may_depend_on_its_name(
    raw: object, name: str, lifetime: timedelta | None
) -> None:
    assert parse_option("delete_after", raw)(name) == lifetime


def test_a_function_that_gives_no_time_is_an_error_when_a_file_is_saved() -> None:
    with pytest.raises(ValueError, match=r"delete_after .* for 'broken'; it must be at least"):
        parse_option("delete_after", stay)("broken")


def test_the_defaults_are_as_they_are_documented() -> None:
    defaults = {name: default_of(name) for name in OPTION_NAMES}
    assert defaults.pop("default_public")("anything") is False
    assert defaults.pop("delete_after")("anything") is None
    inline = defaults.pop("inline_types")
    assert inline == parse_option("inline_types", list(inline))
    assert defaults == {
        "namespace": "",
        "base_url": None,
        "using": None,
        "allow_overwrite": False,
        "delete_with_instance": False,
        "keep_deleted": None,
        "expires_in": 3600,
        "max_expires_in": 7 * 24 * 3600,
        "url_window": 300,
        "signing_keys": (),
        "auth_hooks": (),
        "rate_limits": RATES,
        "rate_limit_key": "ip",
        "rate_limit_fail_open": False,
        "content_types": {},
        "cross_origin": "same-site",
        "public_max_age": 300,
        "private_max_age": 300,
        "chunk_size": 261120,
        "trusted_proxies": (),
        "max_size": None,
        "audience": None,
        "upload_hooks": (),
        "offload": None,
        "encryption_keys": NO_KEYS,
    }


def test_every_option_can_be_written_and_read() -> None:
    assert tuple(Options.__annotations__) == OPTION_NAMES
    assert {field.name for field in dataclasses.fields(StorageOptions)} == set(OPTION_NAMES)
    assert (
        UNUSABLE.keys()
        == set(OPTION_NAMES)
        == USABLE.keys() | {"audience", "default_public", "delete_after"}
    )


def test_keys_are_not_shown() -> None:
    assert LONG_KEY not in repr(StorageOptions(signing_keys=(LONG_KEY.encode(),)))
