"""Real servers for tests: each on loopback or a socket, stopped by the process that was started.

Every server is a context manager that waits until it answers. What can't be had on a machine
raises ``Unavailable`` with a reason. Whatever happens to pytest, nothing is left: see ``cleanup``.
"""
