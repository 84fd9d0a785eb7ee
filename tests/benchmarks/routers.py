"""Where Django reads and writes, if the benchmarks have a replica."""


class ReplicaRouter:
    """Reads from the replica, and writes to the primary."""

    def db_for_read(self, model: type, **hints: object) -> str:
        """Name the replica."""
        return "replica"

    def db_for_write(self, model: type, **hints: object) -> str:
        """Name the primary."""
        return "default"
