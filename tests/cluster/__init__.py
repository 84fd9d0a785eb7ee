"""Several servers at once, on the twin of compose.yaml, and databases that are made for many.

Each test is marked ``cluster``.
"""
