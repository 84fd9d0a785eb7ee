"""A project with packages that people use beside this one: an app, its settings, its tests.

These packages bring models, signals and settings of their own, so
``tests/test_integrations.py`` runs these tests in a process of their own.
"""
