"""System checks: one small function for each fact.

Errors stand for settings that can't work or are not safe, warnings for settings that work less
well than they could. Some checks run only with ``check --deploy``. Those that query the database
run only with ``check --database``.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, wraps
from typing import Any
from urllib.parse import unquote

from django.apps import apps
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import InvalidStorageError, default_storage, storages
from django.db import connections, router
from django.db.models import Model
from django.urls import Resolver404, get_script_prefix, resolve

from secure_dbstorage import conf
from secure_dbstorage.access import authenticated, staff
from secure_dbstorage.links.routes import route_prefix
from secure_dbstorage.models import StoredFile
from secure_dbstorage.options import OPTION_NAMES, STATEMENT_BYTES, StorageOptions
from secure_dbstorage.parsers import MIN_KEY_BYTES, UPLOAD_KINDS
from secure_dbstorage.storage import DatabaseStorage

#: Caches that count for a single process, not at all, or not every request.
_UNFIT_CACHES = ("LocMemCache", "DummyCache", "FileBasedCache", "DatabaseCache")

#: A MySQL statement contains chunks as hexadecimal digits, and little else.
_STATEMENT_OVERHEAD_BYTES = 16 * 1024
#: Apps that keep earlier versions of rows in a form that is not searched for names of files.
_UNSEEN_VERSIONS = ("auditlog", "easyaudit", "field_history")


def register() -> None:
    """Register all checks."""
    for check in (check_options, check_routes, check_identities, check_users):
        checks.register(_listed(check), Tags.security)
    for check in (
        *(check_secret_key, check_sqlite_transactions),
        *(check_models, check_history, check_pgbouncer),
    ):
        checks.register(_listed(check), Tags.compatibility)
    for check in (
        *(check_deployed_secret_key, check_proxies, check_fail_open),
        *(check_lifted_limits, check_lifted_upload_limits, check_sizes),
    ):
        checks.register(_listed(check), Tags.security, deploy=True)
    for check in (check_cache, check_connections):
        checks.register(_listed(check), Tags.compatibility, deploy=True)
    for database_check in (check_sqlite_journal, check_mysql_packets):
        checks.register(_listed(database_check), Tags.database)


def check_options(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find unknown options and invalid values."""
    for problem in conf.find_default_problems():
        yield _option_error(problem, where="")
    for place, given in (*_declared_places(), *_field_places()):
        for problem in conf.find_problems(given):
            yield _option_error(problem, where=f"{place}: ")


