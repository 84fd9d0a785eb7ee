"""The keys that key services have unwrapped: kept for a while, so that not each read asks."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

#: How many keys a process keeps, and for how long.
MAX_KEYS, MAX_AGE_SECONDS = 1024, 300.0


class KeyCache:
    """Keys by what they were unwrapped from. Those that were not used for longest go first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: Hashable, find: Callable[[], bytes]) -> bytes:
        """Return the key of this name, which is found and kept if it is not there.

        Two threads may find the same key at once. Neither waits for the other.
        """
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None and kept[0] > time.monotonic():
                self._kept.move_to_end(name)
                return kept[1]
        key = find()
        with self._lock:
            self._kept[name] = time.monotonic() + MAX_AGE_SECONDS, key
            self._kept.move_to_end(name)
            while len(self._kept) > MAX_KEYS:
                self._kept.popitem(last=False)
        return key
