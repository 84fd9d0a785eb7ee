"""The driver for MariaDB: mysqlclient where it could be built, else PyMySQL in its place."""

import importlib.util


def install_mysql_driver() -> None:
    """Make ``import MySQLdb`` work, as Django's backend does it.

    mysqlclient has no wheels for Linux and needs a C compiler; the tests must also run where only
    Python is. PyMySQL answers with the version of mysqlclient that Django asks for.
    """
    if importlib.util.find_spec("MySQLdb") or not importlib.util.find_spec("pymysql"):
        return
    import pymysql

    pymysql.version_info = (2, 2, 7, "final", 0)
    pymysql.__version__ = "2.2.7"
    pymysql.install_as_MySQLdb()
