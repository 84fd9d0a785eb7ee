"""Outages: logged when they begin and when they end, and not for each request in between."""

import logging

from secure_dbstorage.sealing.keyrings import note_answers

_logger = logging.getLogger("secure_dbstorage.serving")


class Outage:
    """Whether something that requests need is down."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_down = False

    def begin(self, error: Exception | None) -> None:
        """Note that it is down."""
        if not self._is_down:
            _logger.error("The %s is down", self._what, exc_info=error)
        self._is_down = True

    def end(self) -> None:
        """Note that it works."""
        if self._is_down:
            _logger.warning("The %s is back", self._what)
        self._is_down = False


#: That of the key services of all storages, for requests of each kind. It ends when one answers:
#: a key that was kept says nothing of them.
key_outage = Outage("key service")
note_answers(key_outage.end)
