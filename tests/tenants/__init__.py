"""A project whose tenants have a schema each, by django-tenants; ``tests/test_tenants.py`` runs it."""
