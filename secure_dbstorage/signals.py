"""Signals: what happened to files. A receiver that raises is logged, and harms nothing.

The sender is the class of the storage; each signal also has ``storage``, the storage itself.
"""

from django.dispatch import Signal

#: A file was saved, and the transaction committed. Arguments: ``name``; ``created``, False for an
#: overwrite.
file_saved = Signal()

#: A file was deleted, and the transaction committed. Argument: ``name``.
file_deleted = Signal()

#: A request got an answer other than a refusal; a body that is streamed has ended, or broken off.
#: Arguments: ``request``; ``file``, a :class:`~secure_dbstorage.files.FileStat`; ``grant``, None
#: without a token; ``record``, an :class:`~secure_dbstorage.serving.visits.AccessRecord`.
file_served = Signal()

#: A request was refused. Arguments: ``request``, ``name``, ``reason`` (one word), ``record``.
file_refused = Signal()
