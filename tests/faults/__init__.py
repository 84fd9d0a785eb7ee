"""Real faults: killed processes, databases and caches, full disks, and crowds.

Each test counts what it tried, lost, mixed up and left behind, asserts the counts, and has them
printed in one table at the end of the session: see ``report``. The databases are started for these
tests alone, see ``databases``; files are saved by separate processes, see ``saver``.
"""
