"""The registry: tells Django about all checks, and when each runs."""

from collections.abc import Callable, Iterator
from functools import cache, wraps
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Tags

from secure_dbstorage.checks.content import (
    check_added_types,
    check_kept_briefly,
    check_order_of_ages,
    check_purging,
    check_sizes,
)
from secure_dbstorage.checks.counting import (
    check_cache,
    check_counting,
    check_fail_open,
    check_lifted_limits,
    check_lifted_upload_limits,
    check_proxies,
    check_users,
)
from secure_dbstorage.checks.databases import (
    check_connections,
    check_galera,
    check_mysql_packets,
    check_pgbouncer,
    check_pooled_cursors,
    check_sqlite_journal,
    check_sqlite_transactions,
    check_tables,
)
from secure_dbstorage.checks.fields import check_history, check_models, check_wrappers
from secure_dbstorage.checks.keys import (
    check_deployed_secret_key,
    check_encrypted_offloading,
    check_encryption,
    check_secret_key,
    check_separate_keys,
)
from secure_dbstorage.checks.offloading import (
    check_internal_route,
    check_internal_route_is_used,
    check_offloading_proxies,
)
from secure_dbstorage.checks.options import check_options
from secure_dbstorage.checks.routes import (
    check_base_urls,
    check_identities,
    check_routes,
    check_served_storages,
)
from secure_dbstorage.checks.upload_limits import check_upload_limits


def register() -> None:
    """Register all checks."""
    for check in (
        *(check_options, check_routes, check_base_urls, check_served_storages),
        *(check_identities, check_users, check_upload_limits),
        *(check_internal_route, check_internal_route_is_used, check_offloading_proxies),
        *(check_encryption, check_encrypted_offloading, check_separate_keys),
    ):
        checks.register(_listed(check), Tags.security)
    for check in (
        *(check_secret_key, check_sqlite_transactions, check_pgbouncer),
        *(check_models, check_wrappers, check_history, check_kept_briefly),
    ):
        checks.register(_listed(check), Tags.compatibility)
    for check in (
        *(check_deployed_secret_key, check_proxies, check_fail_open),
        *(check_lifted_limits, check_lifted_upload_limits, check_sizes, check_added_types),
        *(check_order_of_ages, check_purging),
    ):
        checks.register(_listed(check), Tags.security, deploy=True)
    for check in (check_cache, check_counting, check_connections):
        checks.register(_listed(check), Tags.compatibility, deploy=True)
    for database_check in (
        *(check_tables, check_sqlite_journal, check_mysql_packets),
        *(check_pooled_cursors, check_galera),
    ):
        checks.register(_listed(database_check), Tags.database)


@cache  # So that Django knows the function again if the app gets ready twice, as in tests.
def _listed(check: Callable[..., Iterator[CheckMessage]]) -> Callable[..., list[CheckMessage]]:
    """Return a check that returns a list, as Django requires."""

    @wraps(check)
    def listed(**kwargs: Any) -> list[CheckMessage]:
        return list(check(**kwargs))

    return listed
