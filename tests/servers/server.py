"""What every server of the tests can do once it runs."""

from typing import Self

from tests.servers.process import ServerProcess


class Server:
    """A server with one process, which a subclass starts. As a context manager, it stops it."""

    _process: ServerProcess

    @property
    def pid(self) -> int:
        """The process that was started; its children are others."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Tell whether that process has not ended."""
        return self._process.is_running

    def kill(self) -> None:
        """End the server and all its children at once, as a crash does."""
        self._process.kill()

    def stop(self) -> None:
        """Stop the server and its children."""
        self._process.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
