"""Keeping the table tidy: counting, pruning, verifying, and files owned by model instances."""
