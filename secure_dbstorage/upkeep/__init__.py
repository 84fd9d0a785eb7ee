"""What keeps the table tidy: counting, pruning, verifying, and files that go with their row."""
