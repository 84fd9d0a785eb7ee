"""Records: one line in the access log for each request about an upload, and its signal."""

from django.dispatch import Signal

from secure_dbstorage.receiving.arrivals import Arrival
from secure_dbstorage.receiving.faults import Rejected
from secure_dbstorage.receiving.finishing import Finished
from secure_dbstorage.serving import visits
from secure_dbstorage.serving.visits import Visit
from secure_dbstorage.signals import file_received

#: No receiver can connect to this one: the steps of an upload are only logged.
_STEP = Signal()


def record(
    arrival: Arrival,
    outcome: str,
    status: int,
    moved: int = 0,
    *,
    finished: Finished | None = None,
) -> None:
    """Record how a request about an upload ended.

    :param outcome: a word of :class:`~secure_dbstorage.serving.visits.AccessRecord`.
    :param moved: bytes that were received.
    :param finished: the file that the upload has become. Its signal is sent once, for the request
        that gave it the name.
    """
    visit = arrival.visit
    if finished is None or not finished.is_ours:
        visits.record(visit, _STEP, outcome, status, moved)
        return
    visit.name = finished.name
    arguments = {"name": finished.name, "grant": arrival.grant}
    visits.record(visit, file_received, outcome, status, moved, **arguments)


def record_rejection(visit: Visit, rejected: Rejected) -> None:
    """Record that a request about an upload was rejected."""
    visits.record_refused(visit, rejected.fault.value, rejected.status)