def check_routes(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find storages without a route, and routes that serve a different storage."""
    for alias, options in _usable().items():
        if options.base_url is not None:
            continue
        line = _include_line(alias, options.namespace)
        try:
            served = _alias_served_at(route_prefix(options.namespace))
        except (ImproperlyConfigured, Resolver404) as error:
            yield Error(
                f"No route serves STORAGES[{alias!r}]: {error}",
                hint=f"Add {line} to your URLconf.",
                id="secure_dbstorage.E003",
            )
            continue
        if served != alias:
            hint = f"Write its route as {line}. No two storages can share a route."
            if not options.namespace:
                line = _include_line(alias, alias)
                hint = f"Set the option namespace to {alias!r}, and write its route as {line}."
            yield Error(
                f"The route of STORAGES[{alias!r}] serves STORAGES[{served!r}].",
                hint=hint,
                id="secure_dbstorage.E003",
            )


def check_identities(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find two storages that would share their files, or the route and the links to them."""
    seen: dict[str, tuple[str, str]] = {}
    for alias, options in _usable().items():
        database = _database(options)
        first, first_database = seen.setdefault(options.namespace, (alias, database))
        if first == alias:
            continue
        shared = "each would open the other's files"
        if first_database != database:
            shared = "they share a route, and the option audience could let them share links"
        yield Error(
            f"STORAGES[{first!r}] and STORAGES[{alias!r}] have the same namespace "
            f"{options.namespace!r}: {shared}.",
            hint="Give each storage a different namespace.",
            id="secure_dbstorage.E004",
        )


def check_users(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find limits and hooks that need a user in a project without users."""
    if conf.has_authentication():
        return
    for alias, options in _usable().items():
        limits_by_user = options.rate_limit_key in ("user", "user_or_ip")
        if limits_by_user or any(hook in (authenticated, staff) for hook in options.auth_hooks):
            yield Error(
                f"STORAGES[{alias!r}] needs the user, but no middleware identifies users.",
                hint="Add django.contrib.auth.middleware.AuthenticationMiddleware.",
                id="secure_dbstorage.E005",
            )


def check_deployed_secret_key(**kwargs: Any) -> Iterator[CheckMessage]:
    """Refuse to deploy a ``SECRET_KEY`` that can be guessed: who does opens every file."""
    if _signs_with_short_key():
        yield Error(
            f"Links are signed with a SECRET_KEY of fewer than {MIN_KEY_BYTES} bytes. "
            "Whoever guesses it opens every file.",
            hint="Make SECRET_KEY longer, or set the option signing_keys.",
            id="secure_dbstorage.E007",
        )


def check_secret_key(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find a ``SECRET_KEY`` that is too short to sign links."""
    if _signs_with_short_key():
        yield checks.Warning(
            f"Links are signed with a SECRET_KEY of fewer than {MIN_KEY_BYTES} bytes.",
            hint="Make SECRET_KEY longer, or set the option signing_keys.",
            id="secure_dbstorage.W001",
        )


def check_cache(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find rate limits that each process counts separately."""
    alias, backend = conf.ratelimit_cache()
    limited = any(any(options.rate_limits.values()) for options in _usable().values())
    if limited and backend.endswith(_UNFIT_CACHES):
        yield checks.Warning(
            f"Requests are counted in CACHES[{alias!r}]. Its backend counts for each process "
            "separately, or loses count.",
            hint="Use a shared cache that counts atomically: Valkey, Redis or Memcached.",
            id="secure_dbstorage.W002",
        )


def check_sqlite_transactions(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find SQLite databases in which simultaneous writers fail."""
    for alias in _databases("sqlite"):
        mode = connections[alias].settings_dict.get("OPTIONS", {}).get("transaction_mode")
        if str(mode).upper() not in ("IMMEDIATE", "EXCLUSIVE"):
            yield checks.Warning(
                f"Transactions of DATABASES[{alias!r}] are deferred. One that reads before it "
                "writes fails at once if another is writing, whatever the timeout.",
                hint="Set OPTIONS = {'transaction_mode': 'IMMEDIATE'}.",
                id="secure_dbstorage.W003",
            )


def check_proxies(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find storages that trust no proxy: nearly every deployment has one."""
    for alias, options in _usable().items():
        if not options.trusted_proxies and any(options.rate_limits.values()):
            yield checks.Warning(
                f"STORAGES[{alias!r}] trusts no proxy. Behind a proxy, all visitors seem to have "
                "one address. Behind a proxy on this machine, limits by address are not applied.",
                hint="Set trusted_proxies to the networks of your proxies, such as "
                "['127.0.0.0/8'], or silence this check if there are none.",
                id="secure_dbstorage.W004",
            )


def check_fail_open(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find storages whose limits an outage of the cache lifts."""
    for alias, options in _usable().items():
        if options.rate_limit_fail_open:
            yield checks.Warning(
                f"STORAGES[{alias!r}] has no limits while the cache is down.",
                hint="Set rate_limit_fail_open to False, or silence this check.",
                id="secure_dbstorage.W005",
            )


def check_lifted_limits(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find kinds of request without a limit."""
    for alias, options in _usable().items():
        if lifted := [kind for kind in _lifted(options) if kind not in UPLOAD_KINDS]:
            yield checks.Warning(
                f"STORAGES[{alias!r}] does not limit these requests: {', '.join(lifted)}.",
                hint="Give each kind a rate in rate_limits, or silence this check.",
                id="secure_dbstorage.W006",
            )


def check_lifted_upload_limits(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find links for uploads with which one client can fill the table."""
    for alias, options in _usable().items():
        if lifted := [kind for kind in _lifted(options) if kind in UPLOAD_KINDS]:
            yield checks.Warning(
                f"STORAGES[{alias!r}] does not limit uploads: {', '.join(lifted)}. Whoever has a "
                "link for uploads can fill the table.",
                hint="Give each kind a rate in rate_limits, or silence this check if you make no "
                "links for uploads.",
                id="secure_dbstorage.W008",
            )


def check_models(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find FileFields whose files are in another database than their rows."""
    for label, model, storage in _fields():
        try:
            files = _database(conf.read_options(storage._given))  # noqa: SLF001 -- as below
        except ImproperlyConfigured:
            continue  # `check_options()` reports it.
        rows = router.db_for_write(model)
        if files != rows:
            yield checks.Warning(
                f"{label} keeps its rows in DATABASES[{rows!r}] and its files in "
                f"DATABASES[{files!r}]. They roll back separately.",
                hint="Keep both in one database, or open a transaction in each.",
                id="secure_dbstorage.W012",
            )


def check_history(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find packages that keep earlier versions of rows where nobody looks for their files."""
    unseen = [app for app in _UNSEEN_VERSIONS if apps.is_installed(app)]
    if unseen and any(options.delete_with_instance for options in _usable().values()):
        yield checks.Warning(
            f"delete_with_instance can't see the names of files that {', '.join(unseen)} keeps.",
            hint="Turn delete_with_instance off, or silence this check if you never go back to an "
            "earlier version.",
            id="secure_dbstorage.W016",
        )


def check_pgbouncer(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find prepared statements beside a pooler: a statement may meet another connection."""
    for alias in _databases("postgresql"):
        settings = connections[alias].settings_dict
        has_pooler = settings.get("DISABLE_SERVER_SIDE_CURSORS", False)
        if has_pooler and settings.get("OPTIONS", {}).get("prepare_threshold") is not None:
            yield checks.Warning(
                f"DATABASES[{alias!r}] has a pooler and prepares statements. Behind a pooler, a "
                "connection may not know a statement that it is to run.",
                hint="Remove prepare_threshold from OPTIONS, or silence this check if your pooler "
                "keeps prepared statements.",
                id="secure_dbstorage.W015",
            )


def check_sizes(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find storages that take files of any size."""
    for alias, options in _usable().items():
        if options.max_size is None:
            yield checks.Warning(
                f"STORAGES[{alias!r}] takes files of any size. One upload can fill the database.",
                hint="Set max_size to the largest file that you expect, in bytes, or silence this "
                "check.",
                id="secure_dbstorage.W013",
            )


def check_connections(**kwargs: Any) -> Iterator[CheckMessage]:
    """Find databases that each request connects to anew."""
    for alias in sorted({_database(options) for options in _usable().values()}):
        settings = connections[alias].settings_dict
        if settings["CONN_MAX_AGE"] == 0 and not settings.get("OPTIONS", {}).get("pool"):
            yield checks.Warning(
                f"Each request connects to DATABASES[{alias!r}] anew. A small file takes about "
                "twice the time.",
                hint="Set CONN_MAX_AGE to None, or OPTIONS['pool'] with PostgreSQL, or silence "
                "this check.",
                id="secure_dbstorage.W014",
            )


def check_sqlite_journal(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> Iterator[CheckMessage]:
    """Find SQLite databases in which a large save blocks all readers."""
    for alias in _migrated("sqlite", databases):
        with connections[alias].cursor() as cursor:
            cursor.execute("PRAGMA journal_mode")
            (mode,) = cursor.fetchone()
        if mode not in ("wal", "memory"):
            yield checks.Warning(
                f"The journal of DATABASES[{alias!r}] is in mode {mode}. A large save blocks all "
                "readers.",
                hint="Set OPTIONS = {'init_command': 'PRAGMA journal_mode=wal'}.",
                id="secure_dbstorage.W007",
            )


def check_mysql_packets(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> Iterator[CheckMessage]:
    """Find MySQL servers that refuse the statements of a save."""
    chunk_sizes = (options.chunk_size for options in _usable().values())
    needed = 2 * max(STATEMENT_BYTES, *chunk_sizes) + _STATEMENT_OVERHEAD_BYTES
    for alias in _migrated("mysql", databases):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT @@max_allowed_packet")
            (allowed,) = cursor.fetchone()
        if allowed < needed:
            yield Error(
                f"The server of DATABASES[{alias!r}] accepts statements of up to {allowed} bytes. "
                f"A save needs {needed}.",
                hint="Raise max_allowed_packet. A chunk_size above 1 MiB needs more of it.",
                id="secure_dbstorage.E006",
            )


@cache  # So that Django knows the function again if the app gets ready twice, as in tests.
def _listed(check: Callable[..., Iterator[CheckMessage]]) -> Callable[..., list[CheckMessage]]:
    """Return a check that returns a list, as Django requires."""

    @wraps(check)
    def listed(**kwargs: Any) -> list[CheckMessage]:
        return list(check(**kwargs))

    return listed


def _declared() -> dict[str, Any]:
    return conf.declared_storages(DatabaseStorage)


def _declared_places() -> Iterator[tuple[str, Any]]:
    """Yield where the options of each storage in STORAGES are set, and the options."""
    for alias, given in _declared().items():
        yield f"STORAGES[{alias!r}]['OPTIONS']", given


def _field_places() -> Iterator[tuple[str, Any]]:
    """Yield the same for each storage that was created for a model field."""
    declared = list(_declared().values())
    for label, _, storage in _fields():
        given = storage._given  # noqa: SLF001 -- `options` raises for invalid ones
        if given not in declared:
            yield label, given


def _fields() -> Iterator[tuple[str, type[Model], DatabaseStorage]]:
    """Yield each field with one of our storages: its label, its model and the storage."""
    for model in apps.get_models():
        for field in model._meta.local_fields:
            storage: Any = getattr(field, "storage", None)
            if storage is default_storage:  # Lazy: looking into it would set it up, or fail.
                storage = _default_storage()
            if issubclass(type(storage), DatabaseStorage):
                yield f"{model._meta.label}.{field.name}", model, storage


def _default_storage() -> object:
    try:
        return storages["default"]
    except (ImproperlyConfigured, InvalidStorageError):
        return None  # Django or `check_options()` reports it.


def _signs_with_short_key() -> bool:
    return conf.secret_key_is_short() and any(map(conf.uses_secret_key, _declared().values()))


def _usable() -> dict[str, StorageOptions]:
    """Return the options of each storage that are valid."""
    usable = {}
    for alias, given in _declared().items():
        try:
            usable[alias] = conf.read_options(given)
        except ImproperlyConfigured:
            continue  # `check_options()` reports it.
    return usable


def _lifted(options: StorageOptions) -> list[str]:
    """Return the kinds of request without a limit."""
    return [kind for kind, rate in options.rate_limits.items() if rate is None]


def _option_error(problem: conf.Problem, *, where: str) -> CheckMessage:
    return Error(
        f"{where}{problem}.",
        hint=_option_hint(problem, is_default=not where) if problem.unknown else None,
        id="secure_dbstorage.E001" if problem.unknown else "secure_dbstorage.E002",
    )


def _option_hint(problem: conf.Problem, *, is_default: bool) -> str:
    """Return which name is meant, and all that there are, as they are written in that place."""
    known = [name for name in OPTION_NAMES if not is_default or name != "namespace"]
    near = conf.nearest_option(problem.option.removeprefix(conf.SETTING).strip("[]'"))
    if is_default:
        known, near = [name.upper() for name in known], near.upper()
    meant = f"Did you mean {near}? " if near in known else ""
    return f"{meant}The options are {', '.join(known)}."


def _include_line(alias: str, namespace: str) -> str:
    if not namespace and alias == "default":
        return 'path("files/", include("secure_dbstorage.urls"))'
    given = f', namespace="{namespace}"' if namespace else ""
    return (
        f'path("{namespace or alias}/", include("secure_dbstorage.urls"{given}), '
        f'{{"storage": "{alias}"}})'
    )


def _alias_served_at(prefix: str) -> object:
    """Return the alias in STORAGES that the route of this path serves."""
    # URLconfs don't see the part of the path that the web server gives to the whole project.
    path = unquote(prefix).removeprefix(get_script_prefix())
    return resolve(f"/{path}_").kwargs.get("storage", "default")


def _database(options: StorageOptions) -> str:
    return options.using or router.db_for_write(StoredFile)


def _databases(vendor: str) -> list[str]:
    """Return the databases of this vendor to which a storage writes."""
    aliases = {_database(options) for options in _usable().values()}
    return sorted(alias for alias in aliases if connections[alias].vendor == vendor)


def _migrated(vendor: str, databases: Sequence[str] | None) -> Iterator[str]:
    """Yield the databases of this vendor that have the table and are being checked."""
    for alias in _databases(vendor):
        if alias in (databases or ()):
            tables = connections[alias].introspection.table_names()
            if StoredFile._meta.db_table in tables:
                yield alias
