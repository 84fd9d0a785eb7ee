"""The drivers of the databases, which a machine may lack as it may lack the servers."""

import importlib.util

from tests.servers.unavailable import Unavailable

_PACKAGES = {
    "postgres": ("psycopg", "psycopg[binary]"),
    "mariadb": ("MySQLdb", "mysqlclient or pymysql"),
    "valkey": ("redis", "redis"),
}


def require_driver(server: str) -> None:
    """Check that Django can speak to this server.

    Raises:
        Unavailable: no driver is installed; the text names the packages.

    """
    module, packages = _PACKAGES[server]
    if importlib.util.find_spec(module) is None:
        raise Unavailable(f"{server} has no driver here (pip install {packages})")


def require_mysqlclient() -> None:
    """Check that ``MySQLdb`` is mysqlclient itself.

    PyMySQL leaves its socket open when the server goes away, and a program that the tests start
    has nobody to put PyMySQL in mysqlclient's place.

    Raises:
        Unavailable: it is PyMySQL, or nothing.

    """
    spec = importlib.util.find_spec("MySQLdb")
    if spec is None or spec.name != "MySQLdb":
        raise Unavailable("mysqlclient is not installed (pip install mysqlclient)")
