"""Real servers for tests: each on loopback or a socket, stopped by the process that was started.

Every server is a context manager that waits until it answers. A server that this machine can't run
raises ``Unavailable`` with a reason. However pytest ends, no process is left: see ``cleanup``.
"""
