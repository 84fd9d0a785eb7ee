"""System checks: one small function for each fact, in a module for what it looks at.

Errors stand for settings that can't work or are not safe, warnings for settings that work less
well than they could. Some checks run only with ``check --deploy``. Those that query the database
run only with ``check --database``.
"""
