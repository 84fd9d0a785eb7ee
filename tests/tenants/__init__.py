"""A project whose tenants have a schema each. It is run by ``tests/test_tenants.py``."""
