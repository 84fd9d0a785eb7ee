"""Copying files between storages: into the table, out of it, and from other packages' tables."""
